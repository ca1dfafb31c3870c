package consensus

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

// TransferLeadership makes another voter lead: the one whose log is most complete or, where that does
// not answer, any other. While raft tries one it takes no writes.
func (n *Node) TransferLeadership(ctx context.Context) error {
	if !n.IsLeader() {
		return ErrNotLeader
	}
	answering, silent, err := n.heirs()
	if err != nil {
		return err
	}
	if len(silent) == 0 {
		if err = n.wait(ctx, n.raft.LeadershipTransfer()); err == nil {
			return nil
		}
	}
	for _, s := range append(answering, silent...) {
		if !n.IsLeader() || ctx.Err() != nil {
			break
		}
		e := n.wait(ctx, n.raft.LeadershipTransferToServer(s.ID, s.Address))
		if e == nil {
			return nil
		}
		err = errors.Join(err, e)
	}
	return err
}

// heirs returns the other voters: those that answer heartbeats, as far as is known, and those that don't.
func (n *Node) heirs() (answering, silent []raft.Server, err error) {
	f := n.raft.GetConfiguration()
	if err := f.Error(); err != nil {
		return nil, nil, kind(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range f.Configuration().Servers {
		switch {
		case s.Suffrage != raft.Voter || string(s.ID) == n.o.NodeID:
		case n.failing[string(s.ID)]:
			silent = append(silent, s)
		default:
			answering = append(answering, s)
		}
	}
	if len(answering)+len(silent) == 0 {
		return nil, nil, ErrNoHeir
	}
	return answering, silent, nil
}

// ErrNoHeir is returned where there is no other voter to lead.
var ErrNoHeir = errors.New("no other voter")

// TimeoutNow implements raft.Transport. raft waits for it with its transfer under way, and takes no
// writes meanwhile: a node that does not answer soon must not hold that up for as long as an append.
func (t *streamTransport) TimeoutNow(id raft.ServerID, target raft.ServerAddress, args *raft.TimeoutNowRequest, _ *raft.TimeoutNowResponse) error {
	done := make(chan error, 1)
	go func() { // ends with the transport's own deadline; its answer may come too late for raft
		done <- t.NetworkTransport.TimeoutNow(id, target, args, &raft.TimeoutNowResponse{})
	}()
	patience := time.NewTimer(t.patience)
	defer patience.Stop()
	select {
	case err := <-done:
		return err
	case <-patience.C:
		return errSilent
	}
}

var errSilent = errors.New("no answer")

// patience is how long a node may take to accept leadership: a round trip, and two more where it
// takes a new connection.
func patience(rtt time.Duration) time.Duration { return max(250*time.Millisecond, 4*rtt) }
