// Package bulk dials TLS for HTTP clients of large bodies: those of requests lie in memory, and answers are read in large parts.
package bulk

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

// Dial connects without TLS, as http.Transport.DialContext.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// TLS returns an http.Transport.DialTLSContext for HTTP/1.1: dial connects, and the handshake with conf may take timeout. The
// server's name is the address's host where conf has none.
func TLS(dial Dial, conf *tls.Config, timeout time.Duration) Dial {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, fmt.Errorf("dial TLS: %w", err)
		}
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		own := conf.Clone()
		own.NextProtos = []string{"http/1.1"}
		if own.ServerName == "" {
			own.ServerName = host
		}
		t := tls.Client(newAhead(c), own)
		if err := shake(ctx, t, timeout); err != nil {
			c.Close()
			return nil, err
		}
		return &conn{t}, nil
	}
}

// shake does the handshake. A deadline of ctx would look like the caller's own.
func shake(ctx context.Context, t *tls.Conn, timeout time.Duration) error {
	if err := t.SetDeadline(time.Now().Add(timeout)); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	return t.SetDeadline(time.Time{})
}
