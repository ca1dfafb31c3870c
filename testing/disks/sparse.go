package disks

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Equal says how two files differ, or nothing. What is a hole in both is not read, so the time
// follows the data and not the size.
func Equal(a, b string) error {
	fa, err := os.Open(a)
	if err != nil {
		return err
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		return err
	}
	defer fb.Close()
	sa, err := fa.Stat()
	if err != nil {
		return err
	}
	sb, err := fb.Stat()
	if err != nil {
		return err
	}
	if sa.Size() != sb.Size() {
		return fmt.Errorf("%s has %d bytes, %s has %d", a, sa.Size(), b, sb.Size())
	}
	return errors.Join(same(fa, fb), same(fb, fa))
}

// same compares the data of a with what b has there.
func same(a, b *os.File) error {
	x, y := make([]byte, 1<<20), make([]byte, 1<<20)
	return Data(a, func(e Extent) error {
		for e.Length > 0 {
			n := min(e.Length, int64(len(x)))
			if _, err := io.ReadFull(io.NewSectionReader(a, e.Offset, n), x[:n]); err != nil {
				return err
			}
			if _, err := io.ReadFull(io.NewSectionReader(b, e.Offset, n), y[:n]); err != nil {
				return err
			}
			if !bytes.Equal(x[:n], y[:n]) {
				return fmt.Errorf("%s and %s differ between %d and %d", a.Name(), b.Name(), e.Offset, e.Offset+n)
			}
			e.Offset, e.Length = e.Offset+n, e.Length-n
		}
		return nil
	})
}

// Data calls fn with each extent of a file that is no hole, in order.
func Data(f *os.File, fn func(Extent) error) error {
	for at := int64(0); ; {
		start, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil // the rest is a hole
		}
		if err != nil {
			return fmt.Errorf("%s: find data: %w", f.Name(), err)
		}
		end, err := unix.Seek(int(f.Fd()), start, unix.SEEK_HOLE)
		if err != nil {
			return fmt.Errorf("%s: find a hole: %w", f.Name(), err)
		}
		if err := fn(Extent{start, end - start}); err != nil {
			return err
		}
		at = end
	}
}
