package consensus

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"loggia/internal/logbridge"
)

// A raft address names the node, too: "id@host:port". Raft dials by address alone, and the
// connection must be to that very node (S7).

func join(id, addr string) raft.ServerAddress { return raft.ServerAddress(id + "@" + addr) }

// hostPort is an address without the node.
func hostPort(a raft.ServerAddress) string {
	if _, addr, ok := strings.Cut(string(a), "@"); ok {
		return addr
	}
	return string(a)
}

// The measures of the transport. More than one append on its way can stop replication to a
// follower for ever (hashicorp/raft#612).
const (
	appendTime  = 10 * time.Second
	connections = 3 // kept to each node
	oneInFlight = 1
)

// StreamTransport speaks over connections that l hands out and dial makes.
func StreamTransport(l net.Listener, dial Dialer) Transport {
	return func(o Options) (raft.Transport, io.Closer, error) {
		s := &stream{Listener: l, dial: dial, self: address(join(o.NodeID, o.Address)), spares: spares{conns: map[raft.ServerAddress][]net.Conn{}},
			accepted: accepted{conns: map[*acceptedConn]bool{}}}
		find := provider{o.Addresses}
		t := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			Stream: s, MaxPool: connections, MaxRPCsInFlight: oneInFlight,
			Timeout: appendTime, Logger: logbridge.HC(o.Logger), ServerAddressProvider: find,
		})
		st := &streamTransport{NetworkTransport: t, stream: s, find: find, patience: patience(o.RTT)}
		return st, st, nil
	}
}

// Without this pre-votes are off with no more than a warning.
var _ raft.WithPreVote = (*streamTransport)(nil)

// streamTransport is raft's transport and the stream below it.
type streamTransport struct {
	*raft.NetworkTransport
	stream   *stream
	find     provider
	patience time.Duration
}

// Close ends all connections, too, which raft leaves to the other side.
func (t *streamTransport) Close() error {
	err := t.NetworkTransport.Close()
	t.CloseStreams()
	t.stream.spares.close()
	t.stream.accepted.close()
	return err
}

// warm implements warmer.
func (t *streamTransport) warm(ctx context.Context, id string) error {
	a, err := t.find.ServerAddr(raft.ServerID(id))
	if err != nil {
		return err
	}
	for range t.stream.spares.lack(a) {
		c, err := t.stream.connect(ctx, a)
		if err != nil {
			return err
		}
		t.stream.spares.put(a, c)
	}
	return nil
}

type stream struct {
	net.Listener
	dial     Dialer
	self     address
	spares   spares
	accepted accepted
}

// Dial implements raft.StreamLayer.
func (s *stream) Dial(a raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	if c := s.spares.take(a); c != nil {
		return c, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return s.connect(ctx, a)
}

func (s *stream) connect(ctx context.Context, a raft.ServerAddress) (net.Conn, error) {
	id, addr, ok := strings.Cut(string(a), "@")
	if !ok {
		return nil, fmt.Errorf("raft address %q names no node", a)
	}
	return s.dial(ctx, addr, id)
}

// Addr is what raft tells others of this node.
func (s *stream) Addr() net.Addr { return s.self }

type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }

// provider finds nodes that have moved.
type provider struct {
	find func(string) (string, bool)
}

// ServerAddr implements raft.ServerAddressProvider.
func (p provider) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	if p.find != nil {
		if addr, ok := p.find(string(id)); ok {
			return join(string(id), addr), nil
		}
	}
	return "", fmt.Errorf("address of node %s is not known", id)
}
