package pack

import (
	"cmp"
	"slices"

	"loggia/internal/digest"
)

// Arranged says whether the frames lie as Arrange would lay them.
func (b *Builder) Arranged() bool { return slices.IsSortedFunc(b.dir.Frames, b.byLane) }

func (b *Builder) byLane(x, y Frame) int { return cmp.Compare(b.seen[x.ID], b.seen[y.ID]) }

// Arrange ends Add: it copies the frames into room, where those of the same lane come to lie side by side, the lowest lane
// first, and within a lane as they came. The Builder goes on in room, whose capacity is that of New's buffer, and leaves
// that buffer alone. It returns where the frames lie then.
func (b *Builder) Arrange(room []byte) map[digest.Digest]int64 {
	frames := b.dir.Frames
	slices.SortStableFunc(frames, b.byLane)
	moved := make(map[digest.Digest]int64, len(frames))
	room = room[:0]
	for i := range frames {
		f := &frames[i]
		at := int64(len(room))
		room = append(room, b.buf[f.Offset:f.End()]...)
		f.Offset, moved[f.ID] = at, at
	}
	b.buf = room
	return moved
}
