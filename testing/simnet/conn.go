package simnet

import (
	"io"
	"net"
	"os"
	"time"
)

// window bounds what is on its way in one direction of a stream, in bytes: a writer waits beyond it.
const window = 4 << 20

// pipe is one direction of a stream. Network.mu guards it.
type pipe struct {
	net     *Network
	link    link
	segs    []segment // in the order of their arrival
	bytes   int
	ended   bool // the writer has closed
	gone    bool // the reader has closed
	changed chan struct{}

	readBy, writeBy time.Time // deadlines
}

// segment is what one write has sent; an empty one is the end.
type segment struct {
	at   time.Time // of arrival
	data []byte
}

func (p *pipe) wakeLocked() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// healedLocked sends anew what had not arrived when the link was cut.
func (p *pipe) healedLocked(cut time.Time) {
	again := time.Now().Add(p.net.wayLocked(p.link))
	for i := range p.segs {
		if p.segs[i].at.After(cut) {
			p.segs[i].at = again
		}
	}
	p.wakeLocked()
}

func (p *pipe) putLocked(data []byte) {
	at := time.Now().Add(p.net.wayLocked(p.link))
	if k := len(p.segs); k > 0 && p.segs[k-1].at.After(at) {
		at = p.segs[k-1].at
	}
	p.segs = append(p.segs, segment{at, data})
	p.bytes += len(data)
	p.wakeLocked()
}

// writeLocked sends what there is room for.
func (p *pipe) writeLocked(b []byte) (int, error) {
	switch {
	case p.ended:
		return 0, net.ErrClosed
	case past(p.writeBy):
		return 0, os.ErrDeadlineExceeded
	case p.gone:
		return len(b), nil // the writer learns of it when the reader's end arrives
	}
	n := min(len(b), window-p.bytes)
	if n > 0 {
		p.putLocked(append([]byte(nil), b[:n]...))
	}
	return n, nil
}

// readLocked takes what has arrived; 0 without an error means to look again after a change or at
// the time given.
func (p *pipe) readLocked(b []byte) (n int, again time.Time, err error) {
	switch {
	case p.gone:
		return 0, again, net.ErrClosed
	case past(p.readBy):
		return 0, again, os.ErrDeadlineExceeded
	case len(p.segs) == 0:
		return 0, again, nil
	}
	first := &p.segs[0]
	if since, cut := p.net.cuts[p.link]; cut && first.at.After(since) {
		return 0, again, nil
	}
	if first.at.After(time.Now()) {
		return 0, first.at, nil
	}
	if len(first.data) == 0 {
		return 0, again, io.EOF
	}
	n = copy(b, first.data)
	first.data = first.data[n:]
	p.bytes -= n
	if len(first.data) == 0 {
		p.segs = p.segs[1:]
	}
	p.wakeLocked()
	return n, again, nil
}

func past(t time.Time) bool { return !t.IsZero() && !t.After(time.Now()) }

// wait blocks until changed closes or one of the times has come.
func wait(changed <-chan struct{}, times ...time.Time) {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	if first.IsZero() {
		<-changed
		return
	}
	t := time.NewTimer(time.Until(first))
	defer t.Stop()
	select {
	case <-changed:
	case <-t.C:
	}
}

// conn is one end of a stream.
type conn struct {
	in, out       *pipe
	local, remote address
}

func connect(n *Network, l link, from, to address) (*conn, *conn) {
	there := &pipe{net: n, link: l, changed: make(chan struct{})}
	back := &pipe{net: n, link: l, changed: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pipes[there], n.pipes[back] = true, true
	return &conn{in: back, out: there, local: from, remote: to}, &conn{in: there, out: back, local: to, remote: from}
}

// Read implements net.Conn, as do all that follow.
func (c *conn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	p := c.in
	for {
		p.net.mu.Lock()
		n, again, err := p.readLocked(b)
		changed, by := p.changed, p.readBy
		p.net.mu.Unlock()
		if n > 0 || err != nil {
			return n, err
		}
		wait(changed, again, by)
	}
}

func (c *conn) Write(b []byte) (int, error) {
	p, sent := c.out, 0
	for {
		p.net.mu.Lock()
		n, err := p.writeLocked(b[sent:])
		changed, by := p.changed, p.writeBy
		p.net.mu.Unlock()
		sent += n
		if sent == len(b) || err != nil {
			return sent, err
		}
		wait(changed, by)
	}
}

func (c *conn) Close() error {
	n := c.out.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if !c.out.ended {
		if !c.out.gone {
			c.out.putLocked(nil)
		}
		c.out.ended, c.in.gone, c.in.segs = true, true, nil
		c.in.wakeLocked()
	}
	if c.in.ended {
		delete(n.pipes, c.in)
		delete(n.pipes, c.out)
	}
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error { return c.in.deadline(&c.in.readBy, t) }

func (c *conn) SetWriteDeadline(t time.Time) error { return c.out.deadline(&c.out.writeBy, t) }

func (p *pipe) deadline(which *time.Time, t time.Time) error {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	*which = t
	p.wakeLocked()
	return nil
}
