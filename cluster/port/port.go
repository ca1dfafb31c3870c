// Package port is a node's one TLS port: clients, raft and peers come through it and are told apart by ALPN.
package port

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"loggia/cluster/pki"
)

// The protocols (ALPN, RFC 7301). Clients speak h2 or http/1.1.
const (
	ProtoRaft = "loggia-raft"
	ProtoPeer = "loggia-peer"
	protoH1   = "http/1.1"
	protoH2   = "h2"
)

// The bounds of connections that are not told apart yet.
const (
	handshakeTime = 10 * time.Second
	maxPending    = 256
)

// Credentials are what a node shows and whom it trusts. They may change while the port is open.
type Credentials struct {
	Cert    tls.Certificate // the node's, with the CA behind it
	CA      *x509.Certificate
	Cluster string
}

// Options is what a Port needs.
type Options struct {
	Credentials func() Credentials
	Now         func() time.Time
	Log         *slog.Logger
}

// Port is an open port. It is safe for use by many goroutines.
type Port struct {
	o       Options
	ln      net.Listener
	clients *queue
	raft    *queue
	peers   *queue

	stop context.CancelFunc
	work sync.WaitGroup
}

// Listen opens the port at addr.
func Listen(ctx context.Context, addr string, o Options) (*Port, error) {
	ln, err := (&net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 4}}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &Port{o: o, ln: ln, stop: cancel}
	p.clients, p.raft, p.peers = newQueue(ctx, ln.Addr()), newQueue(ctx, ln.Addr()), newQueue(ctx, ln.Addr())
	p.work.Go(func() { p.accept(ctx) })
	return p, nil
}

// Addr is where the port listens.
func (p *Port) Addr() net.Addr { return p.ln.Addr() }

// Clients hands out connections of people and programs: *tls.Conn with the handshake done, h2 or http/1.1.
func (p *Port) Clients() net.Listener { return p.clients }

// Raft hands out consensus connections of verified nodes.
func (p *Port) Raft() net.Listener { return p.raft }

// Peers hands out connections of verified nodes, each a *PeerConn.
func (p *Port) Peers() net.Listener { return peerListener{p.peers} }

// Close stops listening and ends handshakes under way. Connections that were handed out stay.
func (p *Port) Close() error {
	p.stop()
	err := p.ln.Close()
	p.work.Wait()
	return err
}

func (p *Port) accept(ctx context.Context) {
	waiting := &pending{max: maxPending}
	for {
		c, err := p.ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			p.o.Log.Warn("accept failed", "error", err)
			select {
			case <-time.After(50 * time.Millisecond): // out of files: others must go first
			case <-ctx.Done():
				return
			}
			continue
		}
		done := waiting.add(c)
		p.work.Go(func() {
			defer done()
			p.welcome(ctx, c)
		})
	}
}

// welcome does the handshake and hands the connection to whom it is for.
func (p *Port) welcome(ctx context.Context, c net.Conn) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	t := tls.Server(c, p.serverConfig())
	if err := t.HandshakeContext(ctx); err != nil {
		p.o.Log.Debug("handshake failed", "from", c.RemoteAddr().String(), "error", err)
		c.Close()
		return
	}
	q := p.clients
	switch t.ConnectionState().NegotiatedProtocol {
	case ProtoRaft:
		q = p.raft
	case ProtoPeer:
		q = p.peers
	}
	if !q.give(ctx, t) {
		t.Close()
	}
}

// serverConfig decides by what the client offers: nodes must show a certificate, clients show none.
func (p *Port) serverConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			cr := p.o.Credentials()
			conf := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cr.Cert}, NextProtos: []string{protoH2, protoH1}}
			for _, proto := range h.SupportedProtos {
				if proto == ProtoRaft || proto == ProtoPeer {
					conf.NextProtos = []string{proto}
					conf.MinVersion = tls.VersionTLS13
					conf.SessionTicketsDisabled = true // nothing comes over a new connection unasked
					conf.ClientAuth = tls.RequireAnyClientCert
					conf.VerifyConnection = p.verify(cr, x509.ExtKeyUsageClientAuth, "")
					break
				}
			}
			return conf, nil
		},
	}
}

// verify accepts nodes of the cluster; want "" accepts any of them.
func (p *Port) verify(cr Credentials, usage x509.ExtKeyUsage, want string) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		n, err := pki.Verify(s.PeerCertificates, cr.CA, cr.Cluster, usage, p.o.Now())
		if err == nil && want != "" && n.ID != want {
			err = fmt.Errorf("%w: is node %s, want %s", pki.ErrPeer, n.ID, want)
		}
		return err
	}
}

// Dial connects to a node's port for one of the node protocols, and makes sure that it is that
// node (S7). The connection is a *tls.Conn.
func (p *Port) Dial(ctx context.Context, proto, addr, node string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	c, err := (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 4}}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("dial node %s: %w", node, err)
	}
	cr := p.o.Credentials()
	t := tls.Client(c, &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{proto}, Certificates: []tls.Certificate{cr.Cert},
		InsecureSkipVerify: true, // the name that counts is the node's id, which VerifyConnection checks
		VerifyConnection:   p.verify(cr, x509.ExtKeyUsageServerAuth, node),
	})
	if err := t.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("dial node %s at %s: %w", node, addr, err)
	}
	return t, nil
}
