package pki

import (
	"errors"
	"testing"
	"time"
)

// FuzzIssue holds that whatever a stranger sends as a request gives an error or a certificate of
// exactly the node that was meant.
func FuzzIssue(f *testing.F) {
	now := time.Now()
	ca, err := NewCA("c1", now)
	if err != nil {
		f.Fatal(err)
	}
	_, csr, err := NewKey()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(csr, "127.0.0.1")
	f.Add(csr[:len(csr)/2], "")
	f.Add(ca.CertPEM(), "host.example")
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n"), "::1")
	f.Fuzz(func(t *testing.T, request []byte, host string) {
		out, err := ca.Issue(request, Node{"c1", "n1"}, []string{host}, now)
		if err != nil {
			return
		}
		cert, err := ParseCert(out)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := NodeOf(cert); err != nil || n != (Node{"c1", "n1"}) || cert.IsCA {
			t.Fatalf("issued for %v (CA: %v), %v", n, cert.IsCA, err)
		}
	})
}

// FuzzUnseal holds that what does not open gives a typed error.
func FuzzUnseal(f *testing.F) {
	ca, err := NewCA("c1", time.Now())
	if err != nil {
		f.Fatal(err)
	}
	secret := make([]byte, SecretSize)
	sealed, err := ca.Seal(secret)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte{})
	f.Add(sealed[:12])
	f.Fuzz(func(t *testing.T, in []byte) {
		if _, err := Unseal(ca.CertPEM(), in, secret); err != nil && !errors.Is(err, ErrSeal) {
			t.Fatalf("untyped error %v", err)
		}
	})
}

func TestRequestForAKeyThatANodeHas(t *testing.T) {
	key, _, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	csr, err := Request(key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := NewCA("c1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ca.Issue(csr, Node{"c1", "n1"}, nil, time.Now()); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if _, err := Request([]byte(bad)); err == nil {
			t.Errorf("a request for the key %q", bad)
		}
	}
}
