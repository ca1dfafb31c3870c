package consensus

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hashicorp/raft"
)

// perNode is how many spare connections are kept to a node: a new leader asks for a vote, beats and
// appends, each over a connection of its own.
const perNode = 3

// spares keeps connections ready to each node that was asked for. Raft opens connections when it
// needs them: that is in the middle of an election, where each costs two round trips.
type spares struct {
	mu    sync.Mutex
	conns map[raft.ServerAddress][]net.Conn
	over  bool
}

// take returns a spare connection to a node that is still good, or nil.
func (s *spares) take(a raft.ServerAddress) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.weedLocked(a)
	list := s.conns[a]
	if len(list) == 0 {
		return nil
	}
	s.conns[a] = list[1:]
	return list[0]
}

// lack is how many spare connections to a node are missing.
func (s *spares) lack(a raft.ServerAddress) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.weedLocked(a)
	return perNode - len(s.conns[a])
}

// weedLocked closes those that the other side has closed.
func (s *spares) weedLocked(a raft.ServerAddress) {
	s.conns[a] = slices.DeleteFunc(s.conns[a], func(c net.Conn) bool {
		if alive(c) {
			return false
		}
		c.Close()
		return true
	})
}

// put keeps a connection for later.
func (s *spares) put(a raft.ServerAddress, c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || len(s.conns[a]) >= perNode {
		c.Close()
		return
	}
	s.conns[a] = append(s.conns[a], c)
}

func (s *spares) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	for _, list := range s.conns {
		for _, c := range list {
			_ = c.Close() // nothing was said over it
		}
	}
	clear(s.conns)
}

// alive looks into an idle connection's socket without taking anything out of it. There must be
// nothing: no end, no error, and no word of the other side, which before it is asked can only be
// that it closes.
func alive(c net.Conn) bool {
	t, ok := c.(*tls.Conn)
	if !ok {
		return true
	}
	tcp, ok := t.NetConn().(*net.TCPConn)
	if !ok {
		return true
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	good := false
	err = raw.Control(func(fd uintptr) {
		_, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		good = errors.Is(err, unix.EAGAIN)
	})
	return err == nil && good
}

// warmTime bounds the making of one spare connection.
const warmTime = 5 * time.Second

// warmer is a transport that keeps spare connections.
type warmer interface {
	warm(ctx context.Context, id string) error
}

// Warm makes sure that a spare connection to every other voter is at hand. It returns when all
// have been tried.
func (n *Node) Warm(ctx context.Context) error {
	w, ok := n.transport.(warmer)
	if !ok {
		return nil
	}
	servers, err := n.Servers()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, warmTime)
	defer cancel()
	errs := make([]error, len(servers))
	var work sync.WaitGroup
	for i, s := range servers {
		if s.Voter && s.ID != n.o.NodeID {
			work.Go(func() { errs[i] = w.warm(ctx, s.ID) })
		}
	}
	work.Wait()
	return errors.Join(errs...)
}
