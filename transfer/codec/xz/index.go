package xz

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"io"
)

// records holds the lengths of a stream's blocks against its index in a few bytes of memory: both are
// hashed.
type records struct {
	open bool // a stream has begun
	n    int64
	sum  hash.Hash
}

func newRecords() records { return records{open: true, sum: sha256.New()} }

// add counts a block: its bytes in the file without padding, and unpacked.
func (r *records) add(stored, plain int64) {
	r.n++
	addRecord(r.sum, stored, plain)
}

func addRecord(h hash.Hash, stored, plain int64) {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], uint64(stored))
	binary.LittleEndian.PutUint64(b[8:], uint64(plain))
	h.Write(b[:])
}

// readIndex reads an index behind its first byte and returns its length.
func (r *records) readIndex(in *counted) (int64, error) {
	start := in.n - 1
	x := &indexReader{in: in, crc: crc32.NewIEEE()}
	x.crc.Write([]byte{0})
	if n := x.number(); x.err == nil && n != r.n {
		return 0, corrupt("index of %d blocks: there were %d", n, r.n)
	}
	sum := sha256.New()
	for i := int64(0); i < r.n && x.err == nil; i++ {
		addRecord(sum, x.number(), x.number())
	}
	for x.err == nil && (in.n-start)&3 != 0 {
		if x.byte() != 0 {
			return 0, corrupt("padding of the index")
		}
	}
	if x.err != nil {
		return 0, x.err
	}
	if [sha256.Size]byte(sum.Sum(nil)) != [sha256.Size]byte(r.sum.Sum(nil)) {
		return 0, corrupt("index says other lengths than the blocks have")
	}
	var want [4]byte
	if _, err := io.ReadFull(in, want[:]); err != nil {
		return 0, cut(err)
	}
	if x.crc.Sum32() != binary.LittleEndian.Uint32(want[:]) {
		return 0, corrupt("checksum of the index")
	}
	return in.n - start, nil
}

// indexReader reads an index's bytes; err is the first that occurs.
type indexReader struct {
	in  io.Reader
	crc hash.Hash32
	err error
}

func (x *indexReader) byte() byte {
	var b [1]byte
	if x.err == nil {
		if _, err := io.ReadFull(x.in, b[:]); err != nil {
			x.err = cut(err)
		}
		x.crc.Write(b[:])
	}
	return b[0]
}

func (x *indexReader) number() int64 {
	var b []byte
	for len(b) < 9 && x.err == nil {
		b = append(b, x.byte())
		if b[len(b)-1] < 0x80 {
			break
		}
	}
	f := fields{b: b}
	v := f.number()
	if f.bad && x.err == nil {
		x.err = corrupt("number in the index")
	}
	return v
}
