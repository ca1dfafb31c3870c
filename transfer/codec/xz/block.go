package xz

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"loggia/transfer/codec"
)

// errIndex: there is an index where a block could be.
var errIndex = errors.New("index")

// lzma2Filter is the one filter that is undone here. Those for machine code are not used for disks.
const lzma2Filter = 0x21

// block is a block's header and what has been unpacked of it.
type block struct {
	header int64 // bytes
	start  int64 // where in the file its compressed bytes begin
	packed int64 // compressed bytes; below 0: the header does not say
	plain  int64 // unpacked bytes, likewise
	dict   int

	got int64
	sum hash.Hash // nil without a check
}

// took counts bytes that were unpacked.
func (b *block) took(p []byte) error {
	b.got += int64(len(p))
	if b.plain >= 0 && b.got > b.plain {
		return corrupt("block unpacks to more than the %d bytes of its header", b.plain)
	}
	if b.sum != nil {
		b.sum.Write(p)
	}
	return nil
}

// readBlockHeader reads a header, or returns errIndex after the byte that begins an index.
func readBlockHeader(in *counted, maxDict int) (*block, error) {
	h := make([]byte, 1, 1024)
	if _, err := io.ReadFull(in, h); err != nil {
		return nil, cut(err)
	}
	if h[0] == 0 {
		return nil, errIndex
	}
	h = h[:(int(h[0])+1)*4]
	if _, err := io.ReadFull(in, h[1:]); err != nil {
		return nil, cut(err)
	}
	end := len(h) - 4
	if crc32.ChecksumIEEE(h[:end]) != binary.LittleEndian.Uint32(h[end:]) {
		return nil, corrupt("checksum of a block's header")
	}
	b := &block{header: int64(len(h)), start: in.n, packed: -1, plain: -1}
	return b, b.decode(h[1], fields{b: h[2:end]}, maxDict)
}

// decode decodes the header's fields behind its flags.
func (b *block) decode(flags byte, f fields, maxDict int) error {
	if flags&0x3c != 0 {
		return fmt.Errorf("%w: xz: block flags %#02x", codec.ErrFeature, flags)
	}
	if flags&0x40 != 0 {
		b.packed = f.number()
	}
	if flags&0x80 != 0 {
		b.plain = f.number()
	}
	id, length := f.number(), f.number()
	switch {
	case f.bad:
		return corrupt("block's header ends early")
	case flags&3 != 0 || id != lzma2Filter:
		return fmt.Errorf("%w: xz: %d filters, the first %#x: must be LZMA2 alone", codec.ErrFeature, flags&3+1, id)
	case length != 1 || len(f.b) < 1 || f.b[0] > 40:
		return corrupt("properties of LZMA2")
	}
	dict := dictSize(f.b[0])
	if dict > int64(maxDict) {
		return fmt.Errorf("%w: xz: dictionary of %d bytes: must be at most %d", codec.ErrMemory, dict, maxDict)
	}
	b.dict = int(dict)
	for _, c := range f.b[1:] {
		if c != 0 {
			return corrupt("padding of a block's header")
		}
	}
	return nil
}

// dictSize decodes the size of a dictionary: 2^n or 3*2^(n-1) bytes.
func dictSize(b byte) int64 {
	if b == 40 {
		return 1<<32 - 1
	}
	return (2 | int64(b)&1) << (b/2 + 11)
}

// fields reads numbers of a header.
type fields struct {
	b   []byte
	bad bool // there are none, or one is malformed
}

// number reads a number of at most 63 bits, seven bits a byte.
func (f *fields) number() int64 {
	v, n := binary.Uvarint(f.b)
	if n <= 0 || n > 9 || v>>63 != 0 || n > 1 && f.b[n-1] == 0 {
		f.bad = true
		return -1
	}
	f.b = f.b[n:]
	return int64(v)
}
