// Package live keeps what the transfers of this node are doing right now.
package live

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"
)

// Key names the copy that a transfer makes: one disk in one slot of the node's region.
type Key struct {
	Disk string
	Slot int
}

// Source is a place from which a transfer takes bytes.
type Source struct {
	Name     string
	Bytes    int64 // that came from it
	InFlight int   // requests that are open
	Failed   string
	Rate     float64 // bytes per second, as Detail.Rate
}

// Report is what a worker tells of its transfer. Bytes never go backwards.
type Report struct {
	Total   int64  // stored bytes that the copy needs
	Have    int64  // of these, bytes that were there before the transfer began
	Sent    int64  // of these, bytes fetched and kept
	Source  string // that is asked now
	Sources []Source
	Retries int   // requests that were made again
	Wasted  int64 // bytes that came and were not kept
}

// Detail is a transfer at one moment.
type Detail struct {
	Key
	Report
	Rate    float64 // bytes per second, averaged exponentially over about RateWindow; 0 once nothing comes
	Started time.Time
	Moved   time.Time // when a byte last came
	At      time.Time // when this was read
}

// Left returns the bytes still to come.
func (d Detail) Left() int64 { return max(0, d.Total-d.Have-d.Sent) }

// ETA returns how long the rest takes if the rate stays; ok is false while there is no rate.
func (d Detail) ETA() (time.Duration, bool) {
	if d.Rate < 1 {
		return 0, false
	}
	seconds := float64(d.Left()) / d.Rate
	return time.Duration(min(seconds, maxETA.Seconds()) * float64(time.Second)), true
}

// maxETA bounds what is said of the future.
const maxETA = 10 * 365 * 24 * time.Hour

// The measures of the rate.
const (
	RateWindow = 10 * time.Second       // the time constant of its average
	sample     = 250 * time.Millisecond // the shortest time over which it is taken
	still      = 3 * RateWindow         // after so long without a byte it is 0
)

// meter averages the rate of a count that only grows.
type meter struct {
	rate     float64
	measured int64
	since    time.Time
}

// at returns the meter as it is at a later moment, when the count is n. A clock that goes back changes nothing.
func (m meter) at(now time.Time, n int64) meter {
	dt := now.Sub(m.since)
	if dt < 0 {
		m.since = now // the clock went back
	}
	if dt < sample {
		return m
	}
	rate := float64(max(0, n-m.measured)) / dt.Seconds()
	weight := 1 - math.Exp(-float64(dt)/float64(RateWindow))
	if m.rate == 0 {
		weight = 1
	}
	m.rate += weight * (rate - m.rate)
	if n == m.measured && dt > still {
		m.rate = 0
	}
	m.measured, m.since = n, now
	return m
}

// seen is the rate as it is at a later moment. Bytes come in frames, so a moment without any proves nothing.
func (m meter) seen(now time.Time, n int64) float64 {
	if now.Sub(m.since) < time.Second {
		return m.rate
	}
	return m.at(now, n).rate
}

// Registry holds the transfers under way. It is safe for use by many goroutines.
type Registry struct {
	now func() time.Time

	mu    sync.Mutex
	table map[Key]*Transfer
	moved chan struct{} // closed and replaced when something moved
}

// New returns an empty registry that reads time from now.
func New(now func() time.Time) *Registry {
	return &Registry{now: now, table: map[Key]*Transfer{}, moved: make(chan struct{})}
}

// Transfer is one entry of a registry, fed by the worker that owns it.
type Transfer struct {
	r *Registry

	// Guarded by r.mu. Have+Sent <= Total once Total is known.
	d       Detail
	meter   meter
	sources map[string]meter
}

// Begin adds a transfer; one under the same key is replaced.
func (r *Registry) Begin(k Key) *Transfer {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	t := &Transfer{r: r, d: Detail{Key: k, Started: now, Moved: now}, meter: meter{since: now}, sources: map[string]meter{}}
	r.table[k] = t
	r.wake()
	return t
}

// wake tells the watchers; r.mu is held.
func (r *Registry) wake() {
	close(r.moved)
	r.moved = make(chan struct{})
}

// End removes the transfer.
func (t *Transfer) End() {
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	if t.r.table[t.d.Key] == t {
		delete(t.r.table, t.d.Key)
	}
	t.r.wake()
}

// Set tells how far the transfer is.
func (t *Transfer) Set(p Report) {
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	now, d := t.r.now(), &t.d
	if p.Sent > d.Sent {
		d.Moved = now
	}
	d.Total, d.Have, d.Sent = max(d.Total, p.Total), max(d.Have, p.Have), max(d.Sent, p.Sent)
	d.Retries, d.Wasted, d.Sources = max(d.Retries, p.Retries), max(d.Wasted, p.Wasted), p.Sources
	if p.Source != "" {
		d.Source = p.Source
	}
	for _, s := range p.Sources {
		m, ok := t.sources[s.Name]
		if !ok {
			m.since = now
		}
		t.sources[s.Name] = m.at(now, s.Bytes)
	}
	if m := t.meter.at(now, d.Sent); m != t.meter {
		t.meter = m
		t.r.wake()
	}
}

// detail is the transfer at a moment; t.r.mu is held.
func (t *Transfer) detail(now time.Time) Detail {
	d := t.d
	d.At, d.Rate = now, t.meter.seen(now, d.Sent)
	if now.Sub(d.Moved) > still {
		d.Rate = 0
	}
	if d.Sources = slices.Clone(d.Sources); len(d.Sources) == 0 && d.Source != "" {
		d.Sources = []Source{{Name: d.Source, Bytes: d.Sent, Rate: d.Rate}}
		return d
	}
	for i := range d.Sources {
		s := &d.Sources[i]
		s.Rate = t.sources[s.Name].seen(now, s.Bytes)
	}
	return d
}

// Detail returns the transfer as it is now.
func (t *Transfer) Detail() Detail {
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	return t.detail(t.r.now())
}

// All returns every transfer, ordered by key, and a channel that closes when something moves.
func (r *Registry) All() ([]Detail, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Detail, 0, len(r.table))
	now := r.now()
	for _, t := range r.table {
		out = append(out, t.detail(now))
	}
	slices.SortFunc(out, func(a, b Detail) int {
		return cmp.Or(cmp.Compare(a.Disk, b.Disk), cmp.Compare(a.Slot, b.Slot))
	})
	return out, r.moved
}
