package replicate

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// places keeps which sources are still good.
type places struct {
	all []Source

	mu     sync.Mutex
	failed map[int]error // guarded by mu
}

func newPlaces(all []Source) *places { return &places{all: all, failed: map[int]error{}} }

// drop takes a source out. It says whether any is left.
func (p *places) drop(i int, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed[i] = fmt.Errorf("%s: %w", p.all[i].Name(), err)
	return len(p.failed) < len(p.all)
}

func (p *places) good(i int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed[i] == nil
}

// first returns the nearest source that is good.
func (p *places) first() (int, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.all {
		if p.failed[i] == nil {
			return i, true
		}
	}
	return 0, false
}

// err joins why sources were dropped, in their order.
func (p *places) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var order []int
	for i := range p.failed {
		order = append(order, i)
	}
	slices.Sort(order)
	errs := make([]error, 0, len(order))
	for _, i := range order {
		errs = append(errs, p.failed[i])
	}
	return errors.Join(errs...)
}
