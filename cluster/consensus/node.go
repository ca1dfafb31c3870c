package consensus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"loggia/internal/logbridge"
)

// Node is one member of the consensus group. It is safe for use by many goroutines.
type Node struct {
	o         Options
	raft      *raft.Raft
	stores    *stores
	transport io.Closer
	observer  *raft.Observer

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup

	mu      sync.Mutex
	closing bool // no work is begun any more
	lead    leadership
	changed chan struct{} // closed and replaced when who leads changes
	rounds  rounds
}

// leadership is the latest word of raft on whether this node leads. Each word counts: leader
// after leader is leadership lost and regained.
type leadership struct {
	leading bool
	word    uint64
}

// The measures of log and snapshots.
const (
	maxAppend         = 256 // entries of one message
	snapshotEvery     = 2 * time.Minute
	snapshotThreshold = 8192
	trailing          = 10240
)

// Open starts the node with what its directory holds. A node without state waits for a leader to
// add it, or for Bootstrap.
func Open(_ context.Context, o Options) (*Node, error) {
	conf := raft.DefaultConfig()
	if err := timings(o.RTT, conf); err != nil {
		return nil, err
	}
	notify := make(chan bool, 16)
	conf.LocalID, conf.NotifyCh, conf.Logger = raft.ServerID(o.NodeID), notify, logbridge.HC(o.Logger)
	conf.MaxAppendEntries, conf.SnapshotInterval, conf.SnapshotThreshold, conf.TrailingLogs = maxAppend, snapshotEvery, snapshotThreshold, trailing
	conf.ShutdownOnRemove, conf.NoLegacyTelemetry = false, true
	st, err := openStores(o)
	if err != nil {
		return nil, err
	}
	t, closer, err := o.Transport(o)
	if err != nil {
		return nil, errors.Join(err, st.close())
	}
	n := &Node{o: o, stores: st, transport: closer, changed: make(chan struct{})}
	n.ctx, n.stop = context.WithCancel(context.Background())
	n.work.Go(func() { n.listen(notify) })
	if n.raft, err = raft.NewRaft(conf, &fsm{m: o.Machine, fatal: o.OnFatal}, st, st, st.snapshots, t); err != nil {
		n.stop()
		n.work.Wait()
		return nil, errors.Join(fmt.Errorf("start raft: %w", err), closer.Close(), st.close())
	}
	n.observe()
	return n, nil
}

// listen drains raft's notifications, which raft waits for, and only notes them.
func (n *Node) listen(notify <-chan bool) {
	for {
		select {
		case leading := <-notify:
			n.mu.Lock()
			n.lead = leadership{leading, n.lead.word + 1}
			n.wakeLocked()
			n.mu.Unlock()
		case <-n.ctx.Done():
			return
		}
	}
}

func (n *Node) wakeLocked() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// observe wakes those who wait for another node to lead.
func (n *Node) observe() {
	ch := make(chan raft.Observation, 64)
	n.observer = raft.NewObserver(ch, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		return ok
	})
	n.raft.RegisterObserver(n.observer)
	n.work.Go(func() {
		for {
			select {
			case <-ch:
				n.mu.Lock()
				n.wakeLocked()
				n.mu.Unlock()
			case <-n.ctx.Done():
				return
			}
		}
	})
}

// begin runs f, for whose end Close waits; false: the node is closing.
func (n *Node) begin(f func()) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.beginLocked(f)
}

func (n *Node) beginLocked(f func()) bool {
	if !n.closing {
		n.work.Go(f)
	}
	return !n.closing
}

// Changed returns a channel that closes when who leads changes.
func (n *Node) Changed() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.changed
}

// HasState says whether the node has been part of a group before.
func (n *Node) HasState() (bool, error) {
	return raft.HasExistingState(n.stores, n.stores, n.stores.snapshots)
}

// Bootstrap makes this node the only voter of a new group. Once, and only on the first node.
func (n *Node) Bootstrap() error {
	err := n.raft.BootstrapCluster(raft.Configuration{Servers: []raft.Server{{
		Suffrage: raft.Voter, ID: raft.ServerID(n.o.NodeID), Address: join(n.o.NodeID, n.o.Address)}}}).Error()
	if err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	return nil
}

// Leader returns who leads, as far as this node knows.
func (n *Node) Leader() (id, addr string, ok bool) {
	a, s := n.raft.LeaderWithID()
	return string(s), hostPort(a), s != ""
}

// IsLeader says whether this node leads.
func (n *Node) IsLeader() bool { return n.raft.State() == raft.Leader }

// WaitLeader blocks until a leader is known, or ctx ends.
func (n *Node) WaitLeader(ctx context.Context) (string, error) {
	for {
		changed := n.Changed()
		if id, _, ok := n.Leader(); ok {
			return id, nil
		}
		// raft tells of a leader just before it can be asked for; the timer covers the moment.
		t := time.NewTimer(50 * time.Millisecond)
		select {
		case <-changed:
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return "", fmt.Errorf("wait for a leader: %w", ctx.Err())
		}
		t.Stop()
	}
}

// CurrentTerm is the node's term.
func (n *Node) CurrentTerm() uint64 { return n.raft.CurrentTerm() }

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
		return nil, 0, err
	}
	if isFatal(f.Response()) {
		return nil, 0, fmt.Errorf("%w: the machine has stopped", ErrUnknownOutcome)
	}
	return f.Response(), f.Index(), nil
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

// TransferLeadership makes another voter lead: the one whose log is most complete or, where that does
// not answer, any other.
func (n *Node) TransferLeadership(ctx context.Context) error {
	if !n.IsLeader() {
		return ErrNotLeader
	}
	err := n.wait(ctx, n.raft.LeadershipTransfer())
	if err == nil {
		return nil
	}
	f := n.raft.GetConfiguration()
	if e := f.Error(); e != nil {
		return errors.Join(err, e)
	}
	for _, s := range f.Configuration().Servers {
		if s.Suffrage != raft.Voter || string(s.ID) == n.o.NodeID || !n.IsLeader() || ctx.Err() != nil {
			continue
		}
		if n.wait(ctx, n.raft.LeadershipTransferToServer(s.ID, s.Address)) == nil {
			return nil
		}
	}
	return err
}

// transferTime bounds the wait for another leader in a planned stop.
const transferTime = 3 * time.Second

// Close ends the node, once. A leader hands leadership over first. Where ctx ends before the disk has
// taken what is being written, the files stay open.
func (n *Node) Close(ctx context.Context) error {
	if n.IsLeader() {
		bounded, cancel := context.WithTimeout(ctx, transferTime)
		if err := n.TransferLeadership(bounded); err != nil {
			n.o.Logger.Info("leadership was not handed over", "error", err)
		}
		cancel()
	}
	n.raft.DeregisterObserver(n.observer)
	n.mu.Lock()
	n.closing = true
	n.mu.Unlock()
	n.stop()
	done := make(chan error, 1)
	go func() { done <- n.shutdown() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("close the log: %w", ctx.Err())
	}
}

func (n *Node) shutdown() error {
	err := errors.Join(n.raft.Shutdown().Error(), n.transport.Close())
	n.work.Wait()
	return errors.Join(err, n.stores.close())
}
