package index

import (
	"errors"

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

// LookupAll calls found for every one of ids that the set has, with its place in ids. The rest is absent. Each id is looked up in the order
// given, in the newest index first; the frame that holds it is looked through for the others, and so are those behind it. So chunks that lie
// together cost one lookup, whatever the number of indexes, where they are asked for in the order in which they lie. Chunks of what is found
// reads nothing.
func (s *Set) LookupAll(ids []chunk.ID, found func(i int, loc Location) error) error {
	a := newAsked(ids)
	for i, id := range ids {
		if a.done[i] || a.before[i] >= 0 { // the same id was looked up before
			continue
		}
		for _, x := range s.newest {
			loc, ok, err := x.Lookup(id)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			if err := a.around(x, loc, found); err != nil {
				return err
			}
			break
		}
	}
	return nil
}

// asked is what a LookupAll still looks for.
type asked struct {
	places map[chunk.ID]int // the last place of an id
	before []int            // the place before each of the same id, or -1
	done   []bool
}

func newAsked(ids []chunk.ID) *asked {
	a := &asked{places: make(map[chunk.ID]int, len(ids)), before: make([]int, len(ids)), done: make([]bool, len(ids))}
	for i, id := range ids {
		a.before[i] = -1
		if j, twice := a.places[id]; twice {
			a.before[i] = j
		}
		a.places[id] = i
	}
	return a
}

// around calls found for all that is still asked for and lies in the frame of loc, or in those behind it, as long as each of them has some.
func (a *asked) around(x Index, loc Location, found func(i int, loc Location) error) error {
	refs, err := loc.Chunks()
	if err != nil {
		return err
	}
	if _, err = a.together(loc, refs, found); err != nil {
		return err
	}
	s, ok := x.(*Segment)
	if !ok {
		return nil
	}
	return s.behind(loc, func(next Location, refs []chunk.Ref) (bool, error) { return a.together(next, refs, found) })
}

// together calls found for all that is still asked for and lies in a frame, and says whether there was some.
func (a *asked) together(loc Location, refs []chunk.Ref, found func(i int, loc Location) error) (some bool, err error) {
	loc = loc.Holding(refs)
	loc.PlainOffset = 0
	for _, ref := range refs {
		i, ok := a.places[ref.ID]
		for loc.Length = ref.Length; ok && i >= 0 && !a.done[i]; i = a.before[i] {
			a.done[i], some = true, true
			if err := found(i, loc); err != nil {
				return some, err
			}
		}
		loc.PlainOffset += ref.Length
	}
	return some, nil
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
