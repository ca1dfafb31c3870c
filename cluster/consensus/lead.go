package consensus

import (
	"context"
	"sync"
	"time"
)

// The pace of leading: how long the term's first barrier may take, and the rest after duties that
// failed.
const (
	barrierTime = 10 * time.Second
	restTime    = time.Second
)

// Lead runs duties while this node leads, until ctx ends: each time it becomes leader, after the
// term's first barrier, under a context that ends when leadership is lost. The next scope begins
// only when the last has fully ended. Duties that fail while this node leads make it hand leadership
// over; where nobody takes it, they are begun anew.
func (n *Node) Lead(ctx context.Context, duties func(context.Context) error) error {
	ended := uint64(0) // word of the last scope: other news wakes a leader, too
	for {
		n.mu.Lock()
		now := n.lead
		n.mu.Unlock()
		if now.leading && now.word != ended {
			if n.scope(ctx, now, duties) {
				continue
			}
			ended = now.word
		}
		n.mu.Lock()
		same, changed := n.lead == now, n.changed
		n.mu.Unlock()
		if !same && ctx.Err() == nil {
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		case <-n.ctx.Done():
			return nil
		}
	}
}

// scope is one time of leading. It says whether duties failed and are to be begun anew if this
// node still leads.
func (n *Node) scope(ctx context.Context, since leadership, duties func(context.Context) error) (again bool) {
	ctx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { n.endWith(ctx, since, cancel) })
	defer watch.Wait()
	defer cancel()
	if _, err := n.settled(ctx); err != nil { // shared with the first requests of the term
		return n.rest(ctx)
	}
	err := duties(ctx)
	if err == nil || ctx.Err() != nil || !n.IsLeader() {
		return false
	}
	n.o.Logger.Error("the leader's duties failed; leadership is handed over", "error", err)
	if err := n.TransferLeadership(ctx); err != nil {
		n.o.Logger.Warn("leadership was not handed over", "error", err)
	}
	return n.rest(ctx)
}

// rest waits a moment and says whether the scope is still this node's to begin anew.
func (n *Node) rest(ctx context.Context) bool {
	t := time.NewTimer(restTime)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// endWith calls cancel when leadership since then is lost, and returns when ctx has ended.
func (n *Node) endWith(ctx context.Context, since leadership, cancel func()) {
	for {
		n.mu.Lock()
		lost, changed := n.lead.word != since.word, n.changed
		n.mu.Unlock()
		if lost {
			cancel()
		}
		select {
		case <-changed:
		case <-n.ctx.Done():
			cancel()
			return
		case <-ctx.Done():
			return
		}
	}
}
