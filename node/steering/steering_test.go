package steering

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"loggia/api/peer"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/transfer/pace"
)

const mb = 1_000_000

func node(n int) gallery.NodeID {
	return gallery.NodeID(fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
}

// rig is a state, and the steering of nodes 1 and 2 of region a; nodes 3 and 4 are of region b, 5 of c.
type rig struct {
	t     *testing.T
	state *state.State
	mu    sync.Mutex
	index uint64
	nodes map[gallery.NodeID]*Steering
	cut   atomic.Bool // nobody of region a hears another one
	end   func()
}

func newRig(t *testing.T, running ...int) *rig {
	r := &rig{t: t, state: state.New(), nodes: map[gallery.NodeID]*Steering{}}
	for n, region := range []gallery.RegionName{"a", "a", "b", "b", "c"} {
		r.put(func(tx *state.Tx) { state.Put(tx, &gallery.Node{ID: node(n + 1), Region: region}) })
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	for _, n := range running {
		id := node(n)
		s := New(Options{Self: id, Region: r.state.View().Node(id).Region, Watched: func() (*state.View, *state.Watch) { return r.state.View().Watched() }, State: r.state.View,
			Peers: wire{r, id}, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		r.nodes[id] = s
		work.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	r.end = func() { cancel(); work.Wait() }
	return r
}

func (r *rig) put(fn func(*state.Tx)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.index++
	tx := r.state.Begin(r.index, 1, time.Time{})
	fn(tx)
	if err := tx.Commit(); err != nil {
		r.t.Error(err)
	}
}

func (r *rig) limit(k gallery.LimitKey, rate gallery.Rate) {
	r.put(func(tx *state.Tx) { state.Put(tx, &gallery.Limit{Key: k, Rate: rate}) })
	synctest.Wait()
}

// wire joins the nodes of a region.
type wire struct {
	r    *rig
	from gallery.NodeID
}

// Shares implements Peers.
func (w wire) Shares(_ context.Context, to gallery.NodeID, own []string) ([]string, error) {
	s := w.r.nodes[to]
	if s == nil || w.r.cut.Load() {
		return nil, errors.New("no route")
	}
	return s.Heard(w.from, own), nil
}

// sink counts, and is never full. A write takes a moment, so that what is not limited lets time go on.
type sink struct{ n atomic.Int64 }

func (s *sink) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(len(b)) * time.Second / (200 * mb))
	s.n.Add(int64(len(b)))
	return len(b), nil
}

// send answers requests of a node until stop is called.
func (r *rig) send(from, to int, n peer.Sharers) (s *sink, stop func()) {
	s = &sink{}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	for range 3 {
		work.Go(func() {
			frame := make([]byte, 256<<10)
			for ctx.Err() == nil {
				w, done, err := r.nodes[node(from)].Outgoing(ctx, node(to), peer.Asked{Disk: "d", Class: pace.Normal, Sharers: n}, s)
				for err == nil {
					_, err = w.Write(frame)
					if ctx.Err() != nil {
						err = ctx.Err()
					}
				}
				if done != nil {
					done()
				}
			}
		})
	}
	return s, func() { cancel(); work.Wait() }
}

// rate measures for ten seconds, in bytes per second.
func rate(sinks ...*sink) []float64 {
	before := make([]int64, len(sinks))
	for i, s := range sinks {
		before[i] = s.n.Load()
	}
	time.Sleep(10 * time.Second)
	out := make([]float64, len(sinks))
	for i, s := range sinks {
		out[i] = float64(s.n.Load()-before[i]) / 10
	}
	return out
}

func within(t *testing.T, what string, got, want float64) {
	t.Helper()
	if got < want*0.92 || got > want*1.02 {
		t.Errorf("%s: %.0f bytes/s, want %.0f less the overhead", what, got, want)
	}
}

func TestEveryLimit(t *testing.T) {
	for name, x := range map[string]struct {
		k       gallery.LimitKey
		sharers peer.Sharers
		want    float64
	}{
		"pair":                               {gallery.LimitKey{From: "a", To: "b"}, peer.Sharers{Sources: 1, Nodes: 1}, 10 * mb},
		"another pair":                       {gallery.LimitKey{From: "b", To: "a"}, peer.Sharers{Sources: 1, Nodes: 1}, 194 * mb},
		"out of the region":                  {gallery.LimitKey{From: "a"}, peer.Sharers{Sources: 1, Nodes: 1}, 10 * mb},
		"out of the node":                    {gallery.LimitKey{FromNode: node(1)}, peer.Sharers{Sources: 1, Nodes: 1}, 10 * mb},
		"into the region":                    {gallery.LimitKey{To: "b"}, peer.Sharers{Sources: 1, Nodes: 1}, 10 * mb},
		"into the region, of two nodes":      {gallery.LimitKey{To: "b"}, peer.Sharers{Sources: 1, Nodes: 2}, 5 * mb},
		"into the node":                      {gallery.LimitKey{ToNode: node(3)}, peer.Sharers{Sources: 1, Nodes: 2}, 10 * mb},
		"into the node, of two sources":      {gallery.LimitKey{ToNode: node(3)}, peer.Sharers{Sources: 2, Nodes: 1}, 6.25 * mb},
		"into another node":                  {gallery.LimitKey{ToNode: node(4)}, peer.Sharers{Sources: 1, Nodes: 1}, 194 * mb},
		"into the region that the bytes are": {gallery.LimitKey{To: "a"}, peer.Sharers{Sources: 1, Nodes: 1}, 194 * mb},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1)
				r.limit(x.k, 10*mb)
				s, stop := r.send(1, 3, x.sharers)
				time.Sleep(time.Second)
				got := rate(s)[0]
				if x.want > 100*mb {
					if got < 100*mb {
						t.Errorf("%.0f bytes/s without a limit", got)
					}
				} else {
					within(t, "rate", got, x.want)
				}
				stop()
				r.end()
			})
		})
	}
}

func TestInsideTheRegionNothingIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.limit(gallery.LimitKey{FromNode: node(1)}, mb)
		r.limit(gallery.LimitKey{From: "a"}, mb)
		s, stop := r.send(1, 2, peer.Sharers{Sources: 1, Nodes: 1})
		if got := rate(s)[0]; got < 100*mb {
			t.Errorf("%.0f bytes/s", got)
		}
		stop()
		r.end()
	})
}

// TestChangeTakesEffectWithinASecond changes a limit of a receiver, which the request under way does not carry.
func TestChangeTakesEffectWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.limit(gallery.LimitKey{To: "b"}, mb)
		s, stop := r.send(1, 3, peer.Sharers{Sources: 1, Nodes: 1})
		within(t, "before", rate(s)[0], mb)
		for _, v := range []gallery.Rate{20 * mb, 2 * mb} {
			r.limit(gallery.LimitKey{To: "b"}, v)
			time.Sleep(time.Second)
			within(t, "after", rate(s)[0], float64(v))
		}
		stop()
		r.end()
	})
}

func TestNodesOfARegionDivideItsLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, 2)
		r.limit(gallery.LimitKey{From: "a", To: "b"}, 10*mb)
		one, stopOne := r.send(1, 3, peer.Sharers{Sources: 1, Nodes: 1})
		time.Sleep(3 * time.Second)
		within(t, "alone", rate(one)[0], 10*mb)
		two, stopTwo := r.send(2, 4, peer.Sharers{Sources: 1, Nodes: 1})
		got := rate(one, two) // from the first moment on
		within(t, "the sum while the second begins", got[0]+got[1], 10*mb)
		within(t, "the second's part", got[1], 5*mb)
		r.cut.Store(true)
		got = rate(one, two)
		if sum := got[0] + got[1]; sum > 20*mb {
			t.Errorf("cut off from each other: %.0f bytes/s", sum)
		}
		r.cut.Store(false)
		time.Sleep(2 * time.Second)
		got = rate(one, two)
		within(t, "the sum after the cut", got[0]+got[1], 10*mb)
		stopOne()
		time.Sleep(silence)
		within(t, "the second alone", rate(two)[0], 10*mb)
		stopTwo()
		r.end()
	})
}

// TestReceiverHoldsTheSum: two sources send what they like.
func TestReceiverHoldsTheSum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 3)
		r.limit(gallery.LimitKey{To: "b"}, 10*mb)
		s := r.nodes[node(3)]
		var got atomic.Int64
		ctx, cancel := context.WithCancel(context.Background())
		var work sync.WaitGroup
		for from := range 2 {
			work.Go(func() {
				in, done := s.Arriving(ctx, node(1+4*from), peer.Asked{Disk: "d"}, endless{})
				defer done()
				for ctx.Err() == nil {
					n, _ := io.CopyN(io.Discard, in, 64<<10)
					got.Add(n)
				}
			})
		}
		time.Sleep(10 * time.Second)
		within(t, "the sum", float64(got.Load())/10, 10*mb)
		cancel()
		work.Wait()
		r.end()
	})
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

func TestSharersOfRequests(t *testing.T) {
	r := &rig{t: t, state: state.New()}
	s := New(Options{Self: node(1), Region: "a", State: r.state.View, Now: time.Now})
	n, endOne := s.Begin(node(3))
	_, again := s.Begin(node(3))
	m, endTwo := s.Begin(node(5))
	if n.Sources != 1 || m.Sources != 2 || m.Nodes != 1 {
		t.Errorf("%+v, %+v", n, m)
	}
	endOne()
	again()
	endTwo()
	if len(s.sources) != 0 {
		t.Errorf("%v is kept", s.sources)
	}
}
