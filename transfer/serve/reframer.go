package serve

import (
	"loggia/transfer/chunk"
	"loggia/transfer/frame"
)

// reframer gathers chunks of several frames into new ones.
type reframer struct {
	enc  frame.Compressor
	sink Sink

	read  []byte // a frame as it is stored
	plain []byte // the same unpacked
	refs  []chunk.Ref
	next  []byte // chunks of the frame being made
	out   []byte // the frame made
}

func newReframer(mem []byte, enc frame.Compressor, sink Sink) *reframer {
	r := &reframer{enc: enc, sink: sink}
	part := func(n int) []byte {
		b := mem[:0:n]
		mem = mem[n:]
		return b
	}
	r.next, r.out = part(frame.DefaultTarget), part(frame.Bound(frame.DefaultTarget))
	half := len(mem) / 2
	r.read, r.plain = mem[:half:half], mem[half:half:len(mem)]
	return r
}

func (r *reframer) add(ref chunk.Ref, data []byte) error {
	if len(r.next) > 0 && len(r.next)+len(data) > frame.DefaultTarget {
		if err := r.flush(); err != nil {
			return err
		}
	}
	r.refs, r.next = append(r.refs, ref), append(r.next, data...)
	return nil
}

// flush sends what was gathered.
func (r *reframer) flush() error {
	if len(r.refs) == 0 {
		return nil
	}
	stored, _, err := frame.Encode(r.out[:0], r.next, r.enc)
	if err != nil {
		return err
	}
	err = r.sink.Frame(r.refs, stored)
	r.refs, r.next = r.refs[:0], r.next[:0]
	return err
}
