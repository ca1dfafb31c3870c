package blobstore

import (
	"fmt"
	"io"
)

// CheckRange turns the range of a Get into a length for an object of size bytes, or fails with
// ErrRange. A range of no bytes may stand at the very end.
func CheckRange(off, n, size int64) (int64, error) {
	if off < 0 || off > size || n > size-off {
		return 0, fmt.Errorf("%w: %d bytes at %d of %d", ErrRange, n, off, size)
	}
	if n < 0 {
		return size - off, nil
	}
	return n, nil
}

// Exactly reads n bytes of r and then io.EOF. Where r ends before, or has more, it fails with
// ErrDamaged. Closing it closes r.
func Exactly(r io.ReadCloser, n int64) io.ReadCloser {
	return &exact{r: r, want: n, left: n}
}

// exact counts what is still due. Invariant: 0 <= left <= want.
type exact struct {
	r          io.ReadCloser
	want, left int64
	err        error // what every later Read answers
}

func (e *exact) Read(p []byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if e.left == 0 {
		e.err = e.end()
		return 0, e.err
	}
	if int64(len(p)) > e.left {
		p = p[:e.left]
	}
	n, err := e.r.Read(p)
	e.left -= int64(n)
	switch {
	case err == io.EOF && e.left > 0:
		e.err = fmt.Errorf("%w: body ended after %d of %d bytes", ErrDamaged, e.want-e.left, e.want)
	case err == io.EOF:
		e.err = io.EOF
	case err != nil:
		e.err = err
	}
	return n, e.err
}

// end looks for a byte too many.
func (e *exact) end() error {
	var one [1]byte
	for range 100 { // a reader may give nothing without an error, but not for ever (io.ErrNoProgress)
		n, err := e.r.Read(one[:])
		if n > 0 {
			return fmt.Errorf("%w: body longer than %d bytes", ErrDamaged, e.want)
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

func (e *exact) Close() error { return e.r.Close() }
