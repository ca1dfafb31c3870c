package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"loggia/api/peer"
	"loggia/cluster/consensus"
	"loggia/cluster/gossip"
	"loggia/cluster/membership"
	"loggia/fsm/command"
	"loggia/fsm/machine"
	"loggia/gallery"
	"loggia/internal/digest"
	"loggia/node/service"
	"loggia/node/upkeep"
)

// raftlog is consensus in the words of the rooms that use it.
type raftlog struct {
	self  gallery.NodeID
	raft  *consensus.Node
	m     *machine.Machine
	peers *peer.Client
}

// Propose implements proposal.Log.
func (r *raftlog) Propose(ctx context.Context, data []byte) (command.Result, error) {
	v, _, err := r.raft.Propose(ctx, data)
	switch {
	case errors.Is(err, consensus.ErrNotLeader):
		return command.Result{}, &gallery.Error{Kind: gallery.ErrNoLeader, Message: "this node does not lead", Err: err}
	case errors.Is(err, consensus.ErrUnknownOutcome):
		return command.Result{}, &gallery.Error{Kind: gallery.ErrUnknownOutcome, Message: "leadership was lost meanwhile; the write may or may not take effect", Err: err}
	case errors.Is(err, consensus.ErrTooLarge):
		return command.Result{}, &gallery.Error{Kind: gallery.ErrLimit, Message: "the command is too large for the log", Err: err}
	case err != nil:
		return command.Result{}, &gallery.Error{Kind: gallery.ErrUnavailable, Message: "the log did not take the write", Err: err}
	}
	res, ok := v.(command.Result)
	if !ok {
		return res, fmt.Errorf("the machine answered with a %T", v)
	}
	return res, nil
}

// IsLeader says whether this node leads.
func (r *raftlog) IsLeader() bool { return r.raft.IsLeader() }

// Leader implements proposal.Log.
func (r *raftlog) Leader() (gallery.NodeID, bool) {
	id, _, ok := r.raft.Leader()
	return gallery.NodeID(id), ok
}

// WaitLeader implements proposal.Log.
func (r *raftlog) WaitLeader(ctx context.Context) (gallery.NodeID, error) {
	id, err := r.raft.WaitLeader(ctx)
	if err != nil {
		return "", &gallery.Error{Kind: gallery.ErrNoLeader, Message: "no leader is known", Err: err}
	}
	return gallery.NodeID(id), nil
}

// errLeaderGone ends calls to a leader that another has replaced: an answer may never come.
var errLeaderGone = errors.New("the leader was replaced meanwhile")

// While returns a context that ends, too, when this node no longer takes leader for the leader.
func (r *raftlog) While(ctx context.Context, leader gallery.NodeID) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() { // ends with the context
		for {
			changed := r.raft.Changed()
			if id, ok := r.Leader(); !ok || id != leader {
				cancel(errLeaderGone)
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

// WaitApplied implements proposal.Log. The index is that of a command.
func (r *raftlog) WaitApplied(ctx context.Context, index uint64) error {
	return r.m.WaitApplied(ctx, index)
}

// Applied is the index of the last command applied.
func (r *raftlog) Applied() uint64 {
	i, _ := r.m.Applied()
	return i
}

// Settle waits until this node, which leads, has applied what its predecessors acknowledged.
func (r *raftlog) Settle(ctx context.Context) error {
	if err := r.raft.Settle(ctx); err != nil {
		return &gallery.Error{Kind: gallery.ErrNoLeader, Message: "this node has just begun to lead, or leads no more", Err: err}
	}
	return nil
}

// ReadIndex implements reads.Log.
func (r *raftlog) ReadIndex(ctx context.Context) (uint64, error) {
	i, err := r.raft.ReadIndex(ctx, func(ctx context.Context, id string) (uint64, error) {
		return r.peers.Term(ctx, gallery.NodeID(id))
	})
	if errors.Is(err, consensus.ErrNotLeader) {
		return 0, &gallery.Error{Kind: gallery.ErrNoLeader, Message: "this node does not lead", Err: err}
	}
	return i, err
}

// Servers returns the raft configuration.
func (r *raftlog) servers() ([]consensus.Server, error) { return r.raft.Servers() }

// seats implements upkeep.Raft.
type seats struct{ r *raftlog }

func (s seats) Servers() ([]upkeep.Server, error) {
	all, err := s.r.servers()
	var out []upkeep.Server
	for _, v := range all {
		out = append(out, upkeep.Server{ID: gallery.NodeID(v.ID), Voter: v.Voter})
	}
	return out, err
}

func (s seats) AddVoter(ctx context.Context, id gallery.NodeID, addr string) error {
	return s.r.raft.AddVoter(ctx, string(id), addr)
}

func (s seats) AddStandby(ctx context.Context, id gallery.NodeID, addr string) error {
	return s.r.raft.AddStandby(ctx, string(id), addr)
}

func (s seats) Remove(ctx context.Context, id gallery.NodeID) error {
	return s.r.raft.Remove(ctx, string(id))
}

// group implements service.Cluster.
type group struct {
	r      *raftlog
	gossip *gossip.Gossip
	ca     digest.Digest
}

func (g group) Leader() (gallery.NodeID, bool) { return g.r.Leader() }

func (g group) Servers() ([]service.Server, error) {
	all, err := g.r.servers()
	var out []service.Server
	for _, v := range all {
		out = append(out, service.Server{ID: gallery.NodeID(v.ID), Address: v.Address, Voter: v.Voter})
	}
	return out, err
}

func (g group) TransferLeadership(ctx context.Context) error {
	if err := g.r.raft.TransferLeadership(ctx); err != nil {
		return &gallery.Error{Kind: gallery.ErrUnavailable, Op: "transfer leadership", Err: err}
	}
	return nil
}

func (g group) Alive(id gallery.NodeID) string { return string(g.gossip.State(string(id))) }

func (g group) JoinToken(id gallery.TokenID, secret [32]byte) (string, error) {
	return membership.Token{CA: g.ca, ID: string(id), Secret: secret}.Format()
}

// stateMachine fits the machine to consensus.
type stateMachine struct{ *machine.Machine }

func (m stateMachine) Snapshot() (consensus.Snapshot, error) { return m.Machine.Snapshot(), nil }

func (m stateMachine) Restore(r io.Reader) error { return m.Machine.Restore(r) }

// halted says whether a node has met something after which it must not go on.
type halted struct{ err atomic.Pointer[error] }

func (h *halted) set(err error) { h.err.CompareAndSwap(nil, &err) }

func (h *halted) get() error {
	if p := h.err.Load(); p != nil {
		return *p
	}
	return nil
}

// clusterVersion is what every member understands, as far as this node knows.
func (n *Node) clusterVersion() uint32 {
	if c := n.m.View().Cluster(); c != nil {
		return c.Version
	}
	return 0
}

// understands asks a member for the newest cluster version that its binary understands.
func (n *Node) understands(ctx context.Context, id gallery.NodeID) (uint32, error) {
	if id == n.id.Node {
		return command.CurrentVersion, nil
	}
	return n.peers.Understands(ctx, id)
}
