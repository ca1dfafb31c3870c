package consensus

import (
	"context"
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
// only when the last has fully ended. Duties that fail while this node leads make it hand leadership over.
func (n *Node) Lead(ctx context.Context, duties func(context.Context) error) error {
	for {
		n.mu.Lock()
		now, changed := n.lead, n.changed
		n.mu.Unlock()
		if now.leading {
			n.scope(ctx, now, duties)
		}
		n.mu.Lock()
		same := n.lead == now
		if !same {
			changed = nil
		}
		n.mu.Unlock()
		if changed == nil && ctx.Err() == nil {
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

// scope is one time of leading.
func (n *Node) scope(ctx context.Context, since leadership, duties func(context.Context) error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watching := make(chan struct{})
	go func() { // ends with the scope
		defer close(watching)
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
	}()
	defer func() { cancel(); <-watching }()
	err := n.wait(ctx, n.raft.Barrier(barrierTime))
	if err == nil {
		err = duties(ctx)
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	n.o.Logger.Error("the leader's duties failed; leadership is handed over", "error", err)
	if err := n.TransferLeadership(ctx); err != nil {
		n.o.Logger.Warn("leadership was not handed over", "error", err)
	}
	select {
	case <-time.After(restTime):
	case <-ctx.Done():
	}
}
