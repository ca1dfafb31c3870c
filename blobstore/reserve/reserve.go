// Package reserve watches the free space of a store, so that full is a named state that is
// reached before the disk is.
package reserve

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"loggia/blobstore"
)

// Status is the state of a store in a word.
type Status string

// The states. Unknown is that before the first look.
const (
	Unknown     Status = "unknown"
	OK          Status = "ok"
	Full        Status = "full"
	Unavailable Status = "unavailable"
	Forbidden   Status = "forbidden" // it answers, and refuses
)

// Options say how much is kept free, and how often the watch looks.
type Options struct {
	Floor    int64         // bytes that stay free; 0 means 1 GiB
	Interval time.Duration // between two looks; 0 means 15 s
	Now      func() time.Time
	Changed  func(State) // called when the status changes, by whoever saw it; may be nil
}

// Validate reports numbers below 0.
func (o Options) Validate() error {
	if o.Floor < 0 || o.Interval < 0 {
		return errors.New("reserve: a floor or interval below 0")
	}
	return nil
}

// defaultFloor leaves a file system room to work, and the collector to write what it must.
const defaultFloor = 1 << 30

// State is what the watch knows. It may be read by status pages: Err holds no secret.
type State struct {
	Status   Status             `json:"status"`
	Capacity blobstore.Capacity `json:"capacity"` // Free as of Checked, less what was put since or is under way
	Floor    int64              `json:"floor"`    // bytes
	Reserved int64              `json:"reserved"` // bytes promised and not yet released
	Checked  time.Time          `json:"checked"`  // of the last look
	Err      string             `json:"err,omitempty"`
}

// Store guards the floor of the store below. Reservations are promises among those who ask: a Put
// looks only at the floor, so that its own reservation is not in its way.
type Store struct {
	next blobstore.Store
	o    Options

	mu       sync.Mutex
	capacity blobstore.Capacity // as of checked
	checked  time.Time
	pending  int64 // bytes of puts under way: the look may or may not have seen them
	written  int64 // bytes of puts that ended since checked
	reserved int64 // >= 0
	refused  bool  // the store itself said full since checked, whatever its capacity
	err      error // of the last look
	status   Status
}

// New decorates next. Until Run or Check has looked, nothing is refused.
func New(next blobstore.Store, o Options) *Store {
	if o.Floor == 0 {
		o.Floor = defaultFloor
	}
	if o.Interval == 0 {
		o.Interval = 15 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Store{next: next, o: o, status: Unknown}
}

// Run looks at once and then at intervals, until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	tick := time.NewTicker(s.o.Interval)
	defer tick.Stop()
	for {
		s.Check(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Check looks once, for at most an interval, and returns what it found.
func (s *Store) Check(ctx context.Context) State {
	began, before := s.o.Now(), s.writtenSoFar()
	bounded, cancel := context.WithTimeout(ctx, s.o.Interval)
	defer cancel()
	c, err := s.next.Capacity(bounded)
	if ctx.Err() != nil {
		return s.State() // our caller gave up, which says nothing of the store
	}
	s.update(func() {
		s.checked, s.err = began, err
		if err == nil {
			s.capacity = c
			s.written -= before // what ended during the look counts until the next
			s.refused = false
		}
	})
	return s.State()
}

func (s *Store) writtenSoFar() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written
}

// update changes the fields and reports the change of the status that comes of it.
func (s *Store) update(change func()) {
	s.mu.Lock()
	change()
	old := s.status
	s.status = s.statusLocked()
	state := s.stateLocked()
	s.mu.Unlock()
	if state.Status != old && s.o.Changed != nil {
		s.o.Changed(state)
	}
}

func (s *Store) statusLocked() Status {
	switch {
	case s.refused:
		return Full
	case errors.Is(s.err, blobstore.ErrForbidden):
		return Forbidden
	case s.err != nil:
		return Unavailable
	case s.checked.IsZero():
		return Unknown
	case s.capacity.Known && s.roomLocked() <= 0:
		return Full
	}
	return OK
}

// roomLocked is what may still be put, in bytes, reservations aside.
func (s *Store) roomLocked() int64 { return s.freeLocked() - s.o.Floor }

// freeLocked errs on the side of less.
func (s *Store) freeLocked() int64 { return s.capacity.Free - s.written - s.pending }

func (s *Store) stateLocked() State {
	st := State{Status: s.status, Capacity: s.capacity, Floor: s.o.Floor, Reserved: s.reserved, Checked: s.checked}
	if st.Capacity.Known {
		st.Capacity.Free = max(0, s.freeLocked())
	}
	if s.err != nil {
		st.Err = s.err.Error()
	}
	return st
}

// State returns what is known now.
func (s *Store) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stateLocked()
}

// Reserve sets n bytes aside until release is called (once or more), or fails with ErrFull. Where
// the capacity is not known, only a store that said full itself refuses.
func (s *Store) Reserve(n int64) (release func(), err error) {
	if n < 0 {
		return nil, fmt.Errorf("reserve: %d bytes", n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refuseLocked(n + s.reserved); err != nil {
		return nil, fmt.Errorf("reserve %d bytes: %w", n, err)
	}
	s.reserved += n
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.reserved -= n
	}), nil
}

// refuseLocked returns ErrFull when n more bytes would reach into the floor.
func (s *Store) refuseLocked(n int64) error {
	switch {
	case s.refused:
		return fmt.Errorf("%w: it said so itself", blobstore.ErrFull)
	case s.capacity.Known && n > s.roomLocked():
		return fmt.Errorf("%w: %d bytes free, %d of them kept", blobstore.ErrFull, max(0, s.freeLocked()), s.o.Floor)
	}
	return nil
}
