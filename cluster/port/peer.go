package port

import (
	"context"
	"crypto/tls"
	"net"

	"loggia/cluster/pki"
)

// PeerConn is a connection of a verified node. It hides that it is TLS: net/http would look for a server of
// the protocol that was negotiated, and close it.
type PeerConn struct {
	net.Conn
	Node string // UUID, from the certificate
}

// peerListener names the nodes.
type peerListener struct{ *queue }

// Accept implements net.Listener.
func (l peerListener) Accept() (net.Conn, error) {
	for {
		c, err := l.queue.Accept()
		if err != nil {
			return nil, err
		}
		if t, ok := c.(*tls.Conn); ok {
			if chain := t.ConnectionState().PeerCertificates; len(chain) > 0 {
				if n, err := pki.NodeOf(chain[0]); err == nil {
					return &PeerConn{c, n.ID}, nil
				}
			}
		}
		c.Close()
	}
}

type peerKey struct{}

// PeerContext is an http.Server's ConnContext for connections of Peers.
func PeerContext(ctx context.Context, c net.Conn) context.Context {
	if p, ok := c.(*PeerConn); ok {
		return context.WithValue(ctx, peerKey{}, p.Node)
	}
	return ctx
}

// PeerFrom returns the node whose connection a request came over.
func PeerFrom(ctx context.Context) (string, bool) {
	id, ok := ctx.Value(peerKey{}).(string)
	return id, ok
}
