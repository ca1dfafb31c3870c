package diskformat

import (
	"fmt"
	"io"
)

// sparse is a Source that knows its holes: see Disk.NextData, with Size of the Source.
type sparse interface {
	nextData(off int64) (start, end int64, err error)
}

// raw is a disk whose guest bytes are the first size bytes of the file, in order. A fixed VHD is
// one too, with its footer behind them.
type raw struct {
	src    Source
	size   int64
	format Format
}

func openRaw(src Source, o Options) (Disk, error) {
	if err := checkSize("raw image: size", src.Size(), o); err != nil {
		return nil, err
	}
	return &raw{src: src, size: src.Size(), format: Raw}, nil
}

func (d *raw) Size() int64    { return d.size }
func (d *raw) Format() Format { return d.format }
func (d *raw) Close() error   { return nil }

func (d *raw) ReadAt(p []byte, off int64) (int, error) {
	n, eof, err := clip(p, off, d.size)
	if err != nil || n == 0 {
		return 0, orEOF(err, eof)
	}
	if err := readFull(d.src, p[:n], off); err != nil {
		return 0, fmt.Errorf("%s disk: %w", d.format, err)
	}
	return n, orEOF(nil, eof)
}

func (d *raw) NextData(off int64) (start, end int64, err error) {
	if off < 0 {
		return 0, 0, errNegative(off)
	}
	if off >= d.size {
		return d.size, d.size, nil
	}
	start, end = off, d.size
	if s, ok := d.src.(sparse); ok {
		if start, end, err = s.nextData(off); err != nil {
			return 0, 0, fmt.Errorf("find data at %d: %w", off, err)
		}
	}
	return min(start, d.size), min(end, d.size), nil
}

// clip says how much of a read of p at off lies in the disk, and whether it reaches beyond the end.
func clip(p []byte, off, size int64) (n int, eof bool, err error) {
	if off < 0 {
		return 0, false, errNegative(off)
	}
	left := max(size-off, 0)
	if int64(len(p)) <= left {
		return len(p), off >= size && len(p) > 0, nil
	}
	return int(left), true, nil
}

// orEOF is io.EOF where a read without another error met the end of the disk.
func orEOF(err error, eof bool) error {
	if err == nil && eof {
		return io.EOF
	}
	return err
}

func errNegative(off int64) error { return fmt.Errorf("disk offset %d is negative", off) }
