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
	failing map[string]bool // voters that don't answer this leader's heartbeats
	changed chan struct{}   // closed and replaced when who leads changes
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
	n := &Node{o: o, stores: st, transport: closer, failing: map[string]bool{}, changed: make(chan struct{})}
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
			n.lead, n.failing = leadership{leading, n.lead.word + 1}, map[string]bool{}
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

// observe wakes those who wait for another node to lead, and notes who does not answer.
func (n *Node) observe() {
	ch := make(chan raft.Observation, 64)
	n.observer = raft.NewObserver(ch, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.FailedHeartbeatObservation, raft.ResumedHeartbeatObservation:
			return true
		}
		return false
	})
	n.raft.RegisterObserver(n.observer)
	n.work.Go(func() {
		for {
			select {
			case o := <-ch:
				n.note(o.Data)
			case <-n.ctx.Done():
				return
			}
		}
	})
}

func (n *Node) note(what any) {
	if o, ok := what.(raft.LeaderObservation); ok {
		n.tell(string(o.LeaderID))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch o := what.(type) {
	case raft.LeaderObservation:
		n.wakeLocked()
	case raft.FailedHeartbeatObservation:
		n.failing[string(o.PeerID)] = true
	case raft.ResumedHeartbeatObservation:
		delete(n.failing, string(o.PeerID))
	}
}

// tell logs a change of leader: of all that raft has to say this is an operator's news.
func (n *Node) tell(leader string) {
	if leader == "" {
		n.o.Logger.Info("no leader is known", "term", n.raft.CurrentTerm())
		return
	}
	n.o.Logger.Info("a node leads", "leader", leader, "term", n.raft.CurrentTerm())
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
