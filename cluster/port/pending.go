package port

import (
	"container/list"
	"net"
	"sync"
)

// pending bounds the connections that are not told apart or not accepted yet. Where there are too
// many the oldest is closed: who is silent gives way to who speaks, and nobody waits for them.
type pending struct {
	max   int
	mu    sync.Mutex
	conns list.List
}

// add takes a connection in; done takes it out again.
func (p *pending) add(c net.Conn) (done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns.Len() >= p.max {
		p.conns.Remove(p.conns.Front()).(net.Conn).Close()
	}
	e := p.conns.PushBack(c)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.conns.Remove(e) // does nothing where it has made way
	}
}
