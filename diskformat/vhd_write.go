package diskformat

import (
	"encoding/binary"
	"io"
	"time"
)

// FixedVHD shows the guest bytes of a disk as a fixed VHD: as they are, and a footer behind them ("Virtual Hard Disk Image Format
// Specification", version 1.0, 2006). The same arguments give the same bytes.
type FixedVHD struct {
	disk   io.ReaderAt
	size   int64
	footer [SectorSize]byte
}

// vhdEpoch is when a VHD's time begins.
var vhdEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// NewFixedVHD shows size guest bytes of disk, a multiple of SectorSize.
func NewFixedVHD(disk io.ReaderAt, size int64, id [16]byte, made time.Time) (*FixedVHD, error) {
	if err := checkSize("vhd: size", size, Options{MaxSize: DefaultMaxSize}); err != nil {
		return nil, err
	}
	v := &FixedVHD{disk: disk, size: size}
	fillVHDFooter(v.footer[:], size, id, made)
	return v, nil
}

// newVHDFooter is the footer of a fixed disk that will be a file.
func newVHDFooter(size int64, id [16]byte, made time.Time) ([]byte, error) {
	if err := checkSize("vhd: size", size, Options{MaxSize: vhdWriteMax}); err != nil {
		return nil, err
	}
	b := make([]byte, SectorSize)
	fillVHDFooter(b, size, id, made)
	return b, nil
}

// fillVHDFooter writes the footer of a fixed disk over zeros.
func fillVHDFooter(b []byte, size int64, id [16]byte, made time.Time) {
	copy(b, vhdCookie)
	binary.BigEndian.PutUint32(b[8:], 2)            // features: reserved, always set
	binary.BigEndian.PutUint32(b[12:], 0x0001_0000) // file format version
	binary.BigEndian.PutUint64(b[16:], 1<<64-1)     // data offset: none
	binary.BigEndian.PutUint32(b[24:], uint32(max(0, made.Sub(vhdEpoch)/time.Second)))
	copy(b[28:], "win ")                            // creator: with another one some readers round the size to the geometry
	binary.BigEndian.PutUint32(b[32:], 0x0001_0000) // creator version
	copy(b[36:], "Wi2k")                            // creator's host: readers take the size from the geometry for some others
	binary.BigEndian.PutUint64(b[40:], uint64(size))
	binary.BigEndian.PutUint64(b[48:], uint64(size))
	cylinders, heads, sectors := vhdGeometry(size / SectorSize)
	binary.BigEndian.PutUint16(b[56:], cylinders)
	b[58], b[59] = heads, sectors
	binary.BigEndian.PutUint32(b[60:], vhdFixed)
	copy(b[68:], id[:])
	binary.BigEndian.PutUint32(b[64:], vhdSum(b, 64))
}

// vhdGeometry is the specification's rounding of a size to cylinders, heads and sectors; the size beside it is exact.
func vhdGeometry(total int64) (cylinders uint16, heads, sectors byte) {
	total = min(total, 65535*16*255)
	var rest int64
	switch {
	case total >= 65535*16*63:
		heads, sectors, rest = 16, 255, total/255
	default:
		sectors, rest = 17, total/17
		h := max((rest+1023)/1024, 4)
		if rest >= h*1024 || h > 16 {
			sectors, h, rest = 31, 16, total/31
		}
		if rest >= h*1024 {
			sectors, h, rest = 63, 16, total/63
		}
		heads = byte(h)
	}
	return uint16(rest / int64(heads)), heads, sectors
}

// Size is the length of the file in bytes.
func (v *FixedVHD) Size() int64 { return v.size + SectorSize }

// ReadAt implements io.ReaderAt.
func (v *FixedVHD) ReadAt(p []byte, off int64) (int, error) {
	n, eof, err := clip(p, off, v.Size())
	if err != nil || n == 0 {
		return 0, orEOF(err, eof)
	}
	done := 0
	if off < v.size {
		part := p[:min(int64(n), v.size-off)]
		got, err := v.disk.ReadAt(part, off)
		if got < len(part) {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return got, err
		}
		done = got
	}
	if done < n {
		done += copy(p[done:n], v.footer[off+int64(done)-v.size:])
	}
	return done, orEOF(nil, eof)
}
