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

// Detail is a transfer at one moment.
type Detail struct {
	Key
	Source  string  // region and node that bytes come from now
	Total   int64   // stored bytes that the copy needs
	Have    int64   // of these, bytes that were there before the transfer began
	Sent    int64   // of these, bytes fetched and kept
	Rate    float64 // bytes per second, averaged exponentially over about ten seconds
	Started time.Time
	At      time.Time // when this was read
}

// Left returns the bytes still to come.
func (d Detail) Left() int64 { return max(0, d.Total-d.Have-d.Sent) }

// ETA returns how long the rest takes if the rate stays; ok is false while there is no rate.
func (d Detail) ETA() (time.Duration, bool) {
	if d.Rate <= 0 {
		return 0, false
	}
	return time.Duration(float64(d.Left()) / d.Rate * float64(time.Second)), true
}

// rateWindow is the time constant of the rate's average.
const rateWindow = 10 * time.Second

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
	d        Detail
	measured int64
	since    time.Time
}

// Begin adds a transfer; one under the same key is replaced.
func (r *Registry) Begin(k Key) *Transfer {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	t := &Transfer{r: r, d: Detail{Key: k, Started: now}, since: now}
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

// Set tells how far the transfer is; bytes never go backwards.
func (t *Transfer) Set(total, have, sent int64, source string) {
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	now := t.r.now()
	t.d.Total, t.d.Have, t.d.Sent = max(t.d.Total, total), max(t.d.Have, have), max(t.d.Sent, sent)
	if source != "" {
		t.d.Source = source
	}
	if dt := now.Sub(t.since); dt >= 250*time.Millisecond {
		rate := float64(t.d.Sent-t.measured) / dt.Seconds()
		weight := 1 - math.Exp(-float64(dt)/float64(rateWindow))
		if t.d.Rate == 0 {
			weight = 1
		}
		t.d.Rate += weight * (rate - t.d.Rate)
		t.measured, t.since = t.d.Sent, now
		t.r.wake()
	}
}

// Detail returns the transfer as it is now.
func (t *Transfer) Detail() Detail {
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	d := t.d
	d.At = t.r.now()
	return d
}

// All returns every transfer, ordered by key, and a channel that closes when something moves.
func (r *Registry) All() ([]Detail, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Detail, 0, len(r.table))
	now := r.now()
	for _, t := range r.table {
		d := t.d
		d.At = now
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Detail) int {
		return cmp.Or(cmp.Compare(a.Disk, b.Disk), cmp.Compare(a.Slot, b.Slot))
	})
	return out, r.moved
}
