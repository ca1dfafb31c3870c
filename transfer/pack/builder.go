package pack

import (
	"fmt"
	"slices"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
)

// Builder fills one buffer with one pack. It is for one goroutine and one pack.
type Builder struct {
	buf    []byte
	target int
	chunks int
	dir    Directory
	seen   map[digest.Digest]uint64 // lanes of frames
}

// New starts a pack in buf, whose capacity bounds the whole object; the bytes in it are
// overwritten. The pack counts as full once its frames reach target bytes: the frames before the
// last one are below it, and the last one may be refused by Fits.
func New(buf []byte, kind Kind, target int) *Builder {
	return &Builder{buf: buf[:0], target: target, dir: Directory{Kind: kind}, seen: make(map[digest.Digest]uint64)}
}

// Fits says whether a frame of so many stored bytes and chunks can be added. The first frame may
// be larger than the target, if the buffer holds it.
func (b *Builder) Fits(stored, chunks int) bool {
	frames := len(b.dir.Frames)
	if frames > 0 && len(b.buf)+stored > b.target {
		return false
	}
	whole := int64(len(b.buf)) + int64(stored) + directorySize(frames+1, b.chunks+chunks) + TrailerSize
	return whole <= int64(min(cap(b.buf), MaxObject)) && frames < MaxFrames && b.chunks+chunks <= MaxChunks
}

// Add copies a frame into the pack and remembers what it holds. stored is the whole frame, id its
// SHA-256, plain its unpacked length, chunks what it unpacks to. A frame that the pack holds
// already is not added again. Frames that are likely to be read together have the same lane: see Arrange.
// ErrLimit means that Fits would have said no; then nothing changed.
func (b *Builder) Add(lane uint64, stored []byte, id digest.Digest, plain uint32, chunks []chunk.Ref) error {
	if _, twice := b.seen[id]; twice {
		return nil
	}
	if !b.Fits(len(stored), len(chunks)) {
		return fmt.Errorf("%w: frame of %d bytes does not fit", ErrLimit, len(stored))
	}
	f := Frame{ID: id, Offset: int64(len(b.buf)), Stored: uint32(len(stored)), Plain: plain, Chunks: slices.Clone(chunks)}
	if err := f.check(); err != nil {
		return err
	}
	b.seen[id] = lane
	b.buf = append(b.buf, stored...)
	b.chunks += len(chunks)
	b.dir.Frames = append(b.dir.Frames, f)
	return nil
}

// Len is the number of bytes of frames so far.
func (b *Builder) Len() int { return len(b.buf) }

// Finish writes the directory and the trailer. The object lies in the Builder's buffer, the
// Directory is the caller's. A pack without frames is ErrCorrupt.
func (b *Builder) Finish() (id digest.Digest, object []byte, dir *Directory, err error) {
	if len(b.dir.Frames) == 0 {
		return id, nil, nil, fmt.Errorf("%w: no frames", ErrCorrupt)
	}
	start := len(b.buf)
	object = b.dir.Append(b.buf)
	directory := object[start:]
	object = appendTrailer(object, directory)
	return ID(directory), object, &b.dir, nil
}
