package outgoing

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

func client(t *testing.T, p Policy) *Client {
	t.Helper()
	c, err := New(Options{Policy: p})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

var loopback = []string{"127.0.0.0/8", "::1/128"}

func TestCheck(t *testing.T) {
	c := client(t, Policy{Allow: []string{"https://images.example.org", "https://*.cdn.example.org:8443", "http://plain.example.org:8080"}})
	for text, want := range map[string]error{
		"https://images.example.org/a?b=c":       nil,
		"https://IMAGES.example.org.:443/a":      nil,
		"https://x.cdn.example.org:8443/":        nil,
		"http://plain.example.org:8080/":         nil,
		"https://cdn.example.org:8443/":          ErrForbidden,
		"https://evilcdn.example.org:8443/":      ErrForbidden,
		"https://images.example.org:444/":        ErrForbidden,
		"http://images.example.org/":             ErrForbidden,
		"https://images.example.org.evil.com/":   ErrForbidden,
		"https://user@images.example.org/":       ErrInvalid,
		"https://images.example.org/#x":          ErrInvalid,
		"file:///etc/passwd":                     ErrInvalid,
		"ftp://images.example.org/":              ErrInvalid,
		"//images.example.org/":                  ErrInvalid,
		"https:images.example.org":               ErrInvalid,
		"https://images.example.org\\@evil.com/": ErrInvalid,
		"https://" + strings.Repeat("a", maxURL): ErrInvalid,
	} {
		if err := c.Check(text); !errors.Is(err, want) {
			t.Errorf("%.60s: got %v, want %v", text, err, want)
		}
	}
	if err := client(t, Policy{}).Check("https://example.org/"); !errors.Is(err, ErrForbidden) {
		t.Errorf("the empty policy: got %v", err)
	}
	for _, bad := range []Policy{{Allow: []string{"example.org"}}, {Allow: []string{"https://example.org/path"}}, {Networks: []string{"10.0.0.1"}}, {Allow: []string{"https://*"}}, {Allow: []string{"https://*."}}, {Allow: []string{"https://a.*.org"}}} {
		if _, err := New(Options{Policy: bad}); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}

func TestDials(t *testing.T) {
	r, err := Policy{Networks: []string{"10.1.0.0/16"}}.rules()
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{
		"93.184.216.34:443": true, "[2606:2800:220:1::1]:443": true, "10.1.2.3:80": true, "[::ffff:10.1.2.3]:80": true,
		"127.0.0.1:80": false, "[::1]:80": false, "10.2.0.1:80": false, "169.254.169.254:80": false, "[fe80::1]:80": false, "[fd00::1]:80": false,
		"0.0.0.0:80": false, "[::]:80": false, "224.0.0.1:80": false, "100.64.0.1:80": false, "[::ffff:127.0.0.1]:80": false, "[64:ff9b::7f00:1]:80": false,
		"192.168.1.1:80": false, "172.16.0.1:80": false, "255.255.255.255:80": false, "[2002:7f00:1::]:80": false, "nonsense": false,
	} {
		if err := r.dials(addr); (err == nil) != want {
			t.Errorf("%s: got %v, want allowed %v", addr, err, want)
		}
	}
}

// TestDialled: what counts is the address that is dialled, however the URL writes it.
func TestDialled(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { t.Error("a forbidden address was reached") }))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost", "0x7f.1", "2130706433", "127.1", "[::ffff:127.0.0.1]"} {
		origin := "http://" + host + ":" + port
		c := client(t, Policy{Allow: []string{origin}})
		if _, err := c.Open(t.Context(), origin+"/x", 1<<20, t.TempDir()); err == nil {
			t.Errorf("%s was fetched", origin)
		}
	}
}

func TestRedirects(t *testing.T) {
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer inner.Close()
	var target string
	outer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, http.StatusFound) }))
	defer outer.Close()
	c := client(t, Policy{Allow: []string{outer.URL}, Networks: loopback})
	for name, to := range map[string]string{"another origin": inner.URL, "a file": "file:///etc/passwd", "itself, for ever": outer.URL + "/again", "with a user": strings.Replace(outer.URL, "://", "://u@", 1)} {
		target = to
		if _, err := c.Open(t.Context(), outer.URL+"/x", 1<<20, t.TempDir()); !errors.Is(err, ErrForbidden) && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func content(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestFile(t *testing.T) {
	want := content(3*blockSize + 12345)
	for name, h := range map[string]http.HandlerFunc{
		"ranges": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"one"`)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(want))
		},
		"no ranges": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(want) },
		"ranges, no etag": func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(want))
		},
	} {
		srv := httptest.NewServer(h)
		c := client(t, Policy{Allow: []string{srv.URL}, Networks: loopback})
		f, err := c.Open(t.Context(), srv.URL+"/x", 1<<30, t.TempDir())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(want))
		}
		p := make([]byte, 100)
		if n, err := f.ReadAt(p, blockSize-50); n != 100 || err != nil || !bytes.Equal(p, want[blockSize-50:blockSize+50]) {
			t.Errorf("%s: a read over two blocks: %d, %v", name, n, err)
		}
		if n, err := f.ReadAt(p, f.Size()-10); n != 10 || !errors.Is(err, io.EOF) {
			t.Errorf("%s: a read over the end: %d, %v", name, n, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if _, err := c.Open(t.Context(), srv.URL+"/x", 1000, t.TempDir()); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: above the bound: %v", name, err)
		}
		srv.Close()
	}
}

func TestFileThatChanges(t *testing.T) {
	tag := `"one"`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content(2*blockSize)))
	}))
	defer srv.Close()
	c := client(t, Policy{Allow: []string{srv.URL}, Networks: loopback})
	f, err := c.Open(t.Context(), srv.URL+"/x", 1<<30, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	tag = `"two"`
	if _, err := f.ReadAt(make([]byte, 10), 0); !errors.Is(err, ErrChanged) {
		t.Errorf("got %v, want %v", err, ErrChanged)
	}
}

func TestStatuses(t *testing.T) {
	for code, want := range map[int]error{404: ErrMissing, 410: ErrMissing, 401: ErrRefused, 403: ErrRefused, 400: ErrRefused, 409: ErrRefused, 429: errStatus, 500: errStatus, 301: errStatus} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		_, err := client(t, Policy{Allow: []string{srv.URL}, Networks: loopback}).Open(t.Context(), srv.URL, 1, t.TempDir())
		if !errors.Is(err, want) && !(code == 301 && err != nil) {
			t.Errorf("%d: got %v, want %v", code, err, want)
		}
		if Permanent(err) != (code/100 == 4 && code != 429) {
			t.Errorf("%d: permanent is %v", code, Permanent(err))
		}
		srv.Close()
	}
}

func TestCancelled(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer srv.Close()
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := client(t, Policy{Allow: []string{srv.URL}, Networks: loopback}).Open(ctx, srv.URL, 1, t.TempDir()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{"https://images.example.org/a", "https://images.example.org@evil/", "https://[::1]/", "http://0x7f.1/", "https://a.images.example.org:443/%2f"} {
		f.Add(s)
	}
	c, err := New(Options{Policy: Policy{Allow: []string{"https://images.example.org"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if c.Check(s) != nil {
			return
		}
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "https" || !strings.EqualFold(strings.TrimSuffix(u.Hostname(), "."), "images.example.org") || u.User != nil {
			t.Fatalf("%q is allowed", s)
		}
	})
}

// TestNoRoom: a source that says that it is larger than half of what is free is not begun, and may be tried again.
func TestNoRoom(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.FormatInt(1<<60, 10))
		_, _ = w.Write([]byte("the first bytes"))
	}))
	defer srv.Close()
	_, err := client(t, Policy{Allow: []string{srv.URL}, Networks: loopback}).Open(t.Context(), srv.URL, 1<<62, t.TempDir())
	if !errors.Is(err, ErrNoRoom) || Permanent(err) {
		t.Errorf("got %v, permanent %v; want %v", err, Permanent(err), ErrNoRoom)
	}
}
