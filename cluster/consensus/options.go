package consensus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/hashicorp/raft"
)

// Machine is what the log is applied to.
type Machine interface {
	// Apply is called for each command in the log's order, one at a time. A result with a
	// method Fatal() bool that is true stops the node (Options.OnFatal).
	Apply(index, term uint64, data []byte) any
	// Snapshot takes the state as it is now, in constant time: it is written out aside.
	Snapshot() (Snapshot, error)
	Restore(r io.Reader) error
	// Applied returns index and term of the last command applied.
	Applied() (index, term uint64)
}

// Snapshot is a machine's state at one index.
type Snapshot interface {
	Write(w io.Writer) error
	Release()
}

// Options is what a Node needs.
type Options struct {
	NodeID  string // UUID
	Address string // host:port where other nodes reach this one
	Dir     string // of log and snapshots; empty: in memory, for tests
	// Transport carries raft's messages: StreamTransport, or raft's own in-memory one in tests.
	Transport Transport
	Machine   Machine
	RTT       time.Duration // worst round trip between voters
	Logger    *slog.Logger
	OnFatal   func(error) // the process must end (C1, C3, M4)
	// Addresses finds a node that has moved; nil or false: where the configuration says.
	Addresses func(nodeID string) (addr string, ok bool)
}

// The reasons why a proposal or a read did not succeed.
var (
	ErrNotLeader      = errors.New("not the leader")
	ErrUnknownOutcome = errors.New("outcome unknown")
	ErrTooLarge       = errors.New("command too large")
	ErrClosed         = errors.New("log is closed")
)

// MaxCommand bounds a command, in bytes: appends are limited by count, not by bytes, and must
// cross the slowest link within their deadline (M8).
const MaxCommand = 32 << 10

// Dialer connects to the node with that id, proven by its certificate.
type Dialer func(ctx context.Context, addr, nodeID string) (net.Conn, error)

// Transport makes raft's transport once the node's options are known.
type Transport func(o Options) (raft.Transport, io.Closer, error)

// timings follow the distance: heartbeat and election max(1 s, 10 RTT), the lease 0.4 of it.
func timings(rtt time.Duration, c *raft.Config) error {
	beat := max(time.Second, 10*rtt)
	c.HeartbeatTimeout, c.ElectionTimeout = beat, beat
	c.LeaderLeaseTimeout = beat * 2 / 5
	// How long a follower may wait to hear that an entry is committed: whoever writes through a
	// follower waits for that, too, since they read their own write there.
	c.CommitTimeout = 25 * time.Millisecond
	if least := rtt + beat/5 + 100*time.Millisecond; c.LeaderLeaseTimeout < least {
		return fmt.Errorf("rtt: %v: the leader's lease of %v would be below %v", rtt, c.LeaderLeaseTimeout, least)
	}
	return nil
}
