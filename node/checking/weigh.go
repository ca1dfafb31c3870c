package checking

import (
	"sync"
	"time"

	"loggia/gallery"
)

// yielding is what a request or byte of the region's own checks counts for while copies are made or publishes taken in there: they keep an
// eighth of their rate.
const yielding = 8

// weighEvery is how often it is looked whether there are any.
const weighEvery = time.Second

// weigher says what the region's own checks count for. It is safe for use by many goroutines.
type weigher struct {
	o Options

	mu   sync.Mutex
	at   time.Time
	last int64
}

func (w *weigher) weight() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := w.o.Now(); w.last == 0 || now.Sub(w.at) >= weighEvery {
		w.at, w.last = now, 1
		if w.transfers(now) {
			w.last = yielding
		}
	}
	return w.last
}

// transfers says whether a node of the region writes to one of its stores.
func (w *weigher) transfers(now time.Time) bool {
	v := w.o.State()
	for _, r := range v.ClaimedReplicas() {
		if r.Key.Region == w.o.Region {
			return true
		}
	}
	for _, u := range v.Uploads() {
		if u.Region == w.o.Region && u.State == gallery.UploadOpen && now.Before(u.Claim.Deadline) {
			return true
		}
	}
	return false
}
