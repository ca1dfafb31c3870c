package index

import (
	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/pack"
)

// Location says where a chunk lies. It is a hint until the bytes read there have the frame's id.
type Location struct {
	Kind     pack.Kind
	Epoch    uint64 // claim epoch of the pack's key
	Pack     digest.Digest
	PackSize int64

	FrameID     digest.Digest
	FrameOffset int64  // in the pack
	FrameStored uint32 // bytes in the pack
	FramePlain  uint32 // bytes when unpacked

	PlainOffset uint32 // of the chunk in the unpacked frame
	Length      uint32 // of the chunk

	source source
	frame  uint32
	inPack uint32 // of a segment: the pack's number in it
}

// source lists the chunks of one of its frames.
type source interface {
	frameChunks(frame uint32) ([]chunk.Ref, error)
}

// Chunks lists everything that the frame holds, in order. The segment must still be open.
func (l Location) Chunks() ([]chunk.Ref, error) { return l.source.frameChunks(l.frame) }

// Holding returns l with the list of what its frame holds in it: no segment has to stay open for Chunks.
// refs is not to be changed afterwards.
func (l Location) Holding(refs []chunk.Ref) Location {
	l.source, l.frame, l.inPack = known(refs), 0, 0
	return l
}

// Of returns l for another chunk of the frame, which Holding has listed.
func (l Location) Of(id chunk.ID) Location {
	if refs, ok := l.source.(known); ok {
		l.PlainOffset, l.Length, _ = find(id, refs)
	}
	return l
}

// known is the chunks of one frame.
type known []chunk.Ref

func (k known) frameChunks(uint32) ([]chunk.Ref, error) { return k, nil }

// find returns the place of id in a frame's chunks.
func find(id chunk.ID, refs []chunk.Ref) (offset, length uint32, ok bool) {
	for _, ref := range refs {
		if ref.ID == id {
			return offset, ref.Length, true
		}
		offset += ref.Length
	}
	return 0, 0, false
}
