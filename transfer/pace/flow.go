package pace

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Flow is one transfer on its way through limits: its streams share it. It is safe for use by many goroutines.
type Flow struct {
	p     *Pacer
	id    string
	class Class
	path  []Key
	route atomic.Pointer[route]

	// Guarded by the pacer's lock.
	users   int
	queue   []*waiter
	virtual float64 // bytes that it had, as fair queueing counts them
}

// route is the buckets of a path in one table.
type route struct {
	of      *table
	buckets []*bucket
}

// waiter is one piece that waits.
type waiter struct {
	n       int
	ready   chan struct{}
	granted bool
}

// Flow opens a flow. What has the same name, class and path is the same flow: equals share a limit equally, however many streams each has.
// The caller closes it.
func (p *Pacer) Flow(name string, class Class, path ...Key) *Flow {
	var id strings.Builder
	id.WriteString(name + "\x00" + class.String())
	for _, k := range path {
		id.WriteString("\x00" + string(k))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.flows[id.String()]
	if f == nil {
		f = &Flow{p: p, id: id.String(), class: min(class, High), path: slices.Clone(path), virtual: p.virtual[min(class, High)]}
		p.flows[f.id] = f
	}
	f.users++
	return f
}

// Close gives the flow back. Pieces that wait go on waiting.
func (f *Flow) Close() {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	if f.users--; f.users == 0 {
		delete(f.p.flows, f.id)
	}
}

// along returns the buckets on the flow's path.
func (f *Flow) along(t *table) []*bucket {
	if r := f.route.Load(); r != nil && r.of == t {
		return r.buckets
	}
	r := &route{of: t}
	for _, k := range f.path {
		if b := t.buckets[k]; b != nil && !slices.Contains(r.buckets, b) {
			r.buckets = append(r.buckets, b)
		}
	}
	f.route.Store(r)
	return r.buckets
}

// The bounds of a piece, in bytes. A piece is about pieceTime of the smallest limit: so seldom that fairness and class have somebody to choose
// from each time, and so small that a limit is not noticed as stops.
const (
	minPiece  = 4 << 10
	maxPiece  = 64 << 10
	pieceTime = 5 * time.Millisecond
)

// piece returns how many bytes to ask for at once; 0: all, there is no limit.
func (f *Flow) piece() int {
	buckets := f.along(f.p.table.Load())
	if len(buckets) == 0 {
		return 0
	}
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	n := float64(maxPiece)
	for _, b := range buckets {
		n = min(n, b.rate*pieceTime.Seconds())
	}
	return max(minPiece, int(n))
}

// Wait blocks until n bytes may go, at most maxPiece at once. Its error is that of ctx: then nothing is counted.
func (f *Flow) Wait(ctx context.Context, n int) error {
	if len(f.along(f.p.table.Load())) == 0 {
		return nil
	}
	for n > 0 {
		piece := min(n, maxPiece)
		if err := f.wait(ctx, piece); err != nil {
			return err
		}
		n -= piece
	}
	return nil
}

func (f *Flow) wait(ctx context.Context, n int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &waiter{n: n, ready: make(chan struct{})}
	if f.enqueue(w) && f.p.started != nil {
		f.p.started()
	}
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	if w.granted {
		return nil
	}
	f.drop(w)
	f.p.run()
	return ctx.Err()
}

// enqueue adds a piece and lets go what can. It says whether a limit comes into use by it.
func (f *Flow) enqueue(w *waiter) (fresh bool) {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	now := f.p.clock()
	for _, b := range f.along(f.p.table.Load()) {
		fresh = fresh || now-b.used >= idle
		b.used = now
	}
	if f.queue = append(f.queue, w); len(f.queue) == 1 {
		f.p.waiting = append(f.p.waiting, f)
	}
	f.p.run()
	return fresh
}

// drop takes a piece out of the queue; the pacer's lock is held.
func (f *Flow) drop(w *waiter) {
	f.queue = slices.DeleteFunc(f.queue, func(o *waiter) bool { return o == w })
	if len(f.queue) == 0 {
		f.p.waiting = slices.DeleteFunc(f.p.waiting, func(o *Flow) bool { return o == f })
	}
}

// due says whether the flow goes before higher classes: it has credit in every bucket where one of them waits.
func (f *Flow) due(t *table) bool {
	behind := false
	for _, b := range f.along(t) {
		if !b.higher(f.class) {
			continue
		}
		if b.credit[f.class] < cost(f.queue[0].n) {
			return false
		}
		behind = true
	}
	return behind
}

// before says whether the flow is served before another one that could be, too. Of those that are due the lower class is.
func (f *Flow) before(o *Flow, due bool) bool {
	if f.class != o.class {
		return (f.class > o.class) != due
	}
	return f.virtual < o.virtual
}

// Limited says whether there is a limit on the flow's path.
func (f *Flow) Limited() bool { return len(f.along(f.p.table.Load())) > 0 }

// Rate returns the smallest limit on the flow's path, in bytes per second; 0: there is none.
func (f *Flow) Rate() int64 {
	buckets := f.along(f.p.table.Load())
	if len(buckets) == 0 {
		return 0
	}
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	least := buckets[0].rate
	for _, b := range buckets[1:] {
		least = min(least, b.rate)
	}
	return int64(least)
}
