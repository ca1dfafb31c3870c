package pull

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"loggia/transfer/chunk"
)

// output is the file that is written: an unfinished one beside the final name, or a device.
type output struct {
	file    *os.File
	name    string // where it goes at the end; "" for a device
	partial string
	used    bool // there were bytes in it before, right ones or wrong ones
	mode    fs.FileMode

	turn  sync.Mutex // held while writing
	dirty int64      // bytes written since writeback was begun; guarded by turn
}

// writeback is how many bytes are written before the kernel is told to begin with them. Left to itself it keeps them until
// the Sync at the end, and the disk rests as long as the processors work.
const writeback = 32 << 20

// openOutput opens what to write. The unfinished file's name is made of the root, so that an earlier
// pull of the same content is found again.
func openOutput(name string, root chunk.ID, size int64) (*output, error) {
	o := &output{name: name, mode: 0o644}
	st, err := os.Stat(name)
	switch {
	case err == nil && st.Mode()&fs.ModeDevice != 0 && st.Mode()&fs.ModeCharDevice == 0:
		return openDevice(name, size)
	case err == nil && !st.Mode().IsRegular():
		return nil, fmt.Errorf("output %s: %w: no regular file or block device", name, ErrOutput)
	case err == nil:
		o.mode = st.Mode().Perm()
		if o.name, err = filepath.EvalSymlinks(name); err != nil {
			return nil, fmt.Errorf("output: %w", err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("output: %w", err)
	}
	dir, base := filepath.Split(o.name)
	o.partial = filepath.Join(dir, "."+base+"."+root.Short()+".partial")
	return o, o.openPartial(size)
}

func (o *output) openPartial(size int64) error {
	st, err := os.Lstat(o.partial)
	switch {
	case err == nil && !st.Mode().IsRegular():
		return fmt.Errorf("unfinished output %s is no regular file", o.partial)
	case err == nil:
		o.used = st.Size() > 0
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("output: %w", err)
	}
	if o.file, err = os.OpenFile(o.partial, os.O_RDWR|os.O_CREATE, o.mode); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if err := errors.Join(o.file.Chmod(o.mode), o.file.Truncate(size)); err != nil {
		return errors.Join(fmt.Errorf("output: %w", err), o.file.Close())
	}
	return nil
}

// openDevice refuses a device that is mounted: that is what O_EXCL means for one on Linux.
func openDevice(name string, size int64) (*output, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_EXCL, 0)
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err == nil && end < size {
		err = fmt.Errorf("%w: a device of %d bytes is smaller than the disk of %d", ErrOutput, end, size)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("output %s: %w", name, err), f.Close())
	}
	return &output{file: f, used: true}, nil
}

// write is called by many goroutines. The kernel lets one write to a file at a time, and the others
// spin: here they leave the processor.
func (o *output) write(b []byte, at int64) error {
	o.turn.Lock()
	_, err := o.file.WriteAt(b, at)
	o.dirty += int64(len(b))
	begin := o.dirty >= writeback
	if begin {
		o.dirty = 0
	}
	o.turn.Unlock()
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if begin {
		startWriteback(o.file)
	}
	return nil
}

// holds says whether the chunk lies at an offset already, and reads it into b, which has its length.
func (o *output) holds(b []byte, id chunk.ID, at int64) bool {
	n, _ := o.file.ReadAt(b, at)
	return n == len(b) && chunk.Hash(b) == id
}

// zeros is what holes are compared with and overwritten with.
var zeros [1 << 20]byte

// hole makes n bytes read as zeros: a new file has them already.
func (o *output) hole(at, n int64) error {
	if !o.used || n <= 0 || punch(o.file, at, n) {
		return nil
	}
	buf := make([]byte, min(n, int64(len(zeros))))
	for n > 0 {
		b := buf[:min(n, int64(len(buf)))]
		if m, err := o.file.ReadAt(b, at); m < len(b) {
			return fmt.Errorf("output: read back: %w", err)
		}
		if z := zeros[:len(b)]; !bytes.Equal(b, z) {
			if err := o.write(z, at); err != nil {
				return err
			}
		}
		at, n = at+int64(len(b)), n-int64(len(b))
	}
	return nil
}

// close makes the bytes durable and, when all is there, gives the file its name.
func (o *output) close(whole bool) error {
	err := o.file.Sync()
	if err = errors.Join(err, o.file.Close()); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if !whole || o.name == "" {
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
