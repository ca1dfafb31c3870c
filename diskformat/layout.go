package diskformat

import (
	"fmt"
	"io"
	"time"
)

// Layout says where a disk's bytes lie in a file of another format that is written while they arrive.
// It follows from the disk's size and from where its data is, so whoever begins again finds the same
// places. Add is called by one goroutine at a time; Place also by others meanwhile.
type Layout interface {
	// Name tells files of different layouts apart.
	Name() string
	// Unit is the length of what is set aside at once, in bytes; a power of two.
	Unit() int64
	// Add says that there is data in the n guest bytes at an offset. The offsets ascend; saying all of
	// it again changes nothing.
	Add(at, n int64) error
	// Place returns the offset in the file of a guest offset, and how many guest bytes follow there in
	// a row. ok is false where nothing was added: those n bytes read as zeros.
	Place(at int64) (off, n int64, ok bool)
	// Finish writes what is no guest bytes, once all has been added, and returns the file's length.
	Finish(w io.WriterAt) (int64, error)
}

// Output names a way in which a disk is written out.
type Output string

// The outputs.
const (
	OutputRaw        Output = "raw"
	OutputQCOW2      Output = "qcow2"
	OutputVHD        Output = "vhd" // fixed, as Azure takes it
	OutputVHDDynamic Output = "vhd-dynamic"
)

// NewLayout makes the layout of a disk of size bytes; nil is the layout of a raw disk. id and made are
// what a VHD says of itself.
func NewLayout(o Output, size int64, id [16]byte, made time.Time) (Layout, error) {
	switch o {
	case OutputRaw:
		return nil, nil
	case OutputQCOW2:
		return newQCOW2Layout(size)
	case OutputVHD:
		return newFixedLayout(size, id, made)
	case OutputVHDDynamic:
		return newVHDLayout(size, id, made)
	}
	return nil, fmt.Errorf("%w: output %q: must be raw, qcow2, vhd or vhd-dynamic", ErrFormat, string(o))
}

// fixedLayout is a raw disk with a footer behind it.
type fixedLayout struct {
	size   int64
	footer []byte
}

func newFixedLayout(size int64, id [16]byte, made time.Time) (Layout, error) {
	footer, err := newVHDFooter(size, id, made)
	if err != nil {
		return nil, err
	}
	return &fixedLayout{size, footer}, nil
}

func (l *fixedLayout) Name() string           { return string(OutputVHD) }
func (l *fixedLayout) Unit() int64            { return SectorSize }
func (l *fixedLayout) Add(int64, int64) error { return nil }

func (l *fixedLayout) Place(at int64) (off, n int64, ok bool) { return at, l.size - at, true }

func (l *fixedLayout) Finish(w io.WriterAt) (int64, error) {
	if _, err := w.WriteAt(l.footer, l.size); err != nil {
		return 0, err
	}
	return l.size + SectorSize, nil
}
