package membership

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"testing"
	"time"

	"loggia/cluster/pki"
	"loggia/internal/digest"
)

// shows is what a server shows: its own certificate and those that follow.
func shows(t *testing.T, issuer *pki.CA, follow ...*pki.CA) tls.Certificate {
	t.Helper()
	key, csr, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	chain, err := issuer.Issue(csr, pki.Node{Cluster: "c1", ID: "n1"}, []string{"127.0.0.1"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, ca := range follow {
		chain = append(chain, ca.CertPEM()...)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// call does a handshake and returns how it ended for the caller.
func call(t *testing.T, server tls.Certificate, conf *tls.Config) error {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{server}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c, err := l.Accept(); err == nil {
			_ = c.(*tls.Conn).HandshakeContext(t.Context()) // the caller's word counts
			c.Close()
		}
	}()
	defer func() { l.Close(); <-done }()
	c, err := (&tls.Dialer{Config: conf}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		return err
	}
	return c.Close()
}

func TestTrustIsForTheTokensClusterOnly(t *testing.T) {
	newCA := func() *pki.CA {
		ca, err := pki.NewCA("c1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return ca
	}
	ca, other := newCA(), newCA()
	later := func() time.Time { return time.Now().Add(pki.NodeLife + time.Hour) }
	leaf := shows(t, ca)
	alone, err := x509.ParseCertificate(leaf.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		shown tls.Certificate
		hash  digest.Digest
		now   func() time.Time
		ok    bool
	}{
		{"the cluster", shows(t, ca, ca), ca.Hash(), time.Now, true},
		{"another cluster", shows(t, other, other), ca.Hash(), time.Now, false},
		{"no CA is shown", leaf, ca.Hash(), time.Now, false},
		{"another cluster that shows our CA", shows(t, other, other, ca), ca.Hash(), time.Now, false},
		{"a node instead of a CA", leaf, digest.Of(alone.Raw), time.Now, false},
		{"expired", shows(t, ca, ca), ca.Hash(), later, false},
	} {
		err := call(t, tc.shown, Trust(tc.hash, tc.now))
		if (err == nil) != tc.ok || !tc.ok && !errors.Is(err, ErrUntrusted) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if block, _ := pem.Decode(ca.CertPEM()); digest.Of(block.Bytes) != ca.Hash() {
		t.Error("the hash is not of the certificate's DER")
	}
}
