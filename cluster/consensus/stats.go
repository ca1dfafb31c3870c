package consensus

import "time"

// CurrentTerm is the node's term.
func (n *Node) CurrentTerm() uint64 { return n.raft.CurrentTerm() }

// CommitIndex is the last index that this node knows to be committed. It counts raft's own entries, too.
func (n *Node) CommitIndex() uint64 { return n.raft.CommitIndex() }

// AppliedIndex is the last index that is applied or, being raft's own, passed over. What the machine
// has seen last is Machine.Applied.
func (n *Node) AppliedIndex() uint64 { return n.raft.AppliedIndex() }

// Stats is what a status page says of a node. The values are taken one after the other.
type Stats struct {
	State       string // Follower, Candidate, Leader or Shutdown
	Term        uint64
	Last        uint64 // end of this node's log
	Commit      uint64
	Applied     uint64
	LastContact time.Time // with the leader; zero: none yet, or this node leads
}

// Stats returns how the node stands.
func (n *Node) Stats() Stats {
	s := Stats{State: n.raft.State().String(), Term: n.CurrentTerm(),
		Applied: n.AppliedIndex(), Commit: n.CommitIndex(), Last: n.raft.LastIndex()}
	if !n.IsLeader() {
		s.LastContact = n.raft.LastContact()
	}
	return s
}
