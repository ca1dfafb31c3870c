package port

import (
	"context"
	"net"
)

// queue is a listener of connections that were accepted elsewhere.
type queue struct {
	ctx   context.Context
	addr  net.Addr
	conns chan net.Conn
	over  context.CancelFunc
}

func newQueue(ctx context.Context, addr net.Addr) *queue {
	ctx, cancel := context.WithCancel(ctx)
	return &queue{ctx: ctx, addr: addr, conns: make(chan net.Conn), over: cancel}
}

// give waits until somebody accepts the connection.
func (q *queue) give(ctx context.Context, c net.Conn) bool {
	select {
	case q.conns <- c:
		return true
	case <-q.ctx.Done():
	case <-ctx.Done():
	}
	return false
}

// Accept implements net.Listener.
func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (q *queue) Close() error {
	q.over()
	return nil
}

// Addr implements net.Listener.
func (q *queue) Addr() net.Addr { return q.addr }
