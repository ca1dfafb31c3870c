package replicate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A source that fails rests for restBase, then twice as long, and so on; after endurance failures in a
// row it is dropped: some seconds, in which a connection or a process may come back. Whoever runs
// the copy begins again later, with new sources.
const (
	restBase  = 250 * time.Millisecond
	endurance = 4
	maxBeaten = 3 // flights in a row that others overtook
)

// place is a source and what became of it.
type place struct {
	Source
	key    string
	member *member // nil: it holds the whole disk
	speed  *speed
	far    atomic.Uint32 // its distance, as it was last said; 0: nothing is

	// Guarded by places.mu.
	failures int // in a row; what several flights see at once counts once
	beaten   int // in a row
	dropped  bool
	gone     bool // it is no source any more, for no fault of its own
	err      error
	rest     time.Time // before which it is not asked

	flying int // of the dispatcher
}

// places keeps which sources are good. It is safe for use by many goroutines.
type places struct {
	speeds *Speeds
	now    func() time.Time

	mu     sync.Mutex
	all    []*place                           // guarded by mu; they are never removed
	survey map[*place]context.CancelCauseFunc // guarded by mu; of the survey's request to each
}

// maxPlaces bounds the sources of a run, over its whole life.
const maxPlaces = 256

func keyOf(s Source) string {
	if k, ok := s.(Keyed); ok {
		return k.Key()
	}
	return s.Name()
}

func distanceOf(s Source) uint32 {
	if d, ok := s.(Distant); ok {
		return d.Distance()
	}
	return 0
}

// refresh makes the sources be these. It returns those that are new. known tells the same sources apart
// only by their keys, and by whether they are whole.
func (p *places) refresh(sources []Source) (added []*place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	there, order := map[*place]bool{}, map[*place]int{}
	p.all = slices.Clone(p.all) // who has the old list reads it yet
	for i, s := range sources {
		m, partial := s.(Member)
		old := p.find(s, partial, there)
		if old == nil && len(p.all) < maxPlaces {
			old = &place{Source: s, key: keyOf(s)}
			old.speed = p.speeds.of(old.key)
			if partial {
				old.member = newMember(m, p.now())
			}
			p.all = append(p.all, old)
			added = append(added, old)
		}
		if old != nil {
			there[old], order[old] = true, i
			old.gone = false
			old.far.Store(distanceOf(s))
		}
	}
	for _, s := range p.all {
		s.gone = !there[s]
	}
	for s, cancel := range p.survey {
		if p.lost(s) {
			cancel(errGone)
		}
	}
	slices.SortStableFunc(p.all, func(a, b *place) int { return cmp.Compare(order[a], order[b]) })
	return added
}

// find returns the place of a source that is known. p.mu is held.
func (p *places) find(s Source, partial bool, but map[*place]bool) *place {
	key := keyOf(s)
	for _, old := range p.all {
		if old.key == key && (old.member != nil) == partial && !but[old] {
			return old
		}
	}
	return nil
}

// list returns all places, the nearest first.
func (p *places) list() []*place {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[:len(p.all):len(p.all)]
}

// whole returns the good places that hold the whole disk.
func (p *places) whole() (out []*place) {
	for _, s := range p.list() {
		if s.member == nil && p.good(s) {
			out = append(out, s)
		}
	}
	return out
}

// mark is what failed is told of the begin of a request.
func (p *places) mark(s *place) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return s.failures
}

// well counts a request that ended without an error.
func (p *places) well(s *place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.failures, s.beaten = 0, 0
}

// failed counts a request that began at mark; came says whether it brought something all the same.
// A source that lies is dropped at once. It returns how long to leave the source alone.
func (p *places) failed(s *place, mark int, came bool, err error) (rest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var busy *Busy
	if errors.As(err, &busy) {
		rest = min(max(busy.After, restBase/4), 10*time.Second)
		s.rest = p.now().Add(rest)
		return rest
	}
	s.err = fmt.Errorf("%s: %w", s.Name(), err)
	switch {
	case errors.Is(err, ErrLied):
		s.dropped = true
	case came:
		s.failures = 1
	case s.failures == mark:
		s.failures++
	}
	s.dropped = s.dropped || s.failures >= endurance
	rest = restBase << max(0, s.failures-1)
	s.rest = p.now().Add(rest)
	return rest
}

// overtaken counts a flight that another source was faster with. The last whole holder is never dropped for that: members are
// faster with what they have, and have not everything.
func (p *places) overtaken(s *place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.err = fmt.Errorf("%s: %w", s.Name(), errSlow)
	if s.beaten++; s.beaten >= maxBeaten && !p.last(s) {
		s.dropped = true
	}
}

// last says whether no other place that is good holds the whole disk. p.mu is held.
func (p *places) last(s *place) bool {
	return s.member == nil && !slices.ContainsFunc(p.all, func(o *place) bool { return o != s && o.member == nil && !o.dropped && !o.gone })
}

// good says whether the source may be asked, now or later.
func (p *places) good(s *place) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !s.dropped && !s.gone
}

// ready says whether the source may be asked now.
func (p *places) ready(s *place) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !s.dropped && !s.gone && !p.now().Before(s.rest)
}

// away says whether the source is none any more, and is not known under another face: a member that is whole by now is
// still the same node.
func (p *places) away(s *place) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost(s)
}

// whileThere returns a context that ends with errGone when the source is away. It is for the survey, which asks a source one thing at a time.
func (p *places) whileThere(ctx context.Context, s *place) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost(s) {
		cancel(errGone)
	}
	if p.survey == nil {
		p.survey = map[*place]context.CancelCauseFunc{}
	}
	p.survey[s] = cancel
	return ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.survey, s)
		cancel(nil)
	}
}

// lost is away; p.mu is held.
func (p *places) lost(s *place) bool {
	return s.gone && !slices.ContainsFunc(p.all, func(o *place) bool { return o.key == s.key && !o.gone })
}

// fault says why the source was dropped; empty: it was not.
func (p *places) fault(s *place) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !s.dropped || s.err == nil {
		return ""
	}
	return s.err.Error()
}

// none is the error for want of a source: ErrNoSource and what each source failed with.
func (p *places) none(what string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, s := range p.all {
		if s.err != nil {
			errs = append(errs, s.err)
		}
	}
	if len(errs) == 0 {
		return fmt.Errorf("%w: %s", ErrNoSource, what)
	}
	return fmt.Errorf("%w: %s: %w", ErrNoSource, what, errors.Join(errs...))
}
