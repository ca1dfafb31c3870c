package links

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"loggia/gallery"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

var ref = gallery.SnapshotRef{GroupRef: gallery.GroupRef{Subscription: "00000000-0000-4000-8000-0000000000a1", Group: "RG"}, Name: "snap"}

func signer(t testing.TB, seed byte) *Signer {
	t.Helper()
	s, err := NewSigner(bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func token(s *Signer, life time.Duration) string {
	return strings.TrimPrefix(s.Sign(ref, gallery.Access{ID: "access", Expires: now.Add(life)}), Path)
}

func TestTokens(t *testing.T) {
	s := signer(t, 1)
	good := token(s, time.Hour)
	got, access, err := s.Read(good, now)
	if err != nil || got != ref || access != "access" {
		t.Fatalf("got %v, %q, %v", got, access, err)
	}
	for name, bad := range map[string]string{
		"ended": token(s, 0), "of another cluster": token(signer(t, 2), time.Hour), "cut": good[:len(good)-1], "longer": good + "A",
		"changed": "B" + good[1:], "empty": "", "nonsense": "%%%", "huge": strings.Repeat("A", maxToken+1), "padded": good + "=",
	} {
		if _, _, err := s.Read(bad, now); !errors.Is(err, errLink) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	s := signer(f, 1)
	f.Add(token(s, time.Hour))
	f.Add("")
	f.Add(strings.Repeat("A", 60))
	f.Fuzz(func(t *testing.T, text string) {
		got, _, err := s.Read(text, now)
		if err == nil && got != ref {
			t.Fatalf("%q is taken for %v", text, got)
		}
	})
}

// shelf is one file, or why there is none.
type shelf struct {
	data     []byte
	err      error
	released int
}

func (s *shelf) Open(_ context.Context, got gallery.SnapshotRef, access gallery.AccessID, raw bool) (File, error) {
	if s.err != nil {
		return File{}, s.err
	}
	if got != ref || access != "access" || !raw {
		return File{}, &gallery.Error{Kind: gallery.ErrNotFound}
	}
	return File{ReaderAt: bytes.NewReader(s.data), Size: int64(len(s.data)), Name: "snap.raw", ETag: "tag", Made: now, Release: func() { s.released++ }}, nil
}

func TestHandler(t *testing.T) {
	s, disk := signer(t, 1), &shelf{data: []byte("0123456789")}
	h := Handler(s, disk, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	good := Path + token(s, time.Hour) + "?format=raw"
	for _, test := range []struct {
		name, method, path, ranges string
		err                        error
		status                     int
		body                       string
	}{
		{"whole", "GET", good, "", nil, 200, "0123456789"},
		{"a range", "GET", good, "bytes=2-4", nil, 206, "234"},
		{"head", "HEAD", good, "", nil, 200, ""},
		{"beyond", "GET", good, "bytes=20-", nil, 416, ""},
		{"post", "POST", good, "", nil, 405, ""},
		{"ended", "GET", Path + token(s, -time.Second) + "?format=raw", "", nil, 403, ""},
		{"forged", "GET", Path + token(signer(t, 2), time.Hour), "", nil, 403, ""},
		{"taken back", "GET", good, "", &gallery.Error{Kind: gallery.ErrNotFound}, 403, ""},
		{"not here", "GET", good, "", &gallery.Error{Kind: gallery.ErrUnavailable}, 503, ""},
	} {
		disk.err = test.err
		req := httptest.NewRequest(test.method, test.path, nil)
		if test.ranges != "" {
			req.Header.Set("Range", test.ranges)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != test.status || test.body != "" && w.Body.String() != test.body {
			t.Errorf("%s: got %d %q, want %d %q", test.name, w.Code, w.Body, test.status, test.body)
		}
		if test.status == http.StatusForbidden && strings.TrimSpace(w.Body.String()) != errLink.Error() {
			t.Errorf("%s: says %q", test.name, w.Body)
		}
	}
	if disk.released != 4 {
		t.Errorf("%d files were given back, want 4", disk.released)
	}
}

// broken fails in the middle.
type broken struct{}

func (broken) Open(context.Context, gallery.SnapshotRef, gallery.AccessID, bool) (File, error) {
	return File{ReaderAt: failing{}, Size: 1 << 20, Name: "x", ETag: "t", Release: func() {}}, nil
}

type failing struct{}

func (failing) ReadAt(p []byte, off int64) (int, error) {
	if off > 0 {
		return 0, errors.New("damaged")
	}
	return min(len(p), 1000), nil
}

// TestBrokenOff: a disk that fails on its way is never taken for a whole one.
func TestBrokenOff(t *testing.T) {
	s := signer(t, 1)
	srv := httptest.NewServer(Handler(s, broken{}, func() time.Time { return now }, slog.New(slog.DiscardHandler)))
	defer srv.Close()
	resp, err := http.Get(srv.URL + Path + token(s, time.Hour))
	if err != nil {
		return // it broke before the header: that is no whole disk either
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("half a disk was read without an error")
	}
}

// TestLinkStaysOut: a link is a right, so it is not in the log when its disk cannot be opened.
func TestLinkStaysOut(t *testing.T) {
	s, log := signer(t, 1), bytes.Buffer{}
	h := Handler(s, &shelf{err: errors.New("broken")}, func() time.Time { return now }, slog.New(slog.NewTextHandler(&log, nil)))
	good := token(s, time.Hour)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, Path+good, nil))
	if w.Code != http.StatusInternalServerError || !strings.Contains(log.String(), "broken") {
		t.Fatalf("got %d, log %q; want the failure in the log", w.Code, log.String())
	}
	if strings.Contains(log.String(), good) || strings.Contains(w.Body.String(), good) {
		t.Errorf("the link is in %q or %q", log.String(), w.Body)
	}
}
