package bulk

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// echo is a server that answers the body, and a client of it that dials with TLS.
func echo(t *testing.T) (string, *http.Client) {
	t.Helper()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b, err := io.ReadAll(r.Body); err == nil {
			_, _ = w.Write(b)
		}
	}))
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	tr := &http.Transport{DialTLSContext: TLS((&net.Dialer{}).DialContext, &tls.Config{RootCAs: roots}, time.Minute)}
	t.Cleanup(tr.CloseIdleConnections)
	return srv.URL, &http.Client{Transport: tr}
}

// lying lies in memory, and remembers whether it was asked to write itself.
type lying struct {
	*bytes.Reader
	wrote bool
}

func (l *lying) WriteTo(w io.Writer) (int64, error) {
	l.wrote = true
	return l.Reader.WriteTo(w)
}

func (*lying) Close() error { return nil }

func TestBodies(t *testing.T) {
	url, client := echo(t)
	data := bytes.Repeat([]byte("some bytes "), 300_000)
	for _, tc := range []struct {
		name   string
		length int64
		body   func(b *lying) io.Reader
		fails  bool
		direct bool
	}{
		{"that lies in memory", int64(len(data)), func(b *lying) io.Reader { return b }, false, true},
		{"that is read", int64(len(data)), func(b *lying) io.Reader { return struct{ io.Reader }{b.Reader} }, false, false},
		{"of unknown length", -1, func(b *lying) io.Reader { return b }, false, true}, // net/http asks it itself
		{"that is longer than was said", int64(len(data)) - 1, func(b *lying) io.Reader { return b }, true, true},
		{"that is shorter than was said", int64(len(data)) + 1, func(b *lying) io.Reader { return b }, true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := &lying{Reader: bytes.NewReader(data)}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, tc.body(b))
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = tc.length
			resp, err := client.Do(req)
			if err == nil {
				defer resp.Body.Close()
				var got []byte
				if got, err = io.ReadAll(resp.Body); err == nil && !bytes.Equal(got, data) {
					t.Errorf("%d bytes arrived of %d, or others", len(got), len(data))
				}
			}
			if (err != nil) != tc.fails {
				t.Errorf("error %v, want one: %t", err, tc.fails)
			}
			if b.wrote != tc.direct {
				t.Errorf("wrote itself: %t, want %t", b.wrote, tc.direct)
			}
		})
	}
}

func TestHandshakeFails(t *testing.T) {
	url, _ := echo(t)
	addr := url[len("https://"):]
	var d net.Dialer
	if _, err := TLS(d.DialContext, &tls.Config{}, time.Minute)(t.Context(), "tcp", addr); !errors.As(err, new(x509.UnknownAuthorityError)) {
		t.Errorf("unknown CA: %v", err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	var timeout net.Error
	if _, err := TLS(d.DialContext, &tls.Config{}, time.Millisecond)(t.Context(), "tcp", silent.Addr().String()); !errors.As(err, &timeout) || !timeout.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody answers: %v, want a timeout of its own", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		defer cancel()
		return d.DialContext(ctx, network, addr)
	}
	if _, err := TLS(dial, &tls.Config{}, time.Minute)(ctx, "tcp", silent.Addr().String()); !errors.Is(err, context.Canceled) {
		t.Errorf("called back: %v", err)
	}
	if _, err := TLS(d.DialContext, &tls.Config{}, time.Minute)(t.Context(), "tcp", "nowhere"); err == nil {
		t.Error("an address without a port")
	}
}
