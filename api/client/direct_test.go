package client

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"loggia/api/v1"
	"loggia/internal/digest"
	"loggia/internal/ranged"
	"loggia/transfer/chunk"
	"loggia/transfer/pull"
)

// region is a node and its store, both of which a test may turn hostile.
type region struct {
	t        *testing.T
	pack     []byte
	links    v1.Links
	answer   func(w http.ResponseWriter) // of the node; nil: links
	store    *httptest.Server
	serve    http.HandlerFunc // of the store
	asked    atomic.Int64     // requests to the node
	followed atomic.Int64     // requests to the store
	direct   *Direct
}

// frameSize is the length of each frame in a range of the region.
const frameSize = 1000

func newRegion(t *testing.T) *region {
	t.Helper()
	g := &region{t: t, pack: bytes.Repeat([]byte("0123456789"), 1000)}
	g.serve = func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(g.pack))
	}
	g.store = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.followed.Add(1)
		if r.Header.Get("Authorization") != "" || len(r.Cookies()) > 0 {
			t.Error("the store is told who asks")
		}
		g.serve(w, r)
	}))
	t.Cleanup(g.store.Close)
	node := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.asked.Add(1)
		if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/disks/os/links") || r.Header.Get("Authorization") != "Bearer a-token" {
			t.Errorf("%s %s with %v", r.Method, r.URL.Path, r.Header)
		}
		if g.answer != nil {
			g.answer(w)
			return
		}
		_ = json.NewEncoder(w).Encode(g.links)
	}))
	t.Cleanup(node.Close)
	g.links = v1.Links{Origin: g.store.URL, CA: pemOf(g.store.Certificate()), Seconds: 300}
	for i := range int64(4) {
		g.links.Ranges = append(g.links.Ranges, v1.LinkRange{Path: fmt.Sprintf("/bucket/p?X-Amz-Signature=secret%d", i), Offset: i * 2 * frameSize,
			Length: 2 * frameSize, Frames: []v1.LinkFrame{frameOf(2 * i), frameOf(2*i + 1)}})
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte(pemOf(node.Certificate())), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Addresses: []string{node.URL}, Token: "a-token", CACert: ca})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	g.direct = c.Disk("g", "i", "1.0.0", -1).Direct()
	t.Cleanup(g.direct.Close)
	return g
}

func pemOf(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func frameOf(i int64) v1.LinkFrame {
	return v1.LinkFrame{Stored: frameSize, Chunks: []v1.LinkChunk{{ID: digest.Of([]byte{byte(i)}), Length: frameSize}}}
}

// fetch returns how many frames came, each as it lies in the pack.
func (g *region) fetch(ctx context.Context) (came int, err error) {
	g.t.Helper()
	err = g.direct.Fetch(ctx, []pull.Want{{Span: 0, IDs: []chunk.ID{digest.Of(nil)}}}, func(stored []byte, refs []chunk.Ref) error {
		if len(stored) != frameSize || len(refs) != 1 {
			g.t.Errorf("a frame of %d bytes and %d chunks", len(stored), len(refs))
		}
		came++
		return nil
	})
	return came, err
}

func TestDirectReadsFromTheStore(t *testing.T) {
	g := newRegion(t)
	if came, err := g.fetch(t.Context()); came != 8 || err != nil || g.direct.Trouble() != nil || g.followed.Load() != 4 {
		t.Errorf("%d frames by %d requests, %v, %v", came, g.followed.Load(), err, g.direct.Trouble())
	}
	stop := errors.New("the disk is full")
	err := g.direct.Fetch(t.Context(), []pull.Want{{Span: 0}}, func([]byte, []chunk.Ref) error { return stop })
	if err != stop {
		t.Errorf("got %v, want what the caller said", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.fetch(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// TestHostileNode: nothing that a node answers makes the client ask elsewhere, trust anybody, or take what has no bound.
func TestHostileNode(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("somebody else was asked") }))
	defer elsewhere.Close()
	for name, c := range map[string]struct {
		change func(g *region)
		want   error // in the trouble; nil: any
	}{
		"plain http":       {func(g *region) { g.links.Origin = elsewhere.URL }, ranged.ErrOrigin},
		"no origin":        {func(g *region) { g.links.Origin = "" }, errLinks},
		"no ranges at all": {func(g *region) { g.links.Origin, g.links.Ranges, g.links.Seconds = "", nil, 0 }, errNoLinks},
		"another CA":       {func(g *region) { g.links.CA = "" }, nil},
		"no CA":            {func(g *region) { g.links.CA = "nonsense" }, ranged.ErrOrigin},
		"a path of hosts":  {func(g *region) { g.links.Ranges[0].Path = elsewhere.URL + "/x"; g.links.Ranges = g.links.Ranges[:1] }, ranged.ErrOrigin},
		"two slashes": {func(g *region) {
			g.links.Ranges[0].Path = "//" + elsewhere.URL[7:]
			g.links.Ranges = g.links.Ranges[:1]
		}, ranged.ErrOrigin},
		"a user": {func(g *region) { g.links.Origin = "https://x@" + elsewhere.URL[7:] }, ranged.ErrOrigin},
		"metadata": {func(g *region) { g.links.Origin, g.links.Insecure, g.links.CA = "http://169.254.169.254", true, "" },
			ranged.ErrOrigin},
		"a range without end":  {func(g *region) { g.links.Ranges[0].Length = 1 << 40 }, errLinks},
		"a negative range":     {func(g *region) { g.links.Ranges[0].Offset = -1 }, errLinks},
		"overflow":             {func(g *region) { g.links.Ranges[0].Offset = 1<<63 - 1 }, errLinks},
		"frames beyond it":     {func(g *region) { g.links.Ranges[0].Frames = append(g.links.Ranges[0].Frames, frameOf(9)) }, errLinks},
		"a frame of no bytes":  {func(g *region) { g.links.Ranges[0].Frames[0].Stored = 0 }, errLinks},
		"a frame of no chunks": {func(g *region) { g.links.Ranges[0].Frames[0].Chunks = nil }, errLinks},
		"too many chunks":      {func(g *region) { g.links.Ranges[0].Frames[0].Chunks = make([]v1.LinkChunk, 5000) }, errLinks},
		"too many ranges": {func(g *region) {
			for len(g.links.Ranges) <= v1.MaxLinkRanges {
				g.links.Ranges = append(g.links.Ranges, g.links.Ranges[0])
			}
		}, errLinks},
		"for ever": {func(g *region) { g.links.Seconds = 1 << 30 }, errLinks},
		"no JSON": {func(g *region) {
			g.answer = func(w http.ResponseWriter) { fmt.Fprint(w, "<html>X-Amz-Signature=secret") }
		}, errLinks},
		"an answer without end": {func(g *region) {
			g.answer = func(w http.ResponseWriter) {
				line := bytes.Repeat([]byte(" "), 1<<20)
				for range 2 * maxLinks >> 20 {
					if _, err := w.Write(line); err != nil {
						return
					}
				}
			}
		}, errLinks},
		"no route": {func(g *region) { g.answer = func(w http.ResponseWriter) { http.NotFound(w, nil) } }, nil},
		"no links": {func(g *region) { g.links = v1.Links{} }, errNoLinks},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRegion(t)
			c.change(g)
			came, err := g.fetch(t.Context())
			trouble := g.direct.Trouble()
			if err != nil || came != 0 || g.followed.Load() != 0 && name != "another CA" {
				t.Errorf("%d frames came by %d requests, %v", came, g.followed.Load(), err)
			}
			if trouble == nil || c.want != nil && !errors.Is(trouble, c.want) || strings.Contains(trouble.Error(), "secret") {
				t.Errorf("trouble %v, want %v and no link in it", trouble, c.want)
			}
		})
	}
}

// TestHostileStore: what a store answers wrongly costs that range, and after some in a row the store is left alone for a while.
func TestHostileStore(t *testing.T) {
	for name, c := range map[string]struct {
		serve func(g *region, w http.ResponseWriter, r *http.Request)
		want  error
	}{
		"refuses": {func(_ *region, w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "AccessDenied", http.StatusForbidden)
		}, ranged.ErrRefused},
		"redirects": {func(_ *region, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		}, ranged.ErrRefused},
		"sends everything": {func(g *region, w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(g.pack) }, ranged.ErrRefused},
		"sends too much": {func(_ *region, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", strings.Replace(r.Header.Get("Range"), "=", " ", 1)+"/10000")
			w.WriteHeader(206)
			for range 100 {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}, ranged.ErrAnswer},
		"breaks off": {func(_ *region, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", strings.Replace(r.Header.Get("Range"), "=", " ", 1)+"/10000")
			w.Header().Set("Content-Length", "2000")
			w.WriteHeader(206)
			_, _ = w.Write(make([]byte, frameSize/2))
			panic(http.ErrAbortHandler)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRegion(t)
			g.serve = func(w http.ResponseWriter, r *http.Request) { c.serve(g, w, r) }
			came, err := g.fetch(t.Context())
			if err != nil || came != 0 || g.followed.Load() != maxStrikes {
				t.Errorf("%d frames came by %d requests, %v", came, g.followed.Load(), err)
			}
			if trouble := g.direct.Trouble(); trouble == nil || c.want != nil && !errors.Is(trouble, c.want) || strings.Contains(trouble.Error(), "secret") {
				t.Errorf("trouble %v, want %v and no link in it", trouble, c.want)
			}
			if _, err := g.fetch(t.Context()); err != nil || g.asked.Load() != 1 {
				t.Errorf("asked %d times for links to a store that gives nothing, %v", g.asked.Load(), err)
			}
		})
	}
	t.Run("refuses some", func(t *testing.T) {
		g, honest := newRegion(t), http.HandlerFunc(nil)
		honest = g.serve
		g.serve = func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.RawQuery, "1") {
				http.Error(w, "expired", http.StatusForbidden)
				return
			}
			honest(w, r)
		}
		if came, err := g.fetch(t.Context()); came != 6 || err != nil {
			t.Errorf("%d frames came, %v", came, err)
		}
	})
	t.Run("is not there", func(t *testing.T) {
		g := newRegion(t)
		g.store.Close()
		if came, err := g.fetch(t.Context()); came != 0 || err != nil || g.direct.Trouble() == nil {
			t.Errorf("%d frames came, %v", came, err)
		}
	})
}

// TestExpiredLinks: links that have run out are not followed.
func TestExpiredLinks(t *testing.T) {
	g := newRegion(t)
	g.links.Seconds = 0
	if came, err := g.fetch(t.Context()); came != 0 || err != nil || g.followed.Load() != 0 {
		t.Errorf("%d frames by %d requests, %v", came, g.followed.Load(), err)
	}
}

// TestManySpans: no request names more spans than a node takes.
func TestManySpans(t *testing.T) {
	g := newRegion(t)
	g.links.Ranges = nil
	want := make([]pull.Want, 2*v1.MaxLinkSpans+1)
	for i := range want {
		want[i] = pull.Want{Span: int64(i), IDs: []chunk.ID{digest.Of([]byte{byte(i)})}}
	}
	err := g.direct.Fetch(t.Context(), want, func([]byte, []chunk.Ref) error { return nil })
	if err != nil || g.asked.Load() != 3 {
		t.Errorf("%d requests, %v", g.asked.Load(), err)
	}
}

// TestNothingToLink: that a node has no link for some chunks says nothing against those for others.
func TestNothingToLink(t *testing.T) {
	g := newRegion(t)
	some := g.links
	g.links = v1.Links{Seconds: 300}
	for range maxStrikes + 1 {
		if came, err := g.fetch(t.Context()); came != 0 || err != nil || g.direct.Trouble() != nil {
			t.Errorf("%d frames came, %v, %v", came, err, g.direct.Trouble())
		}
	}
	g.links = some
	if came, err := g.fetch(t.Context()); came != 8 || err != nil {
		t.Errorf("%d frames came, %v", came, err)
	}
}

func FuzzReadLinks(f *testing.F) {
	good, err := json.Marshal(v1.Links{Origin: "https://store", Seconds: 60, Ranges: []v1.LinkRange{{Path: "/p?x", Length: frameSize, Frames: []v1.LinkFrame{frameOf(1)}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"origin":"https://s","seconds":1,"ranges":[{"path":"/","offset":9223372036854775807,"length":1}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := readLinks(iotest.OneByteReader(bytes.NewReader(b)))
		if err != nil {
			return
		}
		for _, r := range l.Ranges {
			sum := int64(0)
			for _, x := range r.Frames {
				sum += int64(x.Stored)
			}
			if sum != r.Length || r.Length > maxLinkRange || r.Offset < 0 || r.Offset+r.Length < r.Offset {
				t.Fatalf("took %d bytes at %d with frames of %d", r.Length, r.Offset, sum)
			}
		}
	})
}
