package publish

import (
	"loggia/transfer/chunk"
	"loggia/transfer/frame"
)

// packer gathers the new chunks of a span into one frame at a time, for one worker.
type packer struct {
	enc    frame.Compressor
	refs   []chunk.Ref
	plain  []byte
	stored []byte
}

func newPacker(o Options, enc frame.Compressor, mem *arena) *packer {
	return &packer{
		enc:    enc,
		refs:   make([]chunk.Ref, 0, o.maxRefs()),
		plain:  mem.take(o.Frame)[:0],
		stored: mem.take(storedBound(o.Frame))[:0],
	}
}

// storedBound is the room that a frame of so many plain bytes needs while it is made.
func storedBound(plain int) int { return frame.Bound(plain) }

func (p *packer) empty() bool { return len(p.plain) == 0 }

// fits says whether a chunk of n bytes may join those gathered.
func (p *packer) fits(n int) bool {
	return len(p.plain)+n <= cap(p.plain) && len(p.refs) < cap(p.refs)
}

// add copies the chunk's bytes.
func (p *packer) add(ref chunk.Ref, data []byte) {
	p.refs = append(p.refs, ref)
	p.plain = append(p.plain, data...)
}

// seal returns the frame of what was gathered; it is valid until the next seal.
func (p *packer) seal() ([]byte, error) {
	stored, _, err := frame.Encode(p.stored[:0], p.plain, p.enc)
	return stored, err
}

func (p *packer) reset() { p.refs, p.plain = p.refs[:0], p.plain[:0] }
