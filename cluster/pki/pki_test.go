package pki

import (
	"bytes"
	"crypto/x509"
	"errors"
	"testing"
	"time"
)

func issue(t *testing.T, ca *CA, n Node, now time.Time) *x509.Certificate {
	t.Helper()
	_, csr, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	b, err := ca.Issue(csr, n, []string{"127.0.0.1", "node.example"}, now)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ParseCert(b)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestVerify(t *testing.T) {
	now := time.Now()
	ca, err := NewCA("c1", now)
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewCA("c1", now)
	if err != nil {
		t.Fatal(err)
	}
	good := issue(t, ca, Node{"c1", "n1"}, now)
	for _, tc := range []struct {
		name    string
		chain   []*x509.Certificate
		cluster string
		at      time.Time
		ok      bool
	}{
		{"good", []*x509.Certificate{good}, "c1", now, true},
		{"no certificate", nil, "c1", now, false},
		{"another cluster's name", []*x509.Certificate{good}, "c2", now, false},
		{"another authority", []*x509.Certificate{issue(t, other, Node{"c1", "n1"}, now)}, "c1", now, false},
		{"expired", []*x509.Certificate{good}, "c1", now.Add(NodeLife + time.Hour), false},
		{"the authority itself", []*x509.Certificate{ca.cert}, "c1", now, false},
	} {
		n, err := Verify(tc.chain, ca.cert, tc.cluster, x509.ExtKeyUsageClientAuth, tc.at)
		if (err == nil) != tc.ok || tc.ok && n.ID != "n1" || !tc.ok && !errors.Is(err, ErrPeer) {
			t.Errorf("%s: node %v, error %v", tc.name, n, err)
		}
	}
	if at := RenewAt(good); !at.After(now.Add(NodeLife/2)) || !at.Before(good.NotAfter) {
		t.Errorf("renewal at %v of a certificate until %v", at, good.NotAfter)
	}
}

func TestSeal(t *testing.T) {
	ca, err := NewCA("c1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	secret := bytes.Repeat([]byte{7}, SecretSize)
	sealed, err := ca.Seal(secret)
	if err != nil {
		t.Fatal(err)
	}
	if der, _ := x509.MarshalPKCS8PrivateKey(ca.key); bytes.Contains(sealed, der[len(der)-32:]) {
		t.Fatal("the sealed key holds the plain one")
	}
	back, err := Unseal(ca.CertPEM(), sealed, secret)
	if err != nil || !back.key.Equal(ca.key) || back.Hash() != ca.Hash() {
		t.Fatalf("Unseal: %v", err)
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := Unseal(ca.CertPEM(), bad, secret); !errors.Is(err, ErrSeal) {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
	}
	if _, err := Unseal(ca.CertPEM(), sealed, bytes.Repeat([]byte{8}, SecretSize)); !errors.Is(err, ErrSeal) {
		t.Fatalf("wrong secret: %v", err)
	}
}
