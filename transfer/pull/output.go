package pull

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"loggia/diskformat"
	"loggia/transfer/chunk"
)

// output is the file that is written: an unfinished one beside the final name, or a device.
type output struct {
	file    *os.File
	name    string // where it goes at the end; "" for a device
	partial string
	packed  string            // what takes the name in its place; "" before repack
	layout  diskformat.Layout // nil: guest bytes lie where they are on the disk
	used    bool              // there were bytes in it before, right ones or wrong ones
	mode    fs.FileMode

	uncached atomic.Pointer[os.File] // for whole blocks, where that is possible
	reopened *os.File                // what uncached was set to

	past  sync.RWMutex // held for reading while blocks are written past the page cache, for writing by who would wait for them in the kernel
	turn  sync.Mutex   // held while writing
	dirty int64        // bytes written since writeback was begun; guarded by turn
}

// writeback is how many bytes are written before the kernel is told to begin with them. Left to itself it keeps them until
// the Sync at the end, and the disk rests as long as the processors work.
const writeback = 32 << 20

// openOutput opens what to write. The unfinished file's name is made of the root, so that an earlier
// pull of the same content is found again.
func openOutput(name string, root chunk.ID, size int64, layout diskformat.Layout) (*output, error) {
	o := &output{name: name, mode: 0o644, layout: layout}
	st, err := os.Stat(name)
	switch {
	case err == nil && st.Mode()&fs.ModeDevice != 0 && st.Mode()&fs.ModeCharDevice == 0:
		if layout != nil {
			return nil, fmt.Errorf("output %s: %w", name, errInPlace)
		}
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
	prefix := filepath.Join(dir, "."+base+"."+root.Short())
	if layout != nil {
		prefix += "." + layout.Name()
	}
	o.partial = prefix + ".partial"
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
	err = o.file.Chmod(o.mode)
	if err == nil && o.layout == nil { // with a layout the length is known at the end
		err = o.file.Truncate(size)
	}
	if err != nil {
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

// where says where guest bytes lie in the file, and how many of the n at an offset lie there in a row.
func (o *output) where(at, n int64) (off, m int64, ok bool) {
	if o.layout == nil {
		return at, n, true
	}
	off, m, ok = o.layout.Place(at)
	return off, min(m, n), ok
}

// errNoPlace is a fault of this program: chunks are added to the layout before they are written.
var errNoPlace = errors.New("output: the layout has no place for data")

// write writes guest bytes for a guest offset.
func (o *output) write(b []byte, at int64) error {
	for len(b) > 0 {
		off, n, ok := o.where(at, int64(len(b)))
		if !ok {
			return errNoPlace
		}
		if err := o.store(b[:n], off); err != nil {
			return err
		}
		b, at = b[n:], at+n
	}
	return nil
}

// store writes bytes to their place in the file. It is called by many goroutines: the kernel lets one write to a file at a time,
// and the others spin; here they leave the processor.
func (o *output) store(b []byte, off int64) error {
	begin, err := o.put(b, off)
	if err == nil && begin {
		startWriteback(o.file)
	}
	return err
}

// put writes, and says whether the kernel is to begin with what was written.
func (o *output) put(b []byte, off int64) (begin bool, err error) {
	o.turn.Lock()
	defer o.turn.Unlock()
	if _, err := o.file.WriteAt(b, off); err != nil {
		return false, fmt.Errorf("output: %w", err)
	}
	o.dirty += int64(len(b))
	if begin = o.dirty >= writeback; begin {
		o.dirty = 0
	}
	return begin, nil
}

// holds says whether the chunk lies at an offset already, and reads it into b, which has its length.
func (o *output) holds(b []byte, id chunk.ID, at int64) bool {
	for done := int64(0); done < int64(len(b)); {
		off, n, ok := o.where(at+done, int64(len(b))-done)
		if !ok {
			return false
		}
		if m, _ := o.file.ReadAt(b[done:done+n], off); int64(m) < n {
			return false
		}
		done += n
	}
	return chunk.Hash(b) == id
}

// zeros is what holes are compared with and overwritten with.
var zeros [1 << 20]byte

// hole makes n bytes read as zeros: a new file has them already, and so has what lies nowhere.
func (o *output) hole(at, n int64) error {
	for o.used && n > 0 {
		off, m, ok := o.where(at, n)
		if ok {
			if err := o.zero(off, m); err != nil {
				return err
			}
		}
		at, n = at+m, n-m
	}
	return nil
}

// zero makes n bytes of the file zeros, or leaves them behind its end.
func (o *output) zero(off, n int64) error {
	if punch(o.file, off, n) {
		return nil
	}
	buf := make([]byte, min(n, int64(len(zeros))))
	for n > 0 {
		b := buf[:min(n, int64(len(buf)))]
		m, err := o.file.ReadAt(b, off)
		if m < len(b) && err != io.EOF {
			return fmt.Errorf("output: read back: %w", err)
		}
		if z := zeros[:m]; !bytes.Equal(b[:m], z) {
			o.turn.Lock()
			_, err := o.file.WriteAt(z, off)
			o.turn.Unlock()
			if err != nil {
				return fmt.Errorf("output: %w", err)
			}
		}
		off, n = off+int64(len(b)), n-int64(len(b))
	}
	return nil
}

// repack writes the whole disk anew into a file that takes its place. The unfinished file stays until
// that is done.
func (o *output) repack(ctx context.Context, fn func(context.Context, string, *os.File) error) (err error) {
	name := strings.TrimSuffix(o.partial, ".partial") + ".packed"
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("output: %w", err)
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, o.mode)
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	err = fn(ctx, o.partial, f)
	if err = errors.Join(err, f.Chmod(o.mode), f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("output: %w", err), os.Remove(name))
	}
	o.packed = name
	return nil
}

// finish writes what the layout adds to the guest's bytes.
func (o *output) finish() error {
	if o.layout == nil {
		return nil
	}
	size, err := o.layout.Finish(o.file)
	if err == nil {
		err = o.file.Truncate(size)
	}
	return err
}

// close makes the bytes durable and, when all is there, gives the file its name.
func (o *output) close(whole bool) error {
	var err error
	if whole {
		err = o.finish()
	}
	err = errors.Join(err, o.file.Sync())
	if o.reopened != nil {
		err = errors.Join(err, o.reopened.Close())
	}
	if err = errors.Join(err, o.file.Close()); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if !whole || o.name == "" {
		return nil
	}
	if err := o.take(); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	d, err := os.Open(filepath.Dir(o.name))
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// take gives the file that was written its name.
func (o *output) take() error {
	if o.packed == "" {
		return os.Rename(o.partial, o.name)
	}
	if err := os.Rename(o.packed, o.name); err != nil {
		return err
	}
	return os.Remove(o.partial)
}
