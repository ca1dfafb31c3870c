package repository

import "loggia/transfer/pack"

// Lanes come in blocks of laneBlock to the packs of data that are filled at once: what two sources bring at the same time does not lie
// in turn, and is read again with fewer requests. More packs would take more memory. A copy's lanes are its pieces: a block is some 8 MiB
// that are neighbours on the disk, about what one request for it brings.
const (
	laneBlock = 4
	atOnce    = 2
)

// Lane is for frames that a source brings n-th, where several bring some at once: in a pack those of one source lie in their order, and an
// even and an odd source fill packs of their own.
func Lane(source int, n uint64) uint64 { return (n*atOnce + uint64(source)%atOnce) * laneBlock }

// stream is what goes into one pack after the other.
type stream struct {
	kind pack.Kind
	n    uint64 // below atOnce; 0 but for data
}

func streamOf(kind pack.Kind, lane uint64) stream {
	if kind != pack.Data {
		return stream{kind: kind}
	}
	return stream{kind, lane / laneBlock % atOnce}
}

// into returns the pack that takes the stream's frames; nil: there is none, and one is to be opened. Little data is one pack, and so it is
// where memory is short. w.mu is held.
func (w *Writer) into(s stream) *openPack {
	p := w.filling[s]
	if p == nil && s.kind == pack.Data && (!w.apart || w.opts.Pool.Lent() > w.opts.Pool.Budget()-2*dataBuffer) {
		p = w.filling[stream{s.kind, (s.n + 1) % atOnce}]
	}
	return p
}
