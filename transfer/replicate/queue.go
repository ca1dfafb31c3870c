package replicate

import (
	"context"
	"sync"
)

// queue hands batches from the plan to the workers. A batch that a worker gives back waits for a
// worker that can do it.
type queue struct {
	fresh chan *batch
	over  chan struct{} // closed when everything is done

	// Guarded by mu. open counts batches put and not done; changed is closed and replaced
	// when back grows.
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
	q.mu.Lock()
	q.open++
	q.mu.Unlock()
	select {
	case q.fresh <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
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
			return b, nil
		}
	}
	return nil, q.changed
}

// find returns a waiting batch for which is holds.
func (q *queue) find(is func(*batch) bool) *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, b := range q.back {
		if is(b) {
			return b
		}
	}
	return nil
}

// again gives a batch back.
func (q *queue) again(b *batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.back = append(q.back, b)
	close(q.changed)
	q.changed = make(chan struct{})
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
