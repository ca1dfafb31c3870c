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

// only is what a receiver says to its only source.
var only = peer.Sharers{Part: peer.Whole, Nodes: 1}

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
	away  sync.Map // nodes that hear nobody and are heard by nobody
	work  sync.WaitGroup
	ctx   context.Context
	end   func()
}

func newRig(t *testing.T, running ...int) *rig {
	return newRigOf(t, []gallery.RegionName{"a", "a", "b", "b", "c"}, running...)
}

func newRigOf(t *testing.T, regions []gallery.RegionName, running ...int) *rig {
	r := &rig{t: t, state: state.New(), nodes: map[gallery.NodeID]*Steering{}}
	for n, region := range regions {
		r.put(func(tx *state.Tx) { state.Put(tx, &gallery.Node{ID: node(n + 1), Region: region}) })
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.ctx, r.end = ctx, func() { cancel(); r.work.Wait() }
	for _, n := range running {
		r.start(n)
	}
	return r
}

// start begins the steering of a node; of one that had some it is another process.
func (r *rig) start(n int) (stop func()) {
	id := node(n)
	ctx, cancel := context.WithCancel(r.ctx)
	s := New(Options{Self: id, Region: r.state.View().Node(id).Region, Watched: func() (*state.View, *state.Watch) { return r.state.View().Watched() }, State: r.state.View,
		Peers: wire{r, id}, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	r.mu.Lock()
	r.nodes[id] = s
	r.mu.Unlock()
	done := make(chan struct{})
	r.work.Go(func() {
		defer close(done)
		if err := s.Run(ctx); err != nil {
			r.t.Error(err)
		}
	})
	return func() { cancel(); <-done }
}

// of is the steering of a node; nil: it does not run.
func (r *rig) of(id gallery.NodeID) *Steering {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.nodes[id]
}

func (r *rig) cut(n int)  { r.away.Store(node(n), true) }
func (r *rig) heal(n int) { r.away.Delete(node(n)) }

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

// Shares implements Peers. What is lost on the way is waited for.
func (w wire) Shares(ctx context.Context, to gallery.NodeID, own peer.Shares) (peer.Shares, error) {
	lost := func() bool {
		_, from := w.r.away.Load(w.from)
		_, there := w.r.away.Load(to)
		return from || there
	}
	s := w.r.of(to)
	if s == nil || lost() {
		<-ctx.Done()
		return peer.Shares{}, ctx.Err()
	}
	answer := s.Heard(w.from, own)
	if lost() {
		return peer.Shares{}, errors.New("the answer is lost")
	}
	return answer, nil
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
	return s, r.into(s, from, to, n)
}

// into is send with a sink that is there.
func (r *rig) into(s *sink, from, to int, n peer.Sharers) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	for range 3 {
		work.Go(func() {
			frame := make([]byte, 256<<10)
			for ctx.Err() == nil {
				w, err := r.of(node(from)).Outgoing(ctx, node(to), peer.Asked{Disk: "d", Class: pace.Normal, Sharers: n}, s)
				for err == nil {
					_, err = w.Write(frame)
					if ctx.Err() != nil {
						err = ctx.Err()
					}
				}
				if w.Done != nil {
					w.Done()
				}
			}
		})
	}
	return func() { cancel(); work.Wait() }
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
		"pair":                          {gallery.LimitKey{From: "a", To: "b"}, only, 10 * mb},
		"another pair":                  {gallery.LimitKey{From: "b", To: "a"}, only, 194 * mb},
		"out of the region":             {gallery.LimitKey{From: "a"}, only, 10 * mb},
		"out of the node":               {gallery.LimitKey{FromNode: node(1)}, only, 10 * mb},
		"into the region":               {gallery.LimitKey{To: "b"}, only, 10 * mb},
		"into the region, of two nodes": {gallery.LimitKey{To: "b"}, peer.Sharers{Part: peer.Whole, Nodes: 2}, 5 * mb},
		"into the region, which has said its share": {gallery.LimitKey{To: "b"}, peer.Sharers{Part: 500, Nodes: 9, Share: peer.Millionths / 2}, 2.5 * mb},
		"into the node":                      {gallery.LimitKey{ToNode: node(3)}, peer.Sharers{Part: peer.Whole, Nodes: 2}, 10 * mb},
		"into the node, of two sources":      {gallery.LimitKey{ToNode: node(3)}, peer.Sharers{Part: 500, Nodes: 1}, 5 * mb},
		"into another node":                  {gallery.LimitKey{ToNode: node(4)}, only, 194 * mb},
		"into the region that the bytes are": {gallery.LimitKey{To: "a"}, only, 194 * mb},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1, 2)
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
		s, stop := r.send(1, 2, only)
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
		s, stop := r.send(1, 3, only)
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

// TestReceiverHoldsTheSum: two sources send what they like.
func TestReceiverHoldsTheSum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 3, 4)
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

// TestSourcesDivideWhatMayArrive joins a receiver with two sources: they keep below its limit from the first second on, however unlike they are.
func TestSourcesDivideWhatMayArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, 3, 4, 5)
		r.limit(gallery.LimitKey{To: "b"}, 10*mb)
		r.limit(gallery.LimitKey{From: "c"}, mb) // node 5 is slow
		s := r.nodes[node(3)]
		arrived := map[int]*atomic.Int64{1: {}, 5: {}}
		ctx, cancel := context.WithCancel(context.Background())
		var work sync.WaitGroup
		take := func(from int) {
			n, end := s.Begin(node(from))
			work.Go(func() {
				defer end()
				out, in := io.Pipe()
				w, err := r.of(node(from)).Outgoing(ctx, node(3), peer.Asked{Disk: "d", Sharers: n}, meter{in, arrived[from]})
				if err != nil {
					t.Error(err)
					return
				}
				defer w.Done()
				work.Go(func() {
					body, over := s.Arriving(ctx, node(from), peer.Asked{Disk: "d"}, out)
					defer over()
					_, _ = io.Copy(io.Discard, body)
					out.Close()
				})
				defer in.Close()
				frame := make([]byte, 256<<10)
				for err == nil && ctx.Err() == nil {
					_, err = w.Write(frame)
				}
			})
		}
		measure := func() (one, two float64) {
			a, b := arrived[1].Load(), arrived[5].Load()
			time.Sleep(10 * time.Second)
			return float64(arrived[1].Load()-a) / 10, float64(arrived[5].Load()-b) / 10
		}
		take(1)
		one, _ := measure()
		within(t, "one source", one, 10*mb)
		take(5)
		one, two := measure()
		if sum := one + two; sum > 10.5*mb || sum < 8*mb {
			t.Errorf("while the second begins: %.0f and %.0f bytes/s", one, two)
		}
		one, two = measure()
		if one < 7.5*mb || one+two > 10*mb {
			t.Errorf("a slow source keeps its part from the other one: %.0f and %.0f bytes/s", one, two)
		}
		cancel()
		work.Wait()
		r.end()
	})
}

// meter counts on the way into a pipe.
type meter struct {
	io.Writer
	n *atomic.Int64
}

func (m meter) Write(b []byte) (int, error) {
	n, err := m.Writer.Write(b)
	m.n.Add(int64(n))
	return n, err
}

func TestSources(t *testing.T) {
	r := &rig{t: t, state: state.New()}
	now := time.Unix(1e9, 0)
	s := New(Options{Self: node(1), Region: "a", State: r.state.View, Now: func() time.Time { return now }})
	n, endOne := s.Begin(node(3))
	_, again := s.Begin(node(3))
	m, endTwo := s.Begin(node(5))
	if want := (peer.Sharers{Part: peer.Whole, Nodes: 1, Share: peer.Millionths}); n != want || m.Part != 500 || m.Nodes != 1 {
		t.Errorf("%+v, %+v", n, m)
	}
	s.sources[node(3)].bytes.Add(9 * mb)
	s.sources[node(5)].bytes.Add(mb)
	for range 5 {
		now = now.Add(time.Second)
		s.measure()
	}
	if a, b := s.part(s.sources[node(3)]), s.part(s.sources[node(5)]); a.Part != 820 || b.Part != 180 {
		t.Errorf("parts %d and %d, want the larger for whom more came from", a.Part, b.Part)
	}
	endOne()
	again()
	endTwo()
	now = now.Add(-time.Hour) // the clock jumps
	for range 3 {
		now = now.Add(time.Second)
		s.measure()
	}
	if len(s.sources) != 0 {
		t.Errorf("%v is kept", s.sources)
	}
}

// Whatever holds back what comes from a node to this one, both know: the one gives no links to its store, the other asks for none.
func TestWhatIsLimitedIsNotFree(t *testing.T) {
	for k, want := range map[gallery.LimitKey]bool{
		{From: "a"}: false, {From: "a", To: "b"}: false, {To: "b"}: false, {FromNode: node(1)}: false, {ToNode: node(3)}: false,
		{From: "b"}: true, {From: "c", To: "b"}: true, {From: "a", To: "c"}: true, {To: "a"}: true, {To: "c"}: true, {FromNode: node(2)}: true, {FromNode: node(3)}: true,
		{ToNode: node(4)}: true, {ToNode: node(1)}: true,
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, 1, 2, 3)
			defer r.end()
			from, to := r.of(node(1)), r.of(node(3))
			way := func() peer.Way {
				t.Helper()
				w, err := from.Outgoing(t.Context(), node(3), peer.Asked{Disk: "d", Sharers: only}, io.Discard)
				if err != nil {
					t.Fatal(err)
				}
				return w
			}
			before := way()
			if before.Done(); !before.Free || !to.Free(node(1)) {
				t.Error("limited without a limit")
			}
			r.limit(k, mb)
			after := way()
			defer after.Done()
			if after.Free != want || to.Free(node(1)) != want {
				t.Errorf("%s: free for who sends %t, for who takes %t, want %t", k, after.Free, to.Free(node(1)), want)
			}
			if near, err := from.Outgoing(t.Context(), node(2), peer.Asked{Disk: "d"}, io.Discard); err != nil || !near.Free || !from.Free(node(2)) {
				t.Errorf("%s: within a region: free %t, %t, %v", k, near.Free, from.Free(node(2)), err)
			}
		})
	}
}
