package xz

import (
	"encoding/binary"
	"io"
)

// Bounds of LZMA2's chunks, in bytes.
const (
	maxChunk  = 2 << 20  // unpacked
	maxPacked = 64 << 10 // compressed, also the most that is stored plain
)

// lzma2 unpacks the chunks of one block after the other. Its window holds what matches may refer to,
// and what the caller has not taken yet.
type lzma2 struct {
	in     io.Reader
	dict   int    // the most bytes that a match lies back
	window []byte // it grows with what is unpacked, to at most dict + max(dict, 2*maxChunk)
	taken  int    // of window, by the caller
	lzma   lzma
	packed [maxPacked]byte

	needDict, needProps bool
}

// start begins a block. Nothing is left of the one before.
func (d *lzma2) start(in io.Reader, dict int) {
	d.in, d.dict = in, dict
	d.window, d.taken = d.window[:0], 0
	d.needDict, d.needProps = true, true
}

// read returns some bytes, valid until the next call, and io.EOF after the last chunk.
func (d *lzma2) read() ([]byte, error) {
	if d.taken == len(d.window) {
		if err := d.chunk(); err != nil {
			return nil, err
		}
	}
	out := d.window[d.taken:]
	d.taken = len(d.window)
	return out, nil
}

// chunk unpacks the next chunk into the window, from which all has been taken.
func (d *lzma2) chunk() error {
	var h [6]byte
	if _, err := io.ReadFull(d.in, h[:1]); err != nil {
		return cut(err)
	}
	control := h[0]
	switch {
	case control == 0:
		return io.EOF
	case control > 2 && control < 0x80:
		return corrupt("chunk of kind %#02x", control)
	case control == 1 || control >= 0xe0:
		d.needDict, d.needProps = false, true
		d.window, d.taken = d.window[:0], 0
	case d.needDict:
		return corrupt("first chunk keeps a dictionary")
	}
	if control < 0x80 {
		return d.plain(h[:2])
	}
	return d.compressed(control, h[:])
}

// plain takes a chunk that is stored as it is.
func (d *lzma2) plain(h []byte) error {
	if _, err := io.ReadFull(d.in, h[:2]); err != nil {
		return cut(err)
	}
	n := int(binary.BigEndian.Uint16(h)) + 1
	at := d.room(n)
	_, err := io.ReadFull(d.in, d.window[at:])
	return cut(err)
}

// compressed unpacks a chunk of LZMA.
func (d *lzma2) compressed(control byte, h []byte) error {
	length := 4
	if control >= 0xc0 {
		length = 5
	}
	if _, err := io.ReadFull(d.in, h[:length]); err != nil {
		return cut(err)
	}
	n := int(control&0x1f)<<16 + int(binary.BigEndian.Uint16(h)) + 1
	packed := d.packed[:int(binary.BigEndian.Uint16(h[2:]))+1]
	switch {
	case control >= 0xc0:
		if !d.lzma.setProperties(h[4]) {
			return corrupt("properties %#02x", h[4])
		}
		d.needProps = false
	case d.needProps:
		return corrupt("first compressed chunk keeps properties")
	}
	if control >= 0xa0 {
		d.lzma.reset()
	}
	if _, err := io.ReadFull(d.in, packed); err != nil {
		return cut(err)
	}
	at := d.room(n)
	if !d.lzma.decode(d.window, at, d.dict, packed) {
		return corrupt("chunk of %d bytes", len(packed))
	}
	return nil
}

// room makes place for n more bytes at the window's end and returns where. What no match can reach
// any more leaves the window, in multiples of 16: the model looks at the low four bits of positions.
func (d *lzma2) room(n int) int {
	if limit := d.dict + max(d.dict, 2*maxChunk); len(d.window)+n > limit {
		keep := min(d.dict+posStates, len(d.window))
		gone := (len(d.window) - keep) &^ (posStates - 1)
		d.window = d.window[:copy(d.window, d.window[gone:])]
	}
	at := len(d.window)
	if need := at + n; need > cap(d.window) {
		grown := make([]byte, at, max(need, min(2*cap(d.window), d.dict+max(d.dict, 2*maxChunk))))
		copy(grown, d.window)
		d.window = grown
	}
	d.window = d.window[:at+n]
	d.taken = at
	return at
}

// cut is the error for an input that ends too early.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
