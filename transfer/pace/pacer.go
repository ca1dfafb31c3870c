package pace

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Pacer holds flows below limits. It is safe for use by many goroutines.
type Pacer struct {
	clock func() time.Duration
	table atomic.Pointer[table] // replaced under mu, never changed

	mu      sync.Mutex
	waiting []*Flow          // that have a piece in their queue
	flows   map[string]*Flow // open ones
	virtual [classes]float64 // where fair queueing stands
	timer   *time.Timer      // of the next grant; nil: none was needed yet
	started func()           // told when a limit comes into use
	limits  map[Key]int64    // as they were last set
}

// table is the buckets at one moment.
type table struct{ buckets map[Key]*bucket }

// New returns a pacer without limits. clock is a monotonic count; nil: that of this process.
func New(clock func() time.Duration) *Pacer {
	if clock == nil {
		base := time.Now()
		clock = func() time.Duration { return time.Since(base) }
	}
	p := &Pacer{clock: clock, flows: map[string]*Flow{}}
	p.table.Store(&table{})
	return p
}

// OnStart has f called, under no lock of the caller's, whenever a limit that nobody used for some seconds is asked for. f must not block. Call it
// before the first flow.
func (p *Pacer) OnStart(f func()) { p.started = f }

// Set puts limits in place, in bytes per second; those that are not named end. It takes effect at once.
func (p *Pacer) Set(limits map[Key]int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if maps.Equal(p.limits, limits) {
		return
	}
	p.limits = maps.Clone(limits)
	now, old := p.clock(), p.table.Load().buckets
	next := make(map[Key]*bucket, len(limits))
	for k, rate := range limits {
		b := old[k]
		if b == nil {
			b = &bucket{key: k, at: now, used: -idle}
		}
		b.fill(now)
		b.rate = float64(max(rate, 1))
		b.level = min(b.level, b.rate*burst.Seconds())
		next[k] = b
	}
	p.table.Store(&table{next})
	p.run()
}

// idle is how long a limit counts as used after it was asked for.
const idle = 2 * time.Second

// Use is what goes through a limit.
type Use struct {
	Sum    float64 // bytes so far, as limits count them
	Active bool    // it was asked for within the last seconds
}

// Used returns the use of every limit.
func (p *Pacer) Used() map[Key]Use {
	p.mu.Lock()
	defer p.mu.Unlock()
	out, now := map[Key]Use{}, p.clock()
	for _, f := range p.waiting {
		for _, b := range f.along(p.table.Load()) {
			b.used = now
		}
	}
	for k, b := range p.table.Load().buckets {
		out[k] = Use{b.sum, now-b.used < idle}
	}
	return out
}

// run grants what can be granted now and sets the timer for the next; mu is held.
func (p *Pacer) run() {
	for {
		now := p.clock()
		f, at := p.next(now)
		if f == nil {
			if len(p.waiting) > 0 {
				p.wake(at - now)
			}
			return
		}
		p.grant(f, now)
	}
}

// wake runs the scheduler after d.
func (p *Pacer) wake(d time.Duration) {
	if p.timer == nil {
		p.timer = time.AfterFunc(d, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.run()
		})
		return
	}
	p.timer.Reset(d)
}

// next returns the flow whose piece goes now, or when one can go.
func (p *Pacer) next(now time.Duration) (best *Flow, at time.Duration) {
	t := p.table.Load()
	for _, b := range t.buckets {
		b.fill(now)
		b.waiting = [classes]int{}
	}
	for _, f := range p.waiting {
		for _, b := range f.along(t) {
			b.waiting[f.class]++
		}
	}
	at = now + time.Hour
	var due bool
	for _, f := range p.waiting {
		free := now
		for _, b := range f.along(t) {
			free = max(free, b.free(now))
		}
		if free > now {
			at = min(at, free)
			continue
		}
		if d := f.due(t); best == nil || d && !due || d == due && f.before(best, d) {
			best, due = f, d
		}
	}
	return best, at
}

// grant lets the first piece of a flow go.
func (p *Pacer) grant(f *Flow, now time.Duration) {
	w := f.queue[0]
	n := cost(w.n)
	for _, b := range f.along(p.table.Load()) {
		b.take(n, f.class)
		b.used = now
	}
	start := max(f.virtual, p.virtual[f.class]-catchUp)
	f.virtual = start + n
	p.virtual[f.class] = max(p.virtual[f.class], start)
	f.drop(w)
	w.granted = true
	close(w.ready)
}

// catchUp is how far a flow that was idle may go ahead of the others, in bytes.
const catchUp = 4 * maxPiece
