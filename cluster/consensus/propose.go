package consensus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// enqueueTime bounds the wait for a place in raft's queue.
const enqueueTime = 5 * time.Second

// Propose puts a command into the log and returns what applying it on this node gave. Errors:
// ErrNotLeader and ErrTooLarge (nothing was done), ErrUnknownOutcome (it may take effect yet).
func (n *Node) Propose(ctx context.Context, data []byte) (result any, index uint64, err error) {
	if len(data) > MaxCommand {
		return nil, 0, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(data), MaxCommand)
	}
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	patience := enqueueTime
	if end, ok := ctx.Deadline(); ok {
		patience = min(patience, max(time.Until(end), time.Millisecond)) // to raft 0 means for ever
	}
	f := n.raft.ApplyLog(raft.Log{Data: data}, patience)
	if err := n.wait(ctx, f); err != nil {
		return nil, 0, outcome(err)
	}
	if isFatal(f.Response()) {
		return nil, 0, fmt.Errorf("%w: the machine has stopped", ErrUnknownOutcome)
	}
	return f.Response(), f.Index(), nil
}

// outcome says of a write that failed what became of it. Where this node's own disk refused it, the
// disk may hold it all the same, and then it is committed when the node starts again.
func outcome(err error) error {
	if errors.Is(err, ErrNotLeader) || errors.Is(err, ErrUnknownOutcome) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
}

// wait waits for a future with the caller's deadline.
func (n *Node) wait(ctx context.Context, f raft.Future) error {
	done := make(chan error, 1)
	if !n.begin(func() { done <- f.Error() }) { // ends with leadership at the latest
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, ErrClosed)
	}
	select {
	case err := <-done:
		return kind(err)
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, ctx.Err())
	}
}

func kind(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress), errors.Is(err, raft.ErrEnqueueTimeout):
		return fmt.Errorf("%w: %w", ErrNotLeader, err)
	case errors.Is(err, raft.ErrLeadershipLost), errors.Is(err, raft.ErrAbortedByRestore):
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
	case errors.Is(err, raft.ErrRaftShutdown):
		return fmt.Errorf("%w: %w", ErrUnknownOutcome, ErrClosed)
	}
	return err
}
