package storetest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"loggia/blobstore"
	"loggia/internal/ranged"
)

// testLinks: a link opens one range of one object for a while, and nothing else.
func testLinks(t *testing.T, s blobstore.Store) {
	l, ok := blobstore.LinkerOf(s)
	if !ok {
		return
	}
	data := content("linked", 3<<20)
	put(t, s, "a/linked", data)
	put(t, s, "a/other", data)
	t.Run("Range", func(t *testing.T) { linkedRange(t, l, data) })
	t.Run("NothingElse", func(t *testing.T) { nothingElse(t, l) })
	t.Run("RunsOut", func(t *testing.T) { runsOut(t, l) })
	t.Run("Refused", func(t *testing.T) { refusedLinks(t, l) })
	if got := list(t, s, "", ""); len(got) != 2 {
		t.Errorf("list shows %q after what links must not do", got)
	}
	wantContent(t, s, "a/linked", data)
}

func link(t *testing.T, l blobstore.Linker, key string, off, n int64, life time.Duration) blobstore.Link {
	t.Helper()
	made, err := l.Link(within(t), key, off, n, life)
	if err != nil {
		t.Fatal(err)
	}
	if shown := fmt.Sprintf("%v %+v %#v", made, made, made); strings.Contains(shown, "Signature") {
		t.Errorf("a link shows its secret: %s", shown)
	}
	return made
}

func linkedRange(t *testing.T, l blobstore.Linker, data []byte) {
	for _, r := range [][2]int64{{0, 1}, {0, int64(len(data))}, {1000, 1 << 20}, {int64(len(data)) - 5, 5}} {
		made := link(t, l, "a/linked", r[0], r[1], time.Minute)
		c, err := ranged.New(ranged.Options{Origin: made.Origin, CA: made.CA})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			body, err := c.Get(within(t), made.Path, r[0], r[1])
			if err != nil {
				t.Fatalf("%d bytes at %d: %v", r[1], r[0], err)
			}
			got, err := io.ReadAll(body)
			if err != nil || !bytes.Equal(got, data[r[0]:r[0]+r[1]]) {
				t.Errorf("%d bytes at %d: got %d, %v", r[1], r[0], len(got), err)
			}
			if err := body.Close(); err != nil {
				t.Error(err)
			}
		}
		c.Close()
	}
}

// nothingElse changes one thing after the other of a good request.
func nothingElse(t *testing.T, l blobstore.Linker) {
	made := link(t, l, "a/linked", 100, 50, time.Minute)
	for name, change := range map[string]func(*http.Request){
		"other range":    func(r *http.Request) { r.Header.Set("Range", "bytes=100-150") },
		"earlier":        func(r *http.Request) { r.Header.Set("Range", "bytes=0-149") },
		"to the end":     func(r *http.Request) { r.Header.Set("Range", "bytes=100-") },
		"no range":       func(r *http.Request) { r.Header.Del("Range") },
		"two headers":    func(r *http.Request) { r.Header["Range"] = []string{"bytes=0-9", "bytes=100-149"} },
		"two and first":  func(r *http.Request) { r.Header["Range"] = []string{"bytes=100-149", "bytes=0-9"} },
		"two ranges":     func(r *http.Request) { r.Header.Set("Range", "bytes=100-149,200-299") },
		"other spelling": func(r *http.Request) { r.Header.Del("Range"); r.Header["range"] = []string{"bytes=0-9"} },
		"other key":      func(r *http.Request) { r.URL.Path = strings.Replace(r.URL.Path, "linked", "other", 1) },
		"head":           func(r *http.Request) { r.Method = http.MethodHead },
		"delete":         func(r *http.Request) { r.Method = http.MethodDelete },
		"put":            func(r *http.Request) { r.Method, r.Body = http.MethodPut, io.NopCloser(strings.NewReader("x")) },
		"unsigned": func(r *http.Request) {
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "SignedHeaders=host%3Brange", "SignedHeaders=host", 1)
			r.Header.Del("Range")
		},
		"longer life": func(r *http.Request) {
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "Expires=60", "Expires=3600", 1)
		},
	} {
		if status := follow(t, made, change); status/100 == 2 {
			t.Errorf("%s: status %d", name, status)
		}
	}
	if status := follow(t, made, func(*http.Request) {}); status != http.StatusPartialContent {
		t.Errorf("as it is: status %d", status)
	}
}

// follow sends the right request of nothingElse, changed.
func follow(t *testing.T, l blobstore.Link, change func(*http.Request)) int {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(l.CA)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(within(t), http.MethodGet, l.Origin+l.Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Range", "bytes=100-149")
	change(req)
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // only the status is of interest
	return resp.StatusCode
}

func runsOut(t *testing.T, l blobstore.Linker) {
	made := link(t, l, "a/linked", 100, 50, time.Second)
	deadline := time.Now().Add(patience)
	for follow(t, made, func(*http.Request) {}) == http.StatusPartialContent {
		if time.Now().After(deadline) {
			t.Fatal("a link of one second does not run out")
		}
	}
}

func refusedLinks(t *testing.T, l blobstore.Linker) {
	for _, r := range [][2]int64{{-1, 10}, {0, 0}, {0, -1}, {0, blobstore.MaxObject + 1}, {1, blobstore.MaxObject}, {1 << 62, 1 << 62}} {
		_, err := l.Link(within(t), "a/linked", r[0], r[1], time.Minute)
		wantError(t, fmt.Sprintf("link to %d bytes at %d", r[1], r[0]), err, blobstore.ErrRange)
	}
	for _, life := range []time.Duration{0, -time.Second, time.Millisecond, blobstore.MaxLinkLife + 1} {
		if _, err := l.Link(within(t), "a/linked", 0, 1, life); err == nil {
			t.Errorf("a link for %v", life)
		}
	}
	_, err := l.Link(within(t), "../a", 0, 1, time.Minute)
	wantError(t, "link to ../a", err, blobstore.ErrInvalidKey)
}
