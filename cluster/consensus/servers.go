package consensus

import (
	"context"

	"github.com/hashicorp/raft"
)

// Server is a member of the configuration.
type Server struct {
	ID, Address string
	Voter       bool
}

// Servers returns the latest configuration that this node knows.
func (n *Node) Servers() ([]Server, error) {
	f := n.raft.GetConfiguration()
	if err := f.Error(); err != nil {
		return nil, kind(err)
	}
	var out []Server
	for _, s := range f.Configuration().Servers {
		out = append(out, Server{string(s.ID), hostPort(s.Address), s.Suffrage == raft.Voter})
	}
	return out, nil
}

// AddVoter gives a node a vote, whether it is in the configuration or not.
func (n *Node) AddVoter(ctx context.Context, id, addr string) error {
	return n.wait(ctx, n.raft.AddVoter(raft.ServerID(id), join(id, addr), 0, enqueueTime))
}

// AddStandby adds a node that gets the log and has no vote.
func (n *Node) AddStandby(ctx context.Context, id, addr string) error {
	return n.wait(ctx, n.raft.AddNonvoter(raft.ServerID(id), join(id, addr), 0, enqueueTime))
}

// Remove takes a node out of the configuration.
func (n *Node) Remove(ctx context.Context, id string) error {
	return n.wait(ctx, n.raft.RemoveServer(raft.ServerID(id), 0, enqueueTime))
}
