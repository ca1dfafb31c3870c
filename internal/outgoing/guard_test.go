package outgoing

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestSecretsStayOut: what signs a URL is never in an error, whatever goes wrong: errors go to logs and to rows that others read.
func TestSecretsStayOut(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://elsewhere.test/?sig=SECRET", http.StatusFound)
	}))
	defer elsewhere.Close()
	broken := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer broken.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, test := range map[string]struct {
		url  string
		nets []string
	}{
		"a forbidden address":  {elsewhere.URL + "/x?sig=SECRET", nil},
		"a forbidden redirect": {elsewhere.URL + "/x?sig=SECRET", loopback},
		"nobody listens":       {gone.URL + "/x?sig=SECRET", loopback},
		"broken off":           {broken.URL + "/x?sig=SECRET", loopback},
		"no URL":               {broken.URL + "/%zz?sig=SECRET", loopback},
	} {
		c := client(t, Policy{Allow: []string{elsewhere.URL, broken.URL, gone.URL}, Networks: test.nets})
		_, err := c.Open(t.Context(), test.url, 1<<20, t.TempDir())
		if err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestNoWayDown: https does not become http on the way, not even after it began as http.
func TestNoWayDown(t *testing.T) {
	c := client(t, Policy{Allow: []string{"http://a.test", "https://a.test"}})
	var via []*http.Request
	for _, u := range []string{"http://a.test/1", "https://a.test/2"} {
		r := httptest.NewRequest(http.MethodGet, u, nil)
		via = append(via, r)
	}
	if err := c.redirect(httptest.NewRequest(http.MethodGet, "http://a.test/3", nil), via); !errors.Is(err, ErrForbidden) {
		t.Errorf("got %v, want %v", err, ErrForbidden)
	}
	if err := c.redirect(httptest.NewRequest(http.MethodGet, "https://a.test/3", nil), via); err != nil {
		t.Errorf("https to https: %v", err)
	}
}

// TestContent: bytes that are not those that were asked for are never taken for them.
func TestContent(t *testing.T) {
	body := make([]byte, 2*blockSize)
	var answer func(w http.ResponseWriter, r *http.Request)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r) }))
	defer srv.Close()
	partial := func(contentRange string, n int) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"one"`)
			if r.Header.Get("Range") == "bytes=0-0" {
				contentRange, n = fmt.Sprintf("bytes 0-0/%d", len(body)), 1
			}
			w.Header().Set("Content-Range", contentRange)
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(body[:n])
		}
	}
	c := client(t, Policy{Allow: []string{srv.URL}, Networks: loopback})
	for name, test := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		want   error
	}{
		"another place": {func(w http.ResponseWriter, r *http.Request) {
			partial(fmt.Sprintf("bytes %d-%d/%d", blockSize, 2*blockSize-1, len(body)), blockSize)(w, r)
		}, ErrChanged},
		"all of it": {func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") == "bytes=0-0" {
				partial("", 0)(w, r)
				return
			}
			w.Header().Set("ETag", `"one"`)
			_, _ = w.Write(body)
		}, ErrChanged},
		"too few": {func(w http.ResponseWriter, r *http.Request) {
			partial(fmt.Sprintf("bytes 0-%d/%d", blockSize-1, len(body)), 100)(w, r)
		}, io.ErrUnexpectedEOF},
		"packed": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(body)
		}, ErrContent},
		"empty": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestedRangeNotSatisfiable) }, ErrContent},
	} {
		answer = test.answer
		f, err := c.Open(t.Context(), srv.URL+"/x", 1<<30, t.TempDir())
		if err == nil {
			_, err = f.ReadAt(make([]byte, 10), 0)
		}
		if !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
	answer = partial("", 0)
	f, err := c.Open(t.Context(), srv.URL+"/x", 1<<30, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("a negative offset was taken")
	}
}

// TestRebinding: a name that leads to an allowed address at first and to a forbidden one later is refused when it is dialled again.
func TestRebinding(t *testing.T) {
	var forbidden atomic.Bool
	allowed, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(allowed.Addr().String())
	inner, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	go func() {
		if conn, err := inner.Accept(); err == nil {
			forbidden.Store(true)
			conn.Close()
		}
	}()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"one"`)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader("the bytes"))
	}))
	srv.Listener.Close()
	srv.Listener = allowed
	srv.Start()
	defer srv.Close()

	var answer atomic.Pointer[[4]byte]
	answer.Store(&[4]byte{127, 0, 0, 2})
	origin := "http://rebind.test:" + port
	c, err := New(Options{Policy: Policy{Allow: []string{origin}, Networks: []string{"127.0.0.2/32"}}, Resolver: resolver(&answer)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f, err := c.Open(t.Context(), origin+"/x", 1<<20, t.TempDir())
	if err != nil {
		t.Fatalf("while the name leads to an allowed address: %v", err)
	}
	answer.Store(&[4]byte{127, 0, 0, 1})
	c.Close() // connections that are open still lead to where they were checked
	if _, err := f.ReadAt(make([]byte, 9), 0); !errors.Is(err, ErrForbidden) {
		t.Errorf("got %v, want %v", err, ErrForbidden)
	}
	if forbidden.Load() {
		t.Error("the forbidden address was reached")
	}
}

// resolver answers every name with one address.
func resolver(answer *atomic.Pointer[[4]byte]) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		us, them := net.Pipe()
		go func() {
			defer them.Close()
			for answerOne(them, answer.Load()) == nil {
			}
		}()
		return us, nil
	}}
}

// answerOne speaks DNS as over TCP (RFC 1035, 4.2.2): A has the address, everything else has no answer.
func answerOne(conn net.Conn, ip *[4]byte) error {
	var n [2]byte
	if _, err := io.ReadFull(conn, n[:]); err != nil {
		return err
	}
	ask := make([]byte, binary.BigEndian.Uint16(n[:]))
	if _, err := io.ReadFull(conn, ask); err != nil {
		return err
	}
	end := 12
	for ask[end] != 0 {
		end += int(ask[end]) + 1
	}
	end += 5
	out := append([]byte{ask[0], ask[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, ask[12:end]...)
	if binary.BigEndian.Uint16(ask[end-4:]) == 1 {
		out[7] = 1
		out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ip[0], ip[1], ip[2], ip[3])
	}
	_, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...))
	return err
}
