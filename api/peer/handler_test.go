package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"loggia/gallery"
	"loggia/internal/digest"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/replicate"
	"loggia/transfer/wire"
)

const (
	member   gallery.NodeID = "00000000-0000-4000-8000-000000000001"
	stranger gallery.NodeID = "00000000-0000-4000-8000-000000000002"
	disk     gallery.DiskID = "dddddddd-0000-4000-8000-000000000001"
)

// service is a node of which the test gives what it is about; nothing else may be asked of it.
type service struct {
	Service
	have   func(ctx context.Context, disk gallery.DiskID, m replicate.Mark) replicate.Have
	frames func(ctx context.Context, disk gallery.DiskID, want []chunk.ID, links bool, w *wire.Writer) error
}

func (s *service) Member(n gallery.NodeID) bool { return n == member }

func (s *service) Forwarded() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
}

func (s *service) Have(ctx context.Context, d gallery.DiskID, m replicate.Mark) replicate.Have {
	return s.have(ctx, d, m)
}

func (s *service) Frames(ctx context.Context, d gallery.DiskID, want []chunk.ID, links bool, w *wire.Writer) error {
	return s.frames(ctx, d, want, links, w)
}

func (s *service) Outgoing(_ context.Context, _ gallery.NodeID, _ Asked, w io.Writer) (Way, error) {
	return Way{Writer: w, Free: true, Done: func() {}}, nil
}

// serve returns a client of a node that answers with h.
func serve(t *testing.T, h http.Handler) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	c := NewClient(func(ctx context.Context, _ gallery.NodeID) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", srv.Listener.Addr().String())
	})
	t.Cleanup(func() { c.Close(); srv.Close() })
	return c
}

// as is the handler of a service for requests of one node.
func as(n gallery.NodeID, s *service) http.Handler {
	return Handler(s, func(*http.Request) (gallery.NodeID, error) { return n, nil }, slog.New(slog.DiscardHandler))
}

func get(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader("{}")))
	return w
}

func TestHaveCarriesMarkAndPieces(t *testing.T) {
	want := replicate.Have{Mark: replicate.Mark{Epoch: 9, Seq: 1 << 40}, Spans: []replicate.SpanPieces{{Span: 0, Mask: 1}, {Span: 7, Mask: 1<<32 - 1}}}
	asked := replicate.Mark{Epoch: 1<<64 - 1, Seq: 3}
	c := serve(t, as(member, &service{have: func(_ context.Context, d gallery.DiskID, m replicate.Mark) replicate.Have {
		if d != disk || m != asked {
			t.Errorf("asked for %s after %+v", d, m)
		}
		return want
	}}))
	got, err := c.Have(t.Context(), member, disk, asked)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestHaveRefusesMarksThatAreNone(t *testing.T) {
	h := as(member, &service{have: func(context.Context, gallery.DiskID, replicate.Mark) replicate.Have {
		t.Error("the service was asked")
		return replicate.Have{}
	}})
	for query, field := range map[string]string{
		"":                                 "", // both
		"epoch=1":                          "seq",
		"seq=1":                            "epoch",
		"epoch=-1&seq=0":                   "epoch",
		"epoch=1&seq=x":                    "seq",
		"epoch=18446744073709551616&seq=0": "epoch",
		"epoch=1&seq=18446744073709551616": "seq",
		"epoch=1.0&seq=0":                  "epoch",
		"epoch=0x1&seq=0":                  "epoch",
		"epoch=1&seq=" + strings.Repeat("1", 1<<12): "seq",
	} {
		w := get(h, http.MethodGet, "/peer/v1/disks/"+string(disk)+"/have?"+query)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), field) {
			t.Errorf("%.40q: %d %s", query, w.Code, w.Body)
		}
	}
}

// The longest announcement passes; what is longer, or none, is refused by whoever asked, without being read to its end.
func TestHaveBounds(t *testing.T) {
	full := replicate.Have{Mark: replicate.Mark{Epoch: 1, Seq: 2}}
	for span := range int64((replicate.MaxHaveSize - len(full.Encode())) / 12) {
		full.Spans = append(full.Spans, replicate.SpanPieces{Span: span, Mask: 1})
	}
	more := full
	more.Spans = append(more.Spans[:len(more.Spans):len(more.Spans)], replicate.SpanPieces{Span: 1 << 50, Mask: 1})
	if n := len(full.Encode()); n != replicate.MaxHaveSize {
		t.Fatalf("the longest announcement has %d bytes", n)
	}
	for name, x := range map[string]struct {
		answer func(w http.ResponseWriter)
		ok     bool
	}{
		"the longest":   {func(w http.ResponseWriter) { _, _ = w.Write(full.Encode()) }, true},
		"one span more": {func(w http.ResponseWriter) { _, _ = w.Write(more.Encode()) }, false},
		"cut":           {func(w http.ResponseWriter) { _, _ = w.Write(full.Encode()[:1000]) }, false},
		"spans in disorder": {func(w http.ResponseWriter) {
			_, _ = w.Write(replicate.Have{Spans: []replicate.SpanPieces{{Span: 2, Mask: 1}, {Span: 1, Mask: 1}}}.Encode())
		}, false},
		"nothing": {func(http.ResponseWriter) {}, false},
		"without an end": {func(w http.ResponseWriter) {
			for {
				if _, err := w.Write(full.Encode()); err != nil {
					return
				}
			}
		}, false},
	} {
		c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { x.answer(w) }))
		got, err := c.Have(t.Context(), member, disk, replicate.Mark{})
		if x.ok != (err == nil) || x.ok && len(got.Spans) != len(full.Spans) || !x.ok && !errors.Is(err, replicate.ErrHave) {
			t.Errorf("%s: %d spans, %v", name, len(got.Spans), err)
		}
	}
}

// A question that waits ends with whoever asked it, on both sides.
func TestHaveEndsWithTheQuestion(t *testing.T) {
	waits, over := make(chan struct{}), make(chan struct{})
	c := serve(t, as(member, &service{have: func(ctx context.Context, _ gallery.DiskID, m replicate.Mark) replicate.Have {
		close(waits)
		<-ctx.Done()
		close(over)
		return replicate.Have{Mark: m}
	}}))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.Have(ctx, member, disk, replicate.Mark{})
		ended <- err
	}()
	<-waits
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the question ended with %v", err)
	}
	<-over
}

func TestBusyIsSaidInTheStream(t *testing.T) {
	want := []chunk.ID{digest.Of([]byte("a")), digest.Of([]byte("b"))}
	for name, x := range map[string]struct {
		err   error
		busy  bool
		after time.Duration
	}{
		"busy":                 {&replicate.Busy{After: 2 * time.Second}, true, 2 * time.Second},
		"busy, no time said":   {&replicate.Busy{}, true, 0},
		"busy, inside another": {fmt.Errorf("send: %w", &replicate.Busy{After: time.Minute}), true, time.Minute},
		"a failure":            {&gallery.Error{Kind: gallery.ErrNotFound, Resource: "disk"}, false, 0},
		"all is well":          {nil, false, 0},
	} {
		c := serve(t, as(member, &service{frames: func(_ context.Context, d gallery.DiskID, ids []chunk.ID, _ bool, w *wire.Writer) error {
			if d != disk || fmt.Sprint(ids) != fmt.Sprint(want) {
				t.Errorf("%s: asked for %d chunks of %s", name, len(ids), d)
			}
			if x.err != nil {
				return x.err
			}
			return w.Missing(ids)
		}}))
		missing, err := c.Frames(t.Context(), member, disk, buffer.New(4<<20), want, func([]replicate.Arrived) error { return nil })
		var busy *replicate.Busy
		switch {
		case errors.As(err, &busy) != x.busy, x.busy && busy.After != x.after:
			t.Errorf("%s: %v", name, err)
		case x.err == nil && (err != nil || len(missing) != len(want)):
			t.Errorf("%s: %d missing, %v", name, len(missing), err)
		case x.err != nil && err == nil:
			t.Errorf("%s: no error", name)
		}
	}
}

// A node that says it is busy for no time that can be read is busy for the least.
func TestBusyWithoutSense(t *testing.T) {
	for _, text := range []string{"", "soon", "-5s", "1e99h"} {
		c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_ = wire.NewWriter(w).Error(CodeBusy, text)
		}))
		_, err := c.Frames(t.Context(), member, disk, buffer.New(4<<20), []chunk.ID{{}}, nil)
		var busy *replicate.Busy
		if !errors.As(err, &busy) || busy.After != 0 {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestFramesRefuseWhatIsNoList(t *testing.T) {
	h := as(member, &service{frames: func(context.Context, gallery.DiskID, []chunk.ID, bool, *wire.Writer) error {
		t.Error("the service was asked")
		return nil
	}})
	list := func(n int) []byte {
		var b bytes.Buffer
		w := wire.NewWriter(&b)
		for ; n > 0; n -= 1 << 10 {
			if err := w.Chunks(make([]chunk.ID, 1<<10)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.End(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for name, body := range map[string][]byte{"nothing": nil, "no records": []byte("hello, node"), "cut": list(1 << 10)[:100], "too many": list(MaxWant + 1)} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/peer/v1/disks/"+string(disk)+"/frames", bytes.NewReader(body)))
		if w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// Who is no member of the cluster, or has no certificate of it, is told nothing by any route.
func TestOnlyMembersAreAnswered(t *testing.T) {
	routes := map[string]string{"/peer/v1/propose": "POST", "/peer/v1/term": "GET", "/peer/v1/understands": "GET", "/peer/v1/read-index": "POST",
		"/peer/v1/hash?index=1": "GET", "/peer/v1/live": "GET", "/peer/v1/disks/" + string(disk) + "/frames": "POST",
		"/peer/v1/disks/" + string(disk) + "/have?epoch=0&seq=0": "GET", "/peer/v1/shares": "POST", "/forward/v1/status": "GET", "/nothing": "GET"}
	nobody := Handler(&service{}, func(*http.Request) (gallery.NodeID, error) {
		return "", &gallery.Error{Kind: gallery.ErrForbidden, Op: "call peer", Message: "no certificate"}
	}, slog.New(slog.DiscardHandler))
	for path, method := range routes {
		for name, h := range map[string]http.Handler{"a stranger": as(stranger, &service{}), "nobody": nobody} {
			if w := get(h, method, path); w.Code != http.StatusForbidden {
				t.Errorf("%s %s of %s: %d %s", method, path, name, w.Code, w.Body)
			}
		}
	}
	if w := get(as(member, &service{}), "GET", "/forward/v1/status"); w.Code != http.StatusTeapot {
		t.Errorf("a member's forwarded request: %d", w.Code)
	}
}
