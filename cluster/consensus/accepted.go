package consensus

import (
	"net"
	"sync"
)

// Accept implements raft.StreamLayer.
func (s *stream) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return s.accepted.keep(c), nil
}

// accepted are the connections that others have made.
type accepted struct {
	mu    sync.Mutex
	conns map[*acceptedConn]bool
	over  bool
}

type acceptedConn struct {
	net.Conn
	of *accepted
}

func (a *accepted) keep(c net.Conn) net.Conn {
	k := &acceptedConn{c, a}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		c.Close()
		return k
	}
	a.conns[k] = true
	return k
}

// Close implements net.Conn.
func (c *acceptedConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.conns, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

func (a *accepted) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	for k := range a.conns {
		_ = k.Conn.Close() // raft may have closed it: nobody waits for what it would say
	}
	clear(a.conns)
}
