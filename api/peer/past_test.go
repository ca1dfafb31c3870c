package peer

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"loggia/gallery"
	"loggia/internal/digest"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/replicate"
	"loggia/transfer/wire"
)

// shop is a node whose store holds some frames of a chunk each, all but the last in one range that links lead to; that one the node sends.
type shop struct {
	*Client
	store  http.HandlerFunc // nil: honest
	origin string           // "": the store's
	frames [][]byte
	ids    []chunk.ID
	object []byte

	// What the last fetch was shown.
	shown [][]int // frames, by the calls that they came in
	again int     // frames that had come before

	mu    sync.Mutex
	asked [][]chunk.ID // of each request to the node
	links []bool       // whether it asked for links
}

func newShop(t *testing.T) *shop {
	t.Helper()
	return newShopOf(t, 1000, 1001, 1002, 1003, 1004)
}

// newShopOf has frames of these sizes.
func newShopOf(t *testing.T, sizes ...int) *shop {
	t.Helper()
	s := &shop{}
	for i, size := range sizes {
		f := bytes.Repeat([]byte{byte('a' + i)}, size)
		s.frames, s.ids = append(s.frames, f), append(s.ids, digest.Of(f))
	}
	last := len(sizes) - 1
	s.object = slices.Concat(s.frames[:last]...)
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.store != nil {
			s.store(w, r)
			return
		}
		s.honest(w, r)
	}))
	t.Cleanup(srv.Close)
	s.origin = srv.URL
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	s.Client = serve(t, as(member, &service{frames: func(_ context.Context, _ gallery.DiskID, want []chunk.ID, links bool, w *wire.Writer) error {
		s.mu.Lock()
		s.asked, s.links = append(s.asked, slices.Clone(want)), append(s.links, links)
		s.mu.Unlock()
		if links {
			x := wire.Range{Path: "/bucket/pack?signature"}
			for i, f := range s.frames[:last] {
				x.Frames = append(x.Frames, wire.RangeFrame{Stored: uint32(len(f)), Refs: []chunk.Ref{{ID: s.ids[i], Length: 7}}})
			}
			if err := errors.Join(w.Store(wire.Store{Origin: s.origin, CA: ca, Life: time.Minute}), w.Range(x)); err != nil {
				return err
			}
			want = want[last:]
		}
		for _, id := range want {
			i := slices.Index(s.ids, id)
			if err := w.Frame([]chunk.Ref{{ID: id, Length: 7}}, s.frames[i]); err != nil {
				return err
			}
		}
		return nil
	}}))
	return s
}

func (s *shop) honest(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.object))
}

// fetch asks for everything and says how often each frame was taken. To whoever makes a copy wrong bytes are a lie, those before them are taken, and what was taken already is passed
// over.
func (s *shop) fetch(ctx context.Context, also func(n int) error) (came []int, err error) {
	came = make([]int, len(s.frames))
	n := 0
	s.shown, s.again = nil, 0
	_, err = s.Frames(ctx, member, disk, buffer.New(4<<20), s.ids, func(frames []replicate.Arrived) error {
		var shown []int
		for _, f := range frames {
			shown = append(shown, slices.Index(s.ids, f.Refs[0].ID))
		}
		s.shown = append(s.shown, shown)
		for i, f := range frames {
			if n++; also != nil {
				if err := also(n); err != nil {
					return err
				}
			}
			if digest.Of(f.Stored) != f.Refs[0].ID {
				return fmt.Errorf("%w: chunk %s", replicate.ErrLied, f.Refs[0].ID.Short())
			}
			if came[shown[i]] > 0 {
				s.again++
				continue
			}
			came[shown[i]]++
		}
		return nil
	})
	return came, err
}

// requests is what the node was asked, since the last time.
func (s *shop) requests() (n []int, links []bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ids := range s.asked {
		n = append(n, len(ids))
	}
	links, s.asked, s.links = s.links, nil, nil
	return n, links
}

func (s *shop) want(t *testing.T, came []int, err error, each int, n []int, links []bool) {
	t.Helper()
	for _, times := range came {
		if times != each {
			t.Errorf("frames came %v times", came)
			break
		}
	}
	if err != nil {
		t.Error(err)
	}
	if gotN, gotLinks := s.requests(); !slices.Equal(n, gotN) || !slices.Equal(links, gotLinks) {
		t.Errorf("the node was asked for %v chunks, links %v; want %v, %v", gotN, gotLinks, n, links)
	}
}

func TestFramesComeFromTheStore(t *testing.T) {
	s := newShop(t)
	for range 2 {
		came, err := s.fetch(t.Context(), nil)
		s.want(t, came, err, 1, []int{5}, []bool{true})
	}
	if n := s.Linked(); n != 2*int64(len(s.object)) {
		t.Errorf("%d bytes came by links, want twice %d", n, len(s.object))
	}
}

// Frames of a range come in its order, some at a time: as many as have room together, after one that comes alone. What has no room at all has memory of its own.
func TestFramesOfARangeComeTogether(t *testing.T) {
	const room = usualRecord
	s := newShopOf(t,
		10,
		room/2, room/4, room/4, // to the byte
		room/2, room/2-1, // one byte is left
		2,
		room-1,
		room,
		room+1,
		3*room, 4,
		1, 2, 3, 4, 5, 6, 7,
		8, 9, // of small ones there are enough before the room is full
		7)
	came, err := s.fetch(t.Context(), nil)
	s.want(t, came, err, 1, []int{len(s.frames)}, []bool{true})
	want := [][]int{{21}, {0}, {1, 2, 3}, {4, 5}, {6}, {7}, {8}, {9}, {10}, {11, 12, 13, 14, 15, 16, 17, 18}, {19, 20}}
	if fmt.Sprint(s.shown) != fmt.Sprint(want) {
		t.Errorf("frames came as %v, want %v", s.shown, want)
	}
	if n := s.Linked(); n != int64(len(s.object)) {
		t.Errorf("%d bytes came by links, want %d", n, len(s.object))
	}
}

// What a store refuses, cuts or damages comes from its node, and of it only what had not come. The store is left alone then, until it is tried again.
func TestTheNodeSendsWhatItsStoreDoesNot(t *testing.T) {
	for name, c := range map[string]struct {
		store  func(s *shop, w http.ResponseWriter, r *http.Request)
		origin string
		left   int // of four
		again  int // came twice
	}{
		"refuses": {store: func(_ *shop, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, left: 4},
		"throttles": {store: func(_ *shop, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}, left: 4},
		"gives other bytes": {store: func(s *shop, w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(append(bytes.Clone(s.object[:1500]), make([]byte, len(s.object))...)))
		}, left: 3},
		"gives other bytes behind right ones": {store: func(s *shop, w http.ResponseWriter, r *http.Request) { // the second is shown together with the third, which is wrong
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(append(bytes.Clone(s.object[:2500]), make([]byte, len(s.object))...)))
		}, left: 3, again: 1},
		"has less": {store: func(s *shop, w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.object[:2500]))
		}, left: 4},
		"breaks off": {store: func(s *shop, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(s.object)-1, len(s.object)))
			w.Header().Set("Content-Length", fmt.Sprint(len(s.object)))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(s.object[:2500])
			panic(http.ErrAbortHandler)
		}, left: 2},
		"is not there":     {origin: "https://127.0.0.1:1", left: 4},
		"is in the clear":  {origin: "http://127.0.0.1:1", left: 4},
		"is this machine":  {origin: "https://169.254.169.254", left: 4},
		"is not an origin": {origin: "https://user@127.0.0.1/path", left: 4},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			if c.store != nil {
				s.store = func(w http.ResponseWriter, r *http.Request) { c.store(s, w, r) }
			}
			if c.origin != "" {
				s.origin = c.origin
			}
			came, err := s.fetch(t.Context(), nil)
			s.want(t, came, err, 1, []int{5, c.left}, []bool{true, false})
			if s.again != c.again {
				t.Errorf("%d frames came again, want %d", s.again, c.again)
			}
			for n := 1; c.left < 4 && n < maxStrikes; n++ { // it was good for something: it is tried again
				came, err = s.fetch(t.Context(), nil)
				s.want(t, came, err, 1, []int{5, c.left}, []bool{true, false})
			}
			came, err = s.fetch(t.Context(), nil)
			s.want(t, came, err, 1, []int{5}, []bool{false})
			if c.origin != "" {
				return
			}
			s.store = nil
			s.past.of[member].until = time.Now()
			came, err = s.fetch(t.Context(), nil)
			s.want(t, came, err, 1, []int{5}, []bool{true})
		})
	}
}

// Of a store that may not be reached only one request finds that out.
func TestAStoreIsTriedByOne(t *testing.T) {
	s := newShop(t)
	arrived, open := make(chan struct{}), make(chan struct{})
	s.store = func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-open
		s.honest(w, r)
	}
	var work sync.WaitGroup
	work.Go(func() {
		came, err := s.fetch(t.Context(), nil)
		s.want(t, came, err, 1, []int{5}, []bool{true})
	})
	<-arrived
	n, links := s.requests()
	came, err := s.fetch(t.Context(), nil)
	s.want(t, came, err, 1, []int{5}, []bool{false})
	s.asked, s.links = [][]chunk.ID{s.ids}, links
	if len(n) != 1 {
		t.Errorf("%d requests", len(n))
	}
	close(open)
	work.Wait()
	s.store = nil
	came, err = s.fetch(t.Context(), nil)
	s.want(t, came, err, 1, []int{5}, []bool{true})
}

// steering limits what comes when it is told to.
type steering struct {
	limited atomic.Bool
	bytes   atomic.Int64
}

func (*steering) Begin(gallery.NodeID) (Sharers, func()) {
	return Sharers{Part: Whole, Nodes: 1}, func() {}
}

func (s *steering) Free(gallery.NodeID) bool { return !s.limited.Load() }

func (s *steering) Arriving(_ context.Context, _ gallery.NodeID, _ Asked, body io.Reader) (io.Reader, func()) {
	return io.TeeReader(body, counted{&s.bytes}), func() {}
}

type counted struct{ n *atomic.Int64 }

func (c counted) Write(b []byte) (int, error) { c.n.Add(int64(len(b))); return len(b), nil }

// A limit that comes while a range is read holds from what is read next on: the rest comes through the node. No store is to blame.
func TestALimitEndsReadingPastTheNode(t *testing.T) {
	s := newShopOf(t, slices.Repeat([]int{1000}, 1+mostTogether+2+1)...)
	limits := &steering{}
	s.Steering = limits
	came, err := s.fetch(t.Context(), func(n int) error {
		limits.limited.Store(n >= 3) // the node's own frame, the first of the range, and one of those that come together then
		return nil
	})
	all := len(s.frames)
	s.want(t, came, err, 1, []int{all, 2}, []bool{true, false})
	came, err = s.fetch(t.Context(), nil)
	s.want(t, came, err, 1, []int{all}, []bool{false})
	limits.limited.Store(false)
	was := limits.bytes.Load()
	came, err = s.fetch(t.Context(), nil)
	s.want(t, came, err, 1, []int{all}, []bool{true})
	if n := limits.bytes.Load() - was; n < int64(len(s.object)) {
		t.Errorf("%d bytes were counted as arriving, want those of the store, too", n)
	}
}

// An error of the frames' user ends it, and so does the context: nobody is asked again.
func TestWhoUsesFramesEndsReading(t *testing.T) {
	s := newShop(t)
	full := errors.New("the disk is full")
	_, err := s.fetch(t.Context(), func(n int) error {
		if n == 3 {
			return full
		}
		return nil
	})
	if n, _ := s.requests(); !errors.Is(err, full) || len(n) != 1 {
		t.Errorf("%v after %d requests", err, len(n))
	}
	gone := errors.New("nobody wants it any more")
	ctx, cancel := context.WithCancelCause(t.Context())
	arrived := make(chan struct{})
	s.store = func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	}
	go func() { <-arrived; cancel(gone) }()
	_, err = s.fetch(ctx, nil)
	if n, _ := s.requests(); !errors.Is(err, gone) || len(n) != 1 {
		t.Errorf("%v after %d requests", err, len(n))
	}
	s.store = nil
	came, err := s.fetch(t.Context(), nil)
	s.want(t, came, err, 1, []int{5}, []bool{true})
}

// Links that nobody asked for, or that lead nowhere, are no answer.
func TestUnaskedLinks(t *testing.T) {
	x := wire.Range{Path: "/x", Frames: []wire.RangeFrame{{Stored: 1}}}
	place := wire.Store{Origin: "https://127.0.0.1:1"}
	for name, c := range map[string]struct {
		limited bool
		answer  func(w *wire.Writer) error
	}{
		"unasked":         {true, func(w *wire.Writer) error { return errors.Join(w.Store(place), w.Range(x)) }},
		"unasked ranges":  {true, func(w *wire.Writer) error { return w.Range(x) }},
		"from nowhere":    {false, func(w *wire.Writer) error { return w.Range(x) }},
		"from two stores": {false, func(w *wire.Writer) error { return errors.Join(w.Store(place), w.Store(place)) }},
	} {
		cl := serve(t, as(member, &service{frames: func(_ context.Context, _ gallery.DiskID, _ []chunk.ID, _ bool, w *wire.Writer) error {
			return c.answer(w)
		}}))
		limits := &steering{}
		limits.limited.Store(c.limited)
		cl.Steering = limits
		if _, err := cl.Frames(t.Context(), member, disk, buffer.New(4<<20), []chunk.ID{{}}, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Nothing is asked for before there is memory to take it in: two nodes that copy from each other would hold what they send, and wait for what they
// have no room for.
func TestNothingIsAskedForWithoutMemory(t *testing.T) {
	s := newShop(t)
	pool := buffer.New(usualRecord)
	all, err := pool.Get(t.Context(), usualRecord)
	if err != nil {
		t.Fatal(err)
	}
	defer all.Release()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = s.Frames(ctx, member, disk, pool, s.ids, nil)
	if n, _ := s.requests(); !errors.Is(err, context.DeadlineExceeded) || len(n) != 0 {
		t.Errorf("%v after %d requests", err, len(n))
	}
}
