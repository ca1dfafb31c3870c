package diskformat

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// Watched is a Disk that knows whether its file is still the one that was opened. A publisher asks
// from time to time and once after the last byte, for a copy of a changing file is of no moment.
type Watched interface {
	Disk
	// Stamp is what the file looked like before its first byte was read.
	Stamp() Stamp
	// Unchanged returns ErrChanged once the file's length or times differ from Stamp. It sees what
	// the file system records: not what is written to a block device, and not a second write
	// within one tick of the kernel's clock (a few milliseconds).
	Unchanged() error
}

// Stamp identifies the state of a file. Two equal stamps, also of different processes, mean that
// it was not written in between. A change of mode or name counts as a change too.
type Stamp struct {
	Device   uint64
	Inode    uint64
	Size     int64
	Modified time.Time // of the bytes, in UTC
	Changed  time.Time // of the bytes or the inode, in UTC
}

// Equal reports whether s and t are the same state of the same file.
func (s Stamp) Equal(t Stamp) bool {
	return s.Device == t.Device && s.Inode == t.Inode && s.Size == t.Size &&
		s.Modified.Equal(t.Modified) && s.Changed.Equal(t.Changed)
}

// file is an open image file as a Source. It is never written and its offset is never relied on.
type file struct {
	f     *os.File
	size  int64
	stamp Stamp
}

// openFile opens a regular file or a block device. The path is looked at first because opening
// other kinds can block or have effects, and the open file again because the path may have changed.
func openFile(path string) (*file, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := checkKind(fi); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	opened, err := newFile(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return opened, nil
}

func newFile(f *os.File) (*file, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := checkKind(fi); err != nil {
		return nil, err
	}
	size, err := f.Seek(0, io.SeekEnd) // a block device's Stat gives no length
	if err != nil {
		return nil, fmt.Errorf("find length: %w", err)
	}
	if size == 0 {
		return nil, ErrEmpty
	}
	return &file{f: f, size: size, stamp: stampOf(fi, size)}, nil
}

// checkKind takes regular files and block devices.
func checkKind(fi os.FileInfo) error {
	m := fi.Mode()
	if m.IsRegular() || m&os.ModeDevice != 0 && m&os.ModeCharDevice == 0 {
		return nil
	}
	return refuse(ErrNotRegular, "file mode %s", m)
}

// ReadAt reads the file's bytes.
func (f *file) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }

// Size is the file's length when it was opened.
func (f *file) Size() int64 { return f.size }

// Close closes the file.
func (f *file) Close() error { return f.f.Close() }

// unchanged compares the open file, not the path: a file renamed over it leaves these bytes alone.
func (f *file) unchanged() error {
	fi, err := f.f.Stat()
	if err != nil {
		return fmt.Errorf("look for changes of image: %w", err)
	}
	size := fi.Size()
	if !fi.Mode().IsRegular() {
		if size, err = f.f.Seek(0, io.SeekEnd); err != nil {
			return fmt.Errorf("look for changes of image: find length: %w", err)
		}
	}
	now, then := stampOf(fi, size), f.stamp
	switch {
	case now.Size != then.Size:
		return refuse(ErrChanged, "size %d, was %d", now.Size, then.Size)
	case !now.Modified.Equal(then.Modified):
		return refuse(ErrChanged, "modification time %s, was %s", clock(now.Modified), clock(then.Modified))
	case !now.Equal(then):
		return refuse(ErrChanged, "change time %s, was %s", clock(now.Changed), clock(then.Changed))
	}
	return nil
}

func clock(t time.Time) string { return t.Format(time.RFC3339Nano) }

// fileDisk is a Disk that owns its file.
type fileDisk struct {
	Disk
	file *file
}

var _ Watched = (*fileDisk)(nil)

func (d *fileDisk) Stamp() Stamp     { return d.file.stamp }
func (d *fileDisk) Unchanged() error { return d.file.unchanged() }

// Close closes the image file.
func (d *fileDisk) Close() error { return d.file.Close() }
