package diskformat

import (
	"fmt"
	"os"
	"time"
)

// Guard says whether a file is still as it was when Watch looked at it. Begin to watch before the
// image is opened, check from time to time and once after the last byte: a copy of a file that
// changes meanwhile is of no moment in its life. It is safe for many goroutines.
type Guard struct {
	path  string
	stamp Stamp
}

// Stamp identifies the state of a file. Two equal stamps, also of different processes, mean that
// nobody wrote it in between, as far as the file system records it: neither writes to a block
// device nor a second write within one tick of the kernel's clock (a few milliseconds) show. A
// change of mode, owner or links counts as a change.
type Stamp struct {
	Device   uint64
	Inode    uint64
	Size     int64     // in bytes; 0 for a block device
	Modified time.Time // of the bytes, in UTC
	Changed  time.Time // of the bytes or of what else Stat returns, in UTC
}

// Watch takes the stamp of the image at path; what Open would not take for its kind is
// ErrNotRegular here too.
func Watch(path string) (*Guard, error) {
	s, err := stampAt(path)
	if err != nil {
		return nil, fmt.Errorf("watch image %s: %w", path, err)
	}
	return &Guard{path: path, stamp: s}, nil
}

// Stamp returns what Watch saw.
func (g *Guard) Stamp() Stamp { return g.stamp }

// Check returns ErrChanged if path is another file by now, or the same one with another size or
// another time.
func (g *Guard) Check() error {
	now, err := stampAt(g.path)
	if err == nil {
		err = g.stamp.compare(now)
	}
	switch {
	case os.IsNotExist(err):
		return fmt.Errorf("image %s: %w: %w", g.path, ErrChanged, err)
	case err != nil:
		return fmt.Errorf("image %s: %w", g.path, err)
	}
	return nil
}

func stampAt(path string) (Stamp, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return Stamp{}, err
	}
	if err := checkKind(fi); err != nil {
		return Stamp{}, err
	}
	return stampOf(fi), nil
}

// compare names the first field in which now differs.
func (s Stamp) compare(now Stamp) error {
	clock := func(t time.Time) string { return t.Format(time.RFC3339Nano) }
	switch {
	case now.Device != s.Device || now.Inode != s.Inode:
		return refuse(ErrChanged, "device %d, inode %d: were %d, %d", now.Device, now.Inode, s.Device, s.Inode)
	case now.Size != s.Size:
		return refuse(ErrChanged, "size %d: was %d", now.Size, s.Size)
	case !now.Modified.Equal(s.Modified):
		return refuse(ErrChanged, "modification time %s: was %s", clock(now.Modified), clock(s.Modified))
	case !now.Changed.Equal(s.Changed):
		return refuse(ErrChanged, "change time %s: was %s", clock(now.Changed), clock(s.Changed))
	}
	return nil
}
