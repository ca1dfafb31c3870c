package pull

import (
	"fmt"
	"io"
)

// Layout says where guest bytes lie in the file that is written; diskformat.Layout is one. The same
// disk has the same layout each time, so that an unfinished file can be gone on with.
type Layout interface {
	// Name tells unfinished files of different layouts apart.
	Name() string
	// Unit is the length of what is set aside at once, in bytes: it divides the span.
	Unit() int64
	// Add says that there is data in the n guest bytes at an offset, in ascending order, before Place is
	// asked for them. Saying all of it again changes nothing.
	Add(at, n int64) error
	// Place returns the file offset of a guest offset, and how many guest bytes follow there in a row.
	// ok is false for bytes that nothing was added for: those n read as zeros.
	Place(at int64) (off, n int64, ok bool)
	// Finish writes what is no guest bytes and returns the file's length.
	Finish(w io.WriterAt) (int64, error)
}

// errInPlace: a device is written in place, and only with the guest's bytes as they are.
var errInPlace = fmt.Errorf("%w: a device takes the disk as it is, in no other format", ErrOutput)

// layout makes the layout that was asked for, or none.
func (p *puller) layout() (Layout, error) {
	if p.o.Layout == nil {
		return nil, nil
	}
	l, err := p.o.Layout(p.root.Length)
	if err != nil {
		return nil, err
	}
	if span := p.root.Shape().Span; span%l.Unit() != 0 {
		return nil, fmt.Errorf("%s: its blocks of %d bytes do not divide the disk's spans of %d", l.Name(), l.Unit(), span)
	}
	return l, nil
}

// add tells the layout of a span's data. All of a unit is known before any of it is written.
func (p *puller) add(s span) error {
	if p.out.layout == nil {
		return nil
	}
	at := s.number * p.root.Shape().Span
	for _, e := range s.leaf.Entries {
		if !e.Hole() {
			if err := p.out.layout.Add(at, int64(e.Length)); err != nil {
				return err
			}
		}
		at += int64(e.Length)
	}
	return nil
}
