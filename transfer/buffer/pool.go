// Package buffer lends the process's transfer memory, so that all transfers together stay within
// one budget.
package buffer

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"sync"
)

// DefaultBudget is the memory of one process's transfers, in bytes.
const DefaultBudget = 64 << 20

// minClass is the smallest buffer, in bytes.
const minClass = 4 << 10

// ErrTooLarge is returned for a buffer that the pool could never lend.
var ErrTooLarge = errors.New("buffer is larger than the pool's budget")

// Pool lends buffers of at most its budget together. Who waits is served in the order of asking, so
// a large request is not starved by small ones. It is safe for many goroutines.
//
// A goroutine that waits for a buffer while it holds one can wait for ever, if all the others do the
// same: ask for all that a step needs at once, or in an order that ends.
type Pool struct {
	budget int64

	mu      sync.Mutex
	lent    int64            // bytes of the buffers that are out; lent + idle <= budget
	idle    int64            // bytes of the buffers in free
	free    map[int][][]byte // by class
	waiters *list.List       // of *waiter, oldest first
}

type waiter struct {
	class int
	ready chan []byte // one buffer, sent under mu
}

// New makes a pool; it allocates nothing before it is asked. A budget of 0 is
// DefaultBudget; the least is 4 KiB.
func New(budget int64) *Pool {
	if budget <= 0 {
		budget = DefaultBudget
	}
	budget = max(budget, minClass)
	return &Pool{budget: budget, free: make(map[int][][]byte), waiters: list.New()}
}

// Budget is the most bytes that the pool holds, lent or idle.
func (p *Pool) Budget() int64 { return p.budget }

// Lent is the number of bytes that are out now.
func (p *Pool) Lent() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lent
}

// Get returns a buffer of n bytes, whose content is whatever was in it. It waits until the budget
// allows it or ctx ends (then the error is ctx's). ErrTooLarge comes at once.
func (p *Pool) Get(ctx context.Context, n int) (*Buffer, error) {
	if n < 0 {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, n)
	}
	if int64(n) > p.budget {
		return nil, fmt.Errorf("%w: %d of %d bytes", ErrTooLarge, n, p.budget)
	}
	c := int(min(int64(class(n)), p.budget))
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	if p.waiters.Len() == 0 && p.lent+int64(c) <= p.budget {
		b := p.take(c)
		p.mu.Unlock()
		return p.lend(b, n), nil
	}
	w := &waiter{class: c, ready: make(chan []byte, 1)}
	place := p.waiters.PushBack(w)
	p.mu.Unlock()
	select {
	case b := <-w.ready:
		return p.lend(b, n), nil
	case <-ctx.Done():
		p.giveUp(place, w)
		return nil, ctx.Err()
	}
}

// giveUp takes a waiter out of the queue, or gives back what it was handed meanwhile. Those behind
// it may be served now.
func (p *Pool) giveUp(place *list.Element, w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case b := <-w.ready:
		p.put(b)
	default:
		p.waiters.Remove(place)
	}
	p.serve()
}

// class is the length that a request of n bytes is rounded up to: a quarter of a power of two, so
// that at most a fifth is wasted above the smallest classes.
func class(n int) int {
	if n <= minClass {
		return minClass
	}
	step := 1 << max(0, bits.Len(uint(n-1))-3)
	return (n + step - 1) &^ (step - 1)
}

// take makes room for a buffer of class c or somewhat above and counts it as lent. p.mu is held, and
// lent + c <= budget.
func (p *Pool) take(c int) []byte {
	if fit := p.fitting(c); fit > 0 {
		idle := p.free[fit]
		b := idle[len(idle)-1]
		idle[len(idle)-1] = nil
		p.free[fit] = idle[:len(idle)-1]
		p.idle -= int64(fit)
		p.lent += int64(fit)
		return b
	}
	p.lent += int64(c)
	for other, idle := range p.free {
		if p.lent+p.idle <= p.budget {
			break
		}
		drop := min(len(idle), int((p.lent+p.idle-p.budget+int64(other)-1)/int64(other)))
		clear(idle[len(idle)-drop:])
		p.free[other] = idle[:len(idle)-drop]
		p.idle -= int64(drop) * int64(other)
	}
	return make([]byte, c)
}

// fitting is the smallest class with an idle buffer that serves a request of class c, or 0. One of up to twice the length is
// lent rather than thrown away for a new one, which the kernel would have to find and clear.
func (p *Pool) fitting(c int) int {
	best := 0
	for other, idle := range p.free {
		if len(idle) > 0 && other >= c && other <= 2*c && p.lent+int64(other) <= p.budget && (best == 0 || other < best) {
			best = other
		}
	}
	return best
}

// put takes a buffer back. p.mu is held.
func (p *Pool) put(b []byte) {
	p.lent -= int64(cap(b))
	p.idle += int64(cap(b))
	p.free[cap(b)] = append(p.free[cap(b)], b)
}

// serve hands buffers to those who waited longest, as long as the budget allows. p.mu is held.
func (p *Pool) serve() {
	for e := p.waiters.Front(); e != nil; e = p.waiters.Front() {
		w := e.Value.(*waiter)
		if p.lent+int64(w.class) > p.budget {
			return
		}
		p.waiters.Remove(e)
		w.ready <- p.take(w.class)
	}
}

func (p *Pool) lend(b []byte, n int) *Buffer { return &Buffer{pool: p, whole: b, n: n} }
