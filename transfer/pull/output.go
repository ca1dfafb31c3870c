package pull

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"loggia/transfer/chunk"
)

// output is the file that is written: an unfinished one beside the final name, or a device.
type output struct {
	file    *os.File
	name    string // where it goes at the end; "" for a device
	partial string
	resumed bool // the file was there and may hold right bytes
	device  bool
}

// openOutput opens what to write. The unfinished file's name holds the root, so that it is only
// ever gone on with for the same content.
func openOutput(name string, root chunk.ID, size int64) (*output, error) {
	st, err := os.Stat(name)
	switch {
	case err == nil && st.Mode()&fs.ModeDevice != 0 && st.Mode()&fs.ModeCharDevice == 0:
		return openDevice(name, size)
	case err == nil && !st.Mode().IsRegular():
		return nil, fmt.Errorf("output %s: is no regular file or block device", name)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("output: %w", err)
	}
	o := &output{name: name, partial: filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+"."+root.Short()+".partial")}
	_, err = os.Lstat(o.partial)
	o.resumed = err == nil
	if o.file, err = os.OpenFile(o.partial, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	if err := o.file.Truncate(size); err != nil {
		return nil, errors.Join(fmt.Errorf("output: %w", err), o.file.Close())
	}
	return o, nil
}

func openDevice(name string, size int64) (*output, error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	end, err := f.Seek(0, 2)
	if err == nil && end < size {
		err = fmt.Errorf("device of %d bytes is smaller than the disk of %d", end, size)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("output %s: %w", name, err), f.Close())
	}
	return &output{file: f, device: true, resumed: true}, nil
}

func (o *output) write(b []byte, at int64) error {
	if _, err := o.file.WriteAt(b, at); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}

// zeros is what holes of a device are overwritten with.
var zeros [1 << 20]byte

// hole makes n bytes read as zeros: a new file has them already, a device is overwritten.
func (o *output) hole(at, n int64) error {
	if !o.device {
		return nil
	}
	for n > 0 {
		m := min(n, int64(len(zeros)))
		if err := o.write(zeros[:m], at); err != nil {
			return err
		}
		at, n = at+m, n-m
	}
	return nil
}

// close makes the bytes durable and, when all is there, gives the file its name.
func (o *output) close(whole bool) error {
	err := o.file.Sync()
	if err = errors.Join(err, o.file.Close()); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if !whole || o.device {
		return nil
	}
	if err := os.Rename(o.partial, o.name); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	d, err := os.Open(filepath.Dir(o.name))
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
