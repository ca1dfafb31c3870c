package idset

import (
	"errors"
	"slices"
	"sync"

	"loggia/transfer/chunk"
)

const (
	// DefaultLimit is the number of entries held in memory: about 16 MiB of them.
	DefaultLimit = 1 << 18
	// fanin is how many runs of one level are merged into one of the next. With DefaultLimit the
	// 16 million chunks of a 1 TiB disk make at most three levels of at most three runs, and every
	// entry is written three times.
	fanin = 4
)

// ErrClosed is returned after Close.
var ErrClosed = errors.New("id set is closed")

// Set maps chunk ids to values. Up to a limit entries lie in memory; beyond it they are spilled to
// sorted runs in temporary files without a name, of which eight bytes of every 102 entries
// stay in memory. It is safe for many goroutines.
type Set struct {
	dir   string
	limit int

	mu     sync.RWMutex
	memory map[chunk.ID]uint64
	runs   []*run // oldest first; levels never rise towards the end
	closed bool
}

// New makes an empty set that spills to dir ("": os.TempDir) beyond limit entries (0: DefaultLimit).
func New(dir string, limit int) *Set {
	if limit <= 0 {
		limit = DefaultLimit
	}
	return &Set{dir: dir, limit: limit, memory: make(map[chunk.ID]uint64)}
}

// Add gives id a value; a later value replaces an earlier one. After an error of the temporary
// files the set still holds what it held.
func (s *Set) Add(id chunk.ID, value uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(id, value)
}

// AddNew is Add for an id that is not there yet, in one step: it says whether that was so, and
// else changes nothing.
func (s *Set) AddNew(id chunk.ID, value uint64) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok, err := s.get(id); ok || err != nil {
		return false, err
	}
	return true, s.add(id, value)
}

func (s *Set) add(id chunk.ID, value uint64) error {
	if s.closed {
		return ErrClosed
	}
	if len(s.memory) >= s.limit {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.memory[id] = value
	return nil
}

// Get returns the value of id. The error is of the temporary files, or ErrClosed.
func (s *Set) Get(id chunk.ID) (value uint64, ok bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.get(id)
}

func (s *Set) get(id chunk.ID) (uint64, bool, error) {
	if s.closed {
		return 0, false, ErrClosed
	}
	if v, ok := s.memory[id]; ok {
		return v, true, nil
	}
	for _, r := range slices.Backward(s.runs) {
		if v, ok, err := r.get(id); ok || err != nil {
			return v, ok, err
		}
	}
	return 0, false, nil
}

// Each calls fn for every id, in no order; one that was added again after it was spilled may come twice. Nothing can be added
// meanwhile, so fn must not wait for who adds. Its error ends the round.
func (s *Set) Each(fn func(id chunk.ID) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	for _, r := range s.runs {
		if err := r.each(fn); err != nil {
			return err
		}
	}
	for id := range s.memory {
		if err := fn(id); err != nil {
			return err
		}
	}
	return nil
}

// Len is the number of entries; an id added again after it was spilled may count more than once
// until its runs are merged.
func (s *Set) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := len(s.memory)
	for _, r := range s.runs {
		n += r.count
	}
	return n
}

// Close frees memory and files. It may be called twice.
func (s *Set) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.memory = true, nil
	var errs []error
	for _, r := range s.runs {
		errs = append(errs, r.close())
	}
	s.runs = nil
	return errors.Join(errs...)
}

// spill moves the entries in memory to a run, and merges runs where a level is full.
func (s *Set) spill() error {
	r, err := writeRun(s.dir, s.memory)
	if err != nil {
		return err
	}
	s.runs = append(s.runs, r)
	clear(s.memory)
	for {
		n := len(s.runs)
		level := s.runs[n-1].level
		if n < fanin || s.runs[n-fanin].level != level {
			return nil
		}
		merged, err := mergeRuns(s.dir, s.runs[n-fanin:])
		if err != nil {
			return err
		}
		merged.level = level + 1
		for _, old := range s.runs[n-fanin:] {
			old.close()
		}
		s.runs = append(s.runs[:n-fanin], merged)
	}
}
