package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// ErrPeer is returned for a certificate that does not speak for the node that is expected.
var ErrPeer = errors.New("peer certificate")

const scheme = "loggia"

func clusterURI(cluster string) *url.URL { return &url.URL{Scheme: scheme, Host: cluster} }

func nodeURI(n Node) *url.URL {
	return &url.URL{Scheme: scheme, Host: n.Cluster, Path: "/node/" + n.ID}
}

// NodeOf returns who a node's certificate speaks for. It verifies nothing.
func NodeOf(cert *x509.Certificate) (Node, error) {
	for _, u := range cert.URIs {
		if id, ok := strings.CutPrefix(u.Path, "/node/"); ok && u.Scheme == scheme && id != "" {
			return Node{Cluster: u.Host, ID: id}, nil
		}
	}
	return Node{}, fmt.Errorf("%w: names no node", ErrPeer)
}

// Verify holds a chain (leaf first) against the authority and returns the node it speaks for.
// usage is for a server or a client.
func Verify(chain []*x509.Certificate, ca *x509.Certificate, cluster string, usage x509.ExtKeyUsage, now time.Time) (Node, error) {
	if len(chain) == 0 {
		return Node{}, fmt.Errorf("%w: none was shown", ErrPeer)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	if _, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
		return Node{}, fmt.Errorf("%w: %w", ErrPeer, err)
	}
	n, err := NodeOf(chain[0])
	if err == nil && n.Cluster != cluster {
		err = fmt.Errorf("%w: is of cluster %s, want %s", ErrPeer, n.Cluster, cluster)
	}
	return n, err
}

// RenewAt is when a certificate's owner asks for a new one.
func RenewAt(cert *x509.Certificate) time.Time {
	return cert.NotBefore.Add(cert.NotAfter.Sub(cert.NotBefore) * 2 / 3)
}
