package tokens

import (
	"sync"
	"time"
)

// maxReplay bounds the assertions that a node remembers: above it none is taken until some have expired, so that
// filling the table opens nothing.
const maxReplay = 64 << 10

// replay remembers what may be used once, until it could not be used anyhow. It is the node's own.
type replay struct {
	mu    sync.Mutex
	seen  map[string]time.Time // until when
	sweep time.Time            // when to look again for what has passed
}

// first says whether key is new. full is true where nothing more can be remembered.
func (r *replay) first(key string, until, now time.Time) (ok, full bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.After(r.sweep) {
		for k, t := range r.seen {
			if now.After(t) {
				delete(r.seen, k)
			}
		}
		r.sweep = now.Add(time.Second)
	}
	if _, known := r.seen[key]; known {
		return false, false
	}
	if len(r.seen) >= maxReplay {
		return false, true
	}
	r.seen[key] = until
	return true, false
}
