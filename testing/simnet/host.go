package simnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

// Host is a machine on the network. Its addresses are "name:port", with any word for a port.
type Host struct {
	net  *Network
	name string

	mu      sync.Mutex
	ports   map[string]*listener
	packets map[string]chan Packet
}

// Packet is one datagram.
type Packet struct {
	From string // the sending host's name
	Data []byte
}

// address is a place on the network.
type address string

func (a address) Network() string { return "sim" }
func (a address) String() string  { return string(a) }

// backlog bounds connections that nobody has accepted yet.
const backlog = 128

// listener is an open port.
type listener struct {
	host  *Host
	port  string
	conns chan net.Conn
	once  sync.Once
	over  chan struct{}
}

// Listen opens a port for streams.
func (h *Host) Listen(port string) (net.Listener, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ports[port] != nil {
		return nil, fmt.Errorf("listen on %s:%s: %w", h.name, port, syscall.EADDRINUSE)
	}
	l := &listener{host: h, port: port, conns: make(chan net.Conn, backlog), over: make(chan struct{})}
	h.ports[port] = l
	return l, nil
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.host.mu.Lock()
		delete(l.host.ports, l.port)
		l.host.mu.Unlock()
		close(l.over)
	})
	for {
		select {
		case c := <-l.conns:
			c.Close()
		default:
			return nil
		}
	}
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return address(l.host.name + ":" + l.port) }

// trips is what a connection costs before it carries data: one round trip for TCP, one for TLS 1.3.
const trips = 2

// look is how often a handshake that does not get through is tried again.
const look = 100 * time.Millisecond

// Dial connects to "name:port". Over a cut link it waits, until ctx ends, for the link to heal.
func (h *Host) Dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := h.dial(ctx, addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "sim", Addr: address(addr), Err: err}
	}
	return c, nil
}

func (h *Host) dial(ctx context.Context, addr string) (net.Conn, error) {
	name, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	l := between(h.name, name)
	for range 2 * trips {
		if err := sleep(ctx, h.net.way(l)); err != nil {
			return nil, err
		}
		for h.net.cut(l) {
			if err := sleep(ctx, look); err != nil {
				return nil, err
			}
		}
	}
	peer := h.net.host(name)
	if peer == nil {
		return nil, errors.New("no such host")
	}
	peer.mu.Lock()
	to := peer.ports[port]
	peer.mu.Unlock()
	if to == nil {
		return nil, syscall.ECONNREFUSED
	}
	mine, theirs := connect(h.net, l, address(h.name), address(addr))
	select {
	case <-to.over: // asked alone first, since the queue may have room, too
	default:
		select {
		case to.conns <- theirs:
			return mine, nil
		default:
		}
	}
	mine.Close()
	theirs.Close()
	return nil, syscall.ECONNREFUSED
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Packets opens a port for datagrams. What finds the queue full is lost.
func (h *Host) Packets(port string) <-chan Packet {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.packets == nil {
		h.packets = map[string]chan Packet{}
	}
	ch := make(chan Packet, backlog)
	h.packets[port] = ch
	return ch
}

// Send sends a datagram to "name:port". Nobody is told whether it arrives.
func (h *Host) Send(addr string, data []byte) {
	name, port, err := net.SplitHostPort(addr)
	peer := h.net.host(name)
	l := between(h.name, name)
	if err != nil || peer == nil || h.net.drops(l) {
		return
	}
	p := Packet{From: h.name, Data: append([]byte(nil), data...)}
	time.AfterFunc(h.net.way(l), func() {
		peer.mu.Lock()
		defer peer.mu.Unlock()
		select {
		case peer.packets[port] <- p: // a port that is not open is a nil channel
		default:
		}
	})
}
