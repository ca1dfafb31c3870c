package diskformat

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
)

const (
	vmdkMarker = 12 // bytes before a packed grain: its first sector on the disk, and its length
	vmdkSlack  = 4 << 10
)

// vmdkPackedLimit is the most bytes that a packed grain may have: deflate lengthens what it cannot shorten,
// by a small part.
func vmdkPackedLimit(grainSize int64) int64 { return grainSize + grainSize/8 + vmdkSlack }

// unpackGrain fills dst with the begin of the grain of a packed run.
func (d *vmdk) unpackGrain(dst []byte, r run) error {
	if err := d.inflateGrain(dst, r.stored, r.host); err != nil {
		return inVMDK(fmt.Sprintf("grain %d at %d", r.stored, r.host), err)
	}
	return nil
}

func (d *vmdk) inflateGrain(dst []byte, i, place int64) error {
	var marker [vmdkMarker]byte
	if err := readFull(d.src, marker[:], place); err != nil {
		return err
	}
	if sector := le64(marker[:], 0); sector != uint64(i*d.grainSize/SectorSize) {
		return refuse(ErrInconsistent, "marker: sector %d of the disk: must be %d", sector, i*d.grainSize/SectorSize)
	}
	n, limit := int64(le32(marker[:], 8)), vmdkPackedLimit(d.grainSize)
	if n == 0 || n > limit {
		return refuse(ErrInconsistent, "marker: %d compressed bytes: must be 1 to %d", n, limit)
	}
	buf, _ := d.inputs.Get().(*[]byte)
	if buf == nil {
		b := make([]byte, limit)
		buf = &b
	}
	defer d.inputs.Put(buf)
	in := (*buf)[:n]
	if err := readFull(d.src, in, place+vmdkMarker); err != nil {
		return err
	}
	return d.inflateFrom(dst, in)
}

// inflateFrom fills dst from a zlib stream; of a last grain that is cut short by the disk's end, more
// bytes may follow.
func (d *vmdk) inflateFrom(dst, in []byte) error {
	r, _ := d.inflate.Get().(io.ReadCloser)
	var err error
	if r == nil {
		r, err = zlib.NewReader(bytes.NewReader(in))
	} else {
		err = r.(zlib.Resetter).Reset(bytes.NewReader(in), nil)
	}
	if err != nil {
		return refuse(ErrInconsistent, "deflate: %v", err)
	}
	defer d.inflate.Put(r)
	if n, err := io.ReadFull(r, dst); err != nil {
		return refuse(ErrInconsistent, "deflate: %d of %d bytes: %v", n, len(dst), err)
	}
	return d.inflateRest(r, int64(len(dst)))
}

// inflateRest reads to the stream's end, where its checksum is, and refuses more than a grain.
func (d *vmdk) inflateRest(r io.Reader, had int64) error {
	n, err := io.CopyN(io.Discard, r, d.grainSize-had+1)
	switch {
	case err == nil:
		return refuse(ErrInconsistent, "deflate: more than the %d bytes of a grain", d.grainSize)
	case err != io.EOF:
		return refuse(ErrInconsistent, "deflate: after %d bytes: %v", had+n, err)
	}
	return nil
}
