package pull

import (
	"errors"
	"fmt"

	"loggia/diskformat"
)

// errInPlace: a device is written in place, and only with the guest's bytes as they are.
var errInPlace = fmt.Errorf("%w: a device takes the disk as it is, in no other format", ErrOutput)

// errBoth is a fault of this program.
var errBoth = errors.New("a pull has a layout or repacks, not both")

// layout makes the layout that was asked for, or none.
func (p *puller) layout() (diskformat.Layout, error) {
	if p.o.Layout == nil {
		return nil, nil
	}
	if p.o.Repack != nil {
		return nil, errBoth
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
