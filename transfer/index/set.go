package index

import (
	"bytes"
	"errors"
	"slices"

	"loggia/transfer/chunk"
)

// Index finds chunks: a Segment, a Memory or a Set.
type Index interface {
	Lookup(chunk.ID) (Location, bool, error)
}

// Set is several indexes as one. It is safe for many goroutines if they are.
type Set struct {
	newest []Index
}

// NewSet asks the indexes in the order given: the newest first.
func NewSet(newest ...Index) *Set { return &Set{newest: newest} }

// Lookup finds a chunk in the newest index that has it.
func (s *Set) Lookup(id chunk.ID) (Location, bool, error) {
	for _, x := range s.newest {
		if loc, ok, err := x.Lookup(id); ok || err != nil {
			return loc, ok, err
		}
	}
	return Location{}, false, nil
}

// LookupAll calls found for every one of ids that the set has, with its place in ids; the order is
// the indexes', so that neighbours on disk are read together. The rest is absent.
func (s *Set) LookupAll(ids []chunk.ID, found func(i int, loc Location) error) error {
	left := make([]int, len(ids))
	for i := range left {
		left[i] = i
	}
	slices.SortFunc(left, func(a, b int) int { return bytes.Compare(ids[a][:], ids[b][:]) })
	for _, x := range s.newest {
		absent := left[:0]
		for _, i := range left {
			loc, ok, err := x.Lookup(ids[i])
			if err != nil {
				return err
			}
			if !ok {
				absent = append(absent, i)
				continue
			}
			if err := found(i, loc); err != nil {
				return err
			}
		}
		left = absent
	}
	return nil
}

// Close closes those of the indexes that can be closed.
func (s *Set) Close() error {
	var errs []error
	for _, x := range s.newest {
		if c, ok := x.(interface{ Close() error }); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}
