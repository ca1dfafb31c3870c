package manifest

import (
	"encoding/binary"

	"loggia/internal/digest"
)

// decoder takes fields off the front of a node. The first fault sticks, and every later call
// returns zero.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = invalid(format, args...)
		d.b = nil
	}
}

// header takes magic and version.
func (d *decoder) header(magic string) {
	if len(d.b) > MaxNode {
		d.fail("node of %d bytes", len(d.b))
		return
	}
	if len(d.b) < headerSize || string(d.b[:4]) != magic {
		d.fail("no %s node", magic)
		return
	}
	if d.b[4] != Version {
		d.err, d.b = versionError(d.b[4]), nil
		return
	}
	d.b = d.b[headerSize:]
}

func (d *decoder) take(n int) []byte {
	if d.err != nil || len(d.b) < n {
		d.fail("node ends early")
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) digest() (id digest.Digest) {
	copy(id[:], d.take(digest.Size))
	return id
}

// uvarint takes an unsigned LEB128 in its shortest form.
func (d *decoder) uvarint() uint64 {
	if d.err != nil {
		return 0
	}
	v, n := binary.Uvarint(d.b)
	if n <= 0 || n > 1 && d.b[n-1] == 0 {
		d.fail("bad varint")
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count takes a number of items of at least size bytes each, so that memory given to them is
// bounded by the node's own length.
func (d *decoder) count(size int) int {
	v := d.uvarint()
	if v > uint64(len(d.b)/size) {
		d.fail("%d items announced in %d bytes", v, len(d.b))
		return 0
	}
	return int(v)
}

// sum takes a sum, which is at least 1 and small enough that 256 of them can be added.
func (d *decoder) sum() int64 {
	v := d.uvarint()
	if d.err == nil && (v == 0 || v > 1<<54) {
		d.fail("sum of %d", v)
		return 0
	}
	return int64(v)
}

// end is the first fault, or that bytes are left over.
func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.fail("%d bytes left over", len(d.b))
	}
	return d.err
}

func appendHeader(dst []byte, magic string) []byte { return append(append(dst, magic...), Version) }
