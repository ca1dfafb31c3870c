package pack

import (
	"cmp"
	"slices"
	"sync"

	"loggia/internal/digest"
)

// arranging lends the one piece of memory that packs are arranged in: some milliseconds for each.
var arranging struct {
	sync.Mutex
	room []byte
}

// Arrange ends Add: frames of the same lane come to lie side by side, the lowest lane first, and within a lane as they
// came. It returns where they lie then; nil: nothing moved.
func (b *Builder) Arrange() map[digest.Digest]int64 {
	frames := b.dir.Frames
	byLane := func(x, y Frame) int { return cmp.Compare(b.seen[x.ID], b.seen[y.ID]) }
	if slices.IsSortedFunc(frames, byLane) {
		return nil
	}
	slices.SortStableFunc(frames, byLane)
	arranging.Lock()
	defer arranging.Unlock()
	moved := make(map[digest.Digest]int64, len(frames))
	room := slices.Grow(arranging.room[:0], len(b.buf))
	for i := range frames {
		f := &frames[i]
		at := int64(len(room))
		room = append(room, b.buf[f.Offset:f.End()]...)
		f.Offset, moved[f.ID] = at, at
	}
	copy(b.buf, room)
	arranging.room = room
	return moved
}
