package replicate

import (
	"context"
	"sync"
	"time"
)

// maxBack is how many batches that came back may wait before no fresh ones are dealt out: a source that
// lacks much gives batches back faster than others take them.
const maxBack = 16

// queue hands batches from the plan to the workers. A batch that a worker gives back waits for a
// worker that can do it.
type queue struct {
	fresh chan *batch
	over  chan struct{} // closed when everything is done

	// Guarded by mu. open counts batches put and not done; changed is closed and replaced
	// when back changes.
	mu      sync.Mutex
	back    []*batch
	open    int
	sealed  bool // no fresh batch will come
	changed chan struct{}
}

func newQueue() *queue {
	return &queue{fresh: make(chan *batch), over: make(chan struct{}), changed: make(chan struct{})}
}

// put waits until a worker takes the batch.
func (q *queue) put(ctx context.Context, b *batch) error {
	for {
		ok, changed := q.admit()
		if ok {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case q.fresh <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// admit counts a fresh batch, unless too many are back.
func (q *queue) admit() (bool, <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.back) >= maxBack {
		return false, q.changed
	}
	q.open++
	return true, nil
}

// take returns a batch that can accepts, or nil when everything is done.
func (q *queue) take(ctx context.Context, can func(*batch) bool) (*batch, error) {
	for {
		b, changed := q.returned(can)
		if b != nil {
			return b, nil
		}
		select {
		case b := <-q.fresh:
			return b, nil
		case <-changed:
		case <-q.over:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (q *queue) returned(can func(*batch) bool) (*batch, <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, b := range q.back {
		if can(b) {
			q.back = append(q.back[:i], q.back[i+1:]...)
			q.signal()
			return b, nil
		}
	}
	return nil, q.changed
}

// signal wakes whoever waits for back to change. q.mu is held.
func (q *queue) signal() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// stuck returns a chunk of a waiting batch that nobody can serve. Batches that wait are changed by
// nobody, so serves may read them.
func (q *queue) stuck(serves func(*batch) bool) (what string, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, b := range q.back {
		if !serves(b) {
			return b.String(), true
		}
	}
	return "", false
}

// again gives a batch back.
func (q *queue) again(b *batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.back = append(q.back, b)
	q.signal()
}

// seal says that no fresh batch will come.
func (q *queue) seal() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sealed = true
	q.finish()
}

// done counts a batch as finished.
func (q *queue) done() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open--
	q.finish()
}

// finish ends the takers once everything is done; q.mu is held. It closes over once: open
// reaches zero after sealed only once.
func (q *queue) finish() {
	if q.sealed && q.open == 0 {
		close(q.over)
	}
}

// finished says whether everything is done.
func (q *queue) finished() bool {
	select {
	case <-q.over:
		return true
	default:
		return false
	}
}

// rest waits for d, or less where everything is done meanwhile.
func (q *queue) rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-q.over:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
