package replicate

import (
	"context"
	"sync"
	"time"
)

// Share is what a run tells others while it works: the pieces that its target holds, each once it is
// there. It is safe for use by many goroutines, and outlives its run.
type Share struct {
	epoch uint64

	mu      sync.Mutex
	log     []SpanPieces  // guarded by mu; entry i was announced as number i+1
	changed chan struct{} // guarded by mu; closed and replaced when log grows
}

// NewShare returns an empty Share of the claim with an epoch.
func NewShare(epoch uint64) *Share { return &Share{epoch: epoch, changed: make(chan struct{})} }

// add announces pieces of a span. A nil Share tells nobody.
func (s *Share) add(span int64, mask uint32) {
	if s == nil || mask == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.log); n > 0 && s.log[n-1] == (SpanPieces{span, mask}) {
		return
	}
	s.log = append(s.log, SpanPieces{span, mask})
	close(s.changed)
	s.changed = make(chan struct{})
}

// addSpans announces all pieces of consecutive spans.
func (s *Share) addSpans(first, spans int64) {
	if s == nil || spans <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for span := first; span < first+spans; span++ {
		s.log = append(s.log, SpanPieces{span, 1<<maxGroups - 1})
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// gather is how long an announcement waits for more of them.
const gather = 50 * time.Millisecond

// Since returns what was announced after m. Where that is nothing yet it waits, for at most wait or until
// ctx ends, and returns what there is then.
func (s *Share) Since(ctx context.Context, m Mark, wait time.Duration) Have {
	h, changed := s.since(m)
	if len(h.Spans) > 0 || m.Epoch != s.epoch {
		return h
	}
	if pause(ctx, changed, wait) {
		pause(ctx, nil, gather)
	}
	h, _ = s.since(m)
	return h
}

// pause waits for a channel to close; false: time ran out, or ctx ended.
func pause(ctx context.Context, until <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-until:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

func (s *Share) since(m Mark) (Have, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := uint64(0)
	if m.Epoch == s.epoch {
		from = min(m.Seq, uint64(len(s.log)))
	}
	to := min(from+maxHave, uint64(len(s.log)))
	return Have{Mark: Mark{Epoch: s.epoch, Seq: to}, Spans: fold(s.log[from:to])}, s.changed
}
