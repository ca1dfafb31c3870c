package ranged

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const secret = "X-Amz-Signature=0123456789"

// store answers with TLS and returns a client that trusts it.
func store(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	c, err := New(Options{Origin: srv.URL, CA: certificate(srv.Certificate()), Stall: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func certificate(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// honest serves what was asked for.
func honest(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(strings.Repeat("0123456789", 100)))
}

func TestGet(t *testing.T) {
	var asked *http.Request
	c := store(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Clone(r.Context())
		honest(w, r)
	})
	body, err := c.Get(t.Context(), "/bucket/key?"+secret, 5, 20)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(body)
	if err != nil || string(b) != "56789012345678901234" {
		t.Errorf("got %q, %v", b, err)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	if asked.RequestURI != "/bucket/key?"+secret || asked.Header.Get("Range") != "bytes=5-24" || asked.Header.Get("Authorization") != "" || len(asked.Cookies()) > 0 {
		t.Errorf("asked for %s with %v", asked.RequestURI, asked.Header)
	}
}

func TestBadAnswers(t *testing.T) {
	head := func(w http.ResponseWriter, status int, span string, n int) {
		w.Header().Set("Content-Range", span)
		w.Header().Set("Content-Length", fmt.Sprint(n))
		w.WriteHeader(status)
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"the whole object": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 1000)) }, ErrRefused},
		"forbidden": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "Request has expired "+secret, http.StatusForbidden)
		}, ErrRefused},
		"elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://127.0.0.1:1/", http.StatusFound)
		},
			ErrRefused},
		"other range":    {func(w http.ResponseWriter, _ *http.Request) { head(w, 206, "bytes 6-25/1000", 20) }, ErrAnswer},
		"no range":       {func(w http.ResponseWriter, _ *http.Request) { head(w, 206, "", 20) }, ErrAnswer},
		"beyond its end": {func(w http.ResponseWriter, _ *http.Request) { head(w, 206, "bytes 5-24/24", 20) }, ErrAnswer},
		"too long":       {func(w http.ResponseWriter, _ *http.Request) { head(w, 206, "bytes 5-24/1000", 1<<30) }, ErrAnswer},
		"no length": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 5-24/1000")
			w.WriteHeader(206)
			w.(http.Flusher).Flush()
			fmt.Fprint(w, strings.Repeat("x", 1000))
		}, ErrAnswer},
		"too short": {func(w http.ResponseWriter, _ *http.Request) {
			head(w, 206, "bytes 5-24/1000", 20)
			fmt.Fprint(w, "short")
		}, ErrAnswer},
		"no more bytes": {func(w http.ResponseWriter, r *http.Request) {
			head(w, 206, "bytes 5-24/1000", 20)
			fmt.Fprint(w, "stuck")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, errStalled},
		"endless head": {func(w http.ResponseWriter, _ *http.Request) {
			for i := range 2000 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 100))
			}
			w.WriteHeader(206)
		}, nil},
		"no answer": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := store(t, c.answer).Get(t.Context(), "/bucket/key?"+secret, 5, 20)
			if err == nil {
				_, err = io.ReadAll(body)
				if cerr := body.Close(); cerr != nil {
					t.Error(cerr)
				}
			}
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Fatalf("got error %v, want %v", err, c.want)
			}
			if strings.Contains(err.Error(), "Signature") {
				t.Errorf("the error repeats the link: %v", err)
			}
		})
	}
}

// TestNobodyElse: what is asked for is asked of the origin, and redirects are not followed.
func TestNobodyElse(t *testing.T) {
	var asked atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer other.Close()
	c := store(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/elsewhere", http.StatusTemporaryRedirect)
	})
	for _, path := range []string{"/key", other.URL + "/key", "//" + strings.TrimPrefix(other.URL, "http://") + "/key", "key", "", "/a b\x00", "@" + other.URL} {
		if _, err := c.Get(t.Context(), path, 0, 1); err == nil {
			t.Errorf("followed %q", path)
		}
	}
	if _, err := c.Get(t.Context(), "/"+strings.Repeat("x", MaxPath), 0, 1); !errors.Is(err, ErrOrigin) {
		t.Errorf("a long path: %v", err)
	}
	if asked.Load() > 0 {
		t.Errorf("%d requests went elsewhere", asked.Load())
	}
}

func TestOrigins(t *testing.T) {
	for origin, good := range map[string]bool{
		"https://store.example": true, "https://[::1]:9000": true, "http://store.example": false, "ftp://store.example": false, "": false,
		"https://": false, "https://user:pass@store.example": false, "https://store.example/path": false, "https://store.example?x": false,
		"store.example": false, "file:///etc/passwd": false,
	} {
		if _, err := New(Options{Origin: origin}); (err == nil) != good || !good && !errors.Is(err, ErrOrigin) {
			t.Errorf("origin %q: %v, want good %v", origin, err, good)
		}
	}
	if _, err := New(Options{Origin: "http://store.example", Insecure: true}); err != nil {
		t.Error(err)
	}
	for _, ca := range [][]byte{[]byte("nonsense"), bytes.Repeat([]byte("x"), maxCA+1)} {
		if _, err := New(Options{Origin: "https://store.example", CA: ca}); !errors.Is(err, ErrOrigin) {
			t.Errorf("a CA of %d bytes: %v", len(ca), err)
		}
	}
}

// TestCertificate: nobody is believed whom the CA does not vouch for.
func TestCertificate(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(honest))
	defer srv.Close()
	c, err := New(Options{Origin: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Get(t.Context(), "/key", 0, 1); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority: %v", err)
	}
}

// TestAddresses: links lead to no address that only this machine's surroundings answer at.
func TestAddresses(t *testing.T) {
	for _, host := range []string{"169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "0.0.0.0", "224.0.0.1"} {
		c, err := New(Options{Origin: "http://" + host, Insecure: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Get(t.Context(), "/latest/meta-data", 0, 1); !errors.Is(err, ErrOrigin) {
			t.Errorf("%s: %v, want %v", host, err, ErrOrigin)
		}
		c.Close()
	}
}
