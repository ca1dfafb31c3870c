package diskformat

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// file is an open image file as a Source. It is never written and its offset is never relied on.
type file struct {
	f    *os.File
	size int64
}

// OpenSource opens an image file as its bytes, whatever they are: see Open for what it takes.
func OpenSource(path string) (interface {
	Source
	io.Closer
}, error) {
	return openFile(path)
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
	return &file{f: f, size: size}, nil
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

// fileDisk is a Disk that owns its file.
type fileDisk struct {
	Disk
	file *file
}

// Close closes the image file.
func (d *fileDisk) Close() error { return d.file.Close() }
