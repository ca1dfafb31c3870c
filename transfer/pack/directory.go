package pack

import (
	"errors"
	"fmt"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
)

// Kind says what a pack's chunks are.
type Kind byte

// The kinds of packs. Their letters are also the first part of a pack's key.
const (
	Data  Kind = 'p' // guest bytes
	Nodes Kind = 'm' // manifest nodes and frame tables
)

// The bounds of one pack. A directory beyond any of them is refused before memory is given to it.
const (
	FormatVersion = 1

	MaxObject = 64 << 20 // bytes of a whole pack; the usual target is 8 MiB
	MaxFrames = 1 << 14
	MaxChunks = 1 << 16
	MaxPlain  = 4 << 20 // plain bytes of a frame, the same bound as frame.MaxPlain
	MinStored = 22      // bytes of the smallest frame: its header and one byte

	// TrailerSize is the length of what follows the directory.
	TrailerSize = 20

	directoryHeaderSize = 16
	frameEntrySize      = digest.Size + 12
	chunkEntrySize      = digest.Size + 4
)

// The reasons for refusing a pack.
var (
	// ErrCorrupt: the bytes are no pack, or were changed, or contradict each other.
	ErrCorrupt = errors.New("corrupt pack")
	// ErrVersion: the pack says that it is of a format newer than this program knows.
	ErrVersion = errors.New("unknown pack format version")
	// ErrLimit: a count or a length is beyond what a pack may have.
	ErrLimit = errors.New("pack limit exceeded")
	// ErrMismatch: the directory is whole, but it is not the one that the pack's id names.
	ErrMismatch = errors.New("pack id mismatch")
)

// Directory is a pack's own table of contents.
//
// Invariants of every Directory that this package returns: at least one frame; frames are
// contiguous from offset 0; no frame id occurs twice; Size() is the object's length.
type Directory struct {
	Kind   Kind
	Frames []Frame
}

// Frame is one frame's place in a pack, and the chunks that it unpacks to, in order.
//
// Invariants: at least one chunk; the lengths of Chunks add up to Plain; MinStored <= Stored;
// 0 < Plain <= MaxPlain. A chunk may occur more than once in a pack: each place is as good.
type Frame struct {
	ID     digest.Digest // SHA-256 of the Stored bytes, header included
	Offset int64         // where the frame begins in the object; follows from the lengths before it
	Stored uint32        // bytes in the object, header included
	Plain  uint32        // bytes when unpacked
	Chunks []chunk.Ref
}

// End is the offset of the first byte after the frame.
func (f Frame) End() int64 { return f.Offset + int64(f.Stored) }

// DataSize is the number of bytes that the frames occupy: where the directory begins.
func (d *Directory) DataSize() int64 {
	if len(d.Frames) == 0 {
		return 0
	}
	return d.Frames[len(d.Frames)-1].End()
}

// Size is the length of the whole object.
func (d *Directory) Size() int64 {
	return d.DataSize() + directorySize(len(d.Frames), d.chunkCount()) + TrailerSize
}

// ID is the pack's id: the SHA-256 of the directory's bytes. Since the directory holds the
// SHA-256 and the length of every frame, it fixes every byte of the object.
func (d *Directory) ID() digest.Digest { return ID(d.Append(nil)) }

// ID returns the id of the pack whose directory has these bytes.
func ID(directory []byte) digest.Digest { return digest.Of(directory) }

func (d *Directory) chunkCount() int {
	n := 0
	for i := range d.Frames {
		n += len(d.Frames[i].Chunks)
	}
	return n
}

func directorySize(frames, chunks int) int64 {
	return directoryHeaderSize + int64(frames)*frameEntrySize + int64(chunks)*chunkEntrySize
}

// check holds the frame to the invariants that need no neighbour.
func (f *Frame) check() error {
	switch {
	case f.Stored < MinStored:
		return fmt.Errorf("%w: frame %s stores %d bytes", ErrCorrupt, f.ID.Short(), f.Stored)
	case f.Plain == 0 || len(f.Chunks) == 0:
		return fmt.Errorf("%w: frame %s is empty", ErrCorrupt, f.ID.Short())
	case f.Plain > MaxPlain:
		return fmt.Errorf("%w: frame %s unpacks to %d bytes", ErrLimit, f.ID.Short(), f.Plain)
	case f.ID.IsZero():
		return fmt.Errorf("%w: frame without id", ErrCorrupt)
	}
	var sum uint64
	for _, c := range f.Chunks {
		if c.Length == 0 {
			return fmt.Errorf("%w: frame %s has a chunk without bytes", ErrCorrupt, f.ID.Short())
		}
		sum += uint64(c.Length)
	}
	if sum != uint64(f.Plain) {
		return fmt.Errorf("%w: chunks of frame %s are %d bytes, the frame is %d", ErrCorrupt, f.ID.Short(), sum, f.Plain)
	}
	return nil
}
