package replicate

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// A source that fails rests for restBase, then twice as long, and so on; after patience failures in a
// row it is dropped: some seconds, in which a connection or a process may come back. Whoever runs
// the copy begins again later, with new sources.
const (
	restBase = 250 * time.Millisecond
	patience = 4
)

// places keeps which sources are good. It is safe for use by many goroutines.
type places struct {
	all []Source

	mu     sync.Mutex
	states []placeState // guarded by mu
}

type placeState struct {
	failures int // in a row; what several streams see at once counts once
	dropped  bool
	err      error // the last
}

func newPlaces(all []Source) *places { return &places{all: all, states: make([]placeState, len(all))} }

// mark is what failed and well are told of the begin of a request.
func (p *places) mark(i int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.states[i].failures
}

// well counts a request that ended without an error.
func (p *places) well(i int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.states[i].failures = 0
}

// failed counts a request that began at mark; came says whether it brought something all the same.
// A source that lies is dropped at once. It returns how long to leave the source alone.
func (p *places) failed(i, mark int, came bool, err error) (rest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &p.states[i]
	s.err = fmt.Errorf("%s: %w", p.all[i].Name(), err)
	switch {
	case errors.Is(err, ErrLied):
		s.dropped = true
	case came:
		s.failures = 1
	case s.failures == mark:
		s.failures++
	}
	s.dropped = s.dropped || s.failures >= patience
	return restBase << max(0, s.failures-1)
}

func (p *places) good(i int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.states[i].dropped
}

// left says whether any source is good.
func (p *places) left() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.states {
		if !p.states[i].dropped {
			return true
		}
	}
	return false
}

// none is the error for want of a source: ErrNoSource and what each source failed with.
func (p *places) none(what string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, s := range p.states {
		if s.err != nil {
			errs = append(errs, s.err)
		}
	}
	if len(errs) == 0 {
		return fmt.Errorf("%w: %s", ErrNoSource, what)
	}
	return fmt.Errorf("%w: %s: %w", ErrNoSource, what, errors.Join(errs...))
}
