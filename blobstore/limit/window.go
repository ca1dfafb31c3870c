package limit

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"

	"loggia/blobstore"
)

// The steps of a window, in requests. A request more than what the store works on at once only waits there: the window grows while few of
// it do, and shrinks when many do (as TCP Vegas does with packets). A store that says "slow down" halves it.
const (
	firstWindow = 8
	leastWindow = 2 // one alone cannot show that two would be faster
	fewWaiting  = 3
	manyWaiting = 6

	// requestCost is how many bytes cost as much time as a request itself, so that requests of all lengths can be compared.
	requestCost = 1 << 20
	// quick is what counts as no wait at all: between a directory's answer in microseconds and one in milliseconds lies this
	// machine's work, not the store's queue.
	quick = 10 * time.Millisecond

	// keepBest is how long the best time of a request counts, in two halves: the way to the store may have become longer.
	keepBest = time.Minute
)

// window bounds the requests in flight of one kind and adapts the bound to how the store answers. It is safe for many goroutines.
//
// 1 <= size <= most; inFlight <= size but for a moment after it shrank; somebody waits only while inFlight >= int(size).
type window struct {
	most int

	mu       sync.Mutex
	size     float64
	inFlight int
	waiters  list.List // of chan struct{}, closed when the slot is theirs; oldest first
	cut      time.Time // of the last halving
	best     [2]time.Duration
	turned   time.Time // when best[0] became best[1]; 0: nothing was measured
}

func newWindow(most int) *window {
	return &window{most: most, size: float64(min(firstWindow, most))}
}

// acquire takes a slot, or fails with the context's error.
func (w *window) acquire(ctx context.Context) (*slot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w.mu.Lock()
	if w.inFlight < int(w.size) && w.waiters.Len() == 0 {
		w.inFlight++
		w.mu.Unlock()
		return &slot{w: w, began: time.Now()}, nil
	}
	ready := make(chan struct{})
	place := w.waiters.PushBack(ready)
	w.mu.Unlock()
	select {
	case <-ready:
		return &slot{w: w, began: time.Now()}, nil
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-ready: // it came all the same
		w.inFlight--
		w.serve()
	default:
		w.waiters.Remove(place)
	}
	return nil, ctx.Err()
}

// serve hands free slots to those who waited longest. w.mu is held.
func (w *window) serve() {
	for e := w.waiters.Front(); e != nil && w.inFlight < int(w.size); e = w.waiters.Front() {
		w.inFlight++
		close(w.waiters.Remove(e).(chan struct{}))
	}
}

// slot is one request in flight.
type slot struct {
	w     *window
	began time.Time
	ended bool // guarded by w.mu
}

// release gives the slot back; only the first call counts.
func (s *slot) release() {
	w := s.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.ended {
		return
	}
	s.ended = true
	w.inFlight--
	w.serve()
}

// answered tells how the store took the request, of which bytes had to pass first. It may be left out.
func (s *slot) answered(bytes int, err error) {
	w := s.w
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	switch {
	case errors.Is(err, blobstore.ErrThrottled):
		if s.began.After(w.cut) { // requests that were on their way together halve it once
			w.size, w.cut = max(w.least(), w.size/2), now
		}
	case err == nil:
		w.measure(now, now.Sub(s.began)*requestCost/time.Duration(bytes+requestCost))
		w.serve()
	}
}

func (w *window) least() float64 { return float64(min(leastWindow, w.most)) }

// measure adapts the window to a request that took so long, scaled to one without a byte. w.mu is held.
func (w *window) measure(now time.Time, took time.Duration) {
	took = max(took, 1)
	if w.turned.IsZero() {
		w.best, w.turned = [2]time.Duration{took, took}, now
	}
	if now.Sub(w.turned) > keepBest/2 {
		w.best, w.turned = [2]time.Duration{took, w.best[0]}, now
	}
	w.best[0] = min(w.best[0], took)
	waiting := w.size * (1 - float64(max(quick, min(w.best[0], w.best[1])))/float64(took))
	switch {
	case waiting < fewWaiting && w.inFlight >= int(w.size):
		w.size = min(float64(w.most), w.size+1/w.size)
	case waiting > manyWaiting:
		w.size = max(w.least(), w.size-1/w.size)
	}
}

// state is what the window holds now.
func (w *window) state() (inFlight, size int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.inFlight, int(w.size)
}
