package consensus

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// rounds shares one confirmation of leadership between all readers that wait for it to begin.
// It is guarded by Node.mu.
type rounds struct {
	next    *round // not begun: who asks now may join it
	running bool
	first   *first // barrier of the latest term in which anybody asked; nil: of none
}

// first is a term's first barrier, which all share who come before it has returned.
type first struct {
	term uint64
	done chan struct{}
	err  error // valid after done
}

// failed says whether the barrier has returned in vain.
func (f *first) failed() bool {
	select {
	case <-f.done:
		return f.err != nil
	default:
		return false
	}
}

type round struct {
	done  chan struct{}
	index uint64
	err   error
}

// roundTime bounds one confirmation.
const roundTime = 5 * time.Second

// Ask asks a voter for its current term.
type Ask func(ctx context.Context, nodeID string) (term uint64, err error)

// ReadIndex returns the index of a command such that whoever has applied it has seen every write that was
// acknowledged before the call. Error: ErrNotLeader.
//
// raft's own VerifyLeader counts answers to questions that were sent before the call, which is a
// lease. Here, after the term's first barrier, the leader takes its term and commit index and then asks a
// majority for their term: while that is the same, nobody else can have committed anything.
func (n *Node) ReadIndex(ctx context.Context, ask Ask) (uint64, error) {
	n.mu.Lock()
	if n.rounds.next == nil {
		n.rounds.next = &round{done: make(chan struct{})}
	}
	r := n.rounds.next
	if !n.rounds.running {
		n.rounds.running = n.beginLocked(func() { n.runRounds(ask) })
	}
	running := n.rounds.running
	n.mu.Unlock()
	if !running {
		return 0, fmt.Errorf("%w: %w", ErrNotLeader, ErrClosed)
	}
	select {
	case <-r.done:
		return r.index, r.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (n *Node) runRounds(ask Ask) {
	for {
		n.mu.Lock()
		r := n.rounds.next
		n.rounds.next = nil
		if r == nil {
			n.rounds.running = false
			n.mu.Unlock()
			return
		}
		n.mu.Unlock()
		ctx, cancel := context.WithTimeout(n.ctx, roundTime)
		r.index, r.err = n.confirm(ctx, ask)
		cancel()
		close(r.done)
	}
}

func (n *Node) confirm(ctx context.Context, ask Ask) (uint64, error) {
	term, err := n.settled(ctx)
	if err != nil {
		return 0, err
	}
	commit := n.raft.CommitIndex()
	servers, err := n.Servers()
	if err != nil {
		return 0, err
	}
	if err := n.majority(ctx, servers, term, ask); err != nil {
		return 0, err
	}
	if !n.leads(term) {
		return 0, fmt.Errorf("%w: leadership moved meanwhile", ErrNotLeader)
	}
	return n.lastCommand(commit), nil
}

// Settle waits until this node, which leads, has applied everything that was acknowledged before its
// term: until then what its machine does not hold proves nothing. Error: ErrNotLeader.
func (n *Node) Settle(ctx context.Context) error {
	_, err := n.settled(ctx)
	return err
}

// settled waits for the term's first barrier and returns the term: before that the leader does not
// know how much of the log is committed.
func (n *Node) settled(ctx context.Context) (uint64, error) {
	term := n.raft.CurrentTerm()
	if !n.leads(term) {
		return 0, ErrNotLeader
	}
	f, ok := n.barrier(term)
	if !ok {
		return 0, fmt.Errorf("%w: %w", ErrNotLeader, ErrClosed)
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return 0, fmt.Errorf("%w: %w", ErrNotLeader, ctx.Err())
	}
	if f.err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotLeader, f.err)
	}
	if !n.leads(term) { // the barrier may be a later term's
		return 0, fmt.Errorf("%w: leadership moved meanwhile", ErrNotLeader)
	}
	return term, nil
}

// barrier returns the term's first barrier, which it begins where nobody has. Not ok: the node is
// closing.
func (n *Node) barrier(term uint64) (f *first, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if f := n.rounds.first; f != nil && f.term == term && !f.failed() {
		return f, true
	}
	f = &first{term: term, done: make(chan struct{})}
	ok = n.beginLocked(func() {
		defer close(f.done)
		f.err = n.wait(n.ctx, n.raft.Barrier(barrierTime))
	})
	if ok {
		n.rounds.first = f
	}
	return f, ok
}

// leads says whether this node leads in that very term.
func (n *Node) leads(term uint64) bool {
	return n.raft.State() == raft.Leader && n.raft.CurrentTerm() == term
}

// majority asks all voters at once and returns when enough of them, this node among them, are of
// the term.
func (n *Node) majority(ctx context.Context, servers []Server, term uint64, ask Ask) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	voters, yes := 0, 0
	answers := make(chan bool, len(servers))
	for _, s := range servers {
		if !s.Voter {
			continue
		}
		voters++
		if s.ID == n.o.NodeID {
			yes++
			continue
		}
		n.begin(func() { // a node that is closing has ended ctx
			t, err := ask(ctx, s.ID)
			answers <- err == nil && t == term
		})
	}
	need, pending := voters/2+1, voters-yes
	for yes < need {
		if pending == 0 {
			return fmt.Errorf("%w: %d of %d voters confirm term %d", ErrNotLeader, yes, voters, term)
		}
		changed := n.Changed()
		if !n.leads(term) {
			return fmt.Errorf("%w: leadership moved meanwhile", ErrNotLeader)
		}
		select {
		case ok := <-answers:
			pending--
			if ok {
				yes++
			}
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: voters did not confirm the term in time", ErrNotLeader)
		}
	}
	return nil
}

// lastCommand returns the last index up to i that is a command: a machine never sees raft's own
// entries, so nobody could wait for those.
func (n *Node) lastCommand(i uint64) uint64 {
	for ; i > 0; i-- {
		var l raft.Log
		if err := n.stores.GetLog(i, &l); err != nil {
			break // compacted: what lies there is in the machine
		}
		if l.Type == raft.LogCommand {
			return i
		}
	}
	applied, _ := n.o.Machine.Applied()
	return min(applied, i)
}
