package replicate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/pack"
	"loggia/transfer/serve/servetest"
)

// framed is an honest frame of some bytes, in some chunks.
func framed(t testing.TB, plain []byte, lengths ...int) ([]byte, []chunk.Ref) {
	t.Helper()
	stored, _, err := frame.Encode(nil, plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	var refs []chunk.Ref
	for _, n := range lengths {
		refs = append(refs, chunk.Ref{ID: chunk.Hash(plain[:n]), Length: uint32(n)})
		plain = plain[n:]
	}
	return stored, refs
}

// lies are what a source may do to the n-th frame.
func lies(t testing.TB) map[string]func(n int, stored []byte, refs []chunk.Ref, pass pass) error {
	junk, junkRefs := framed(t, bytes.Repeat([]byte{7}, 1<<20), 1<<20)
	return map[string]func(n int, stored []byte, refs []chunk.Ref, pass pass) error{
		"another byte": func(n int, stored []byte, refs []chunk.Ref, pass pass) error {
			b := bytes.Clone(stored)
			b[len(b)-1-n%20] ^= 1
			return pass(b, refs)
		},
		"no frame": func(_ int, _ []byte, refs []chunk.Ref, pass pass) error {
			return pass([]byte("no frame at all, no"), refs)
		},
		"cut off": func(_ int, stored []byte, refs []chunk.Ref, pass pass) error {
			return pass(stored[:len(stored)-1], refs)
		},
		"other chunks": func(_ int, stored []byte, refs []chunk.Ref, pass pass) error {
			return pass(junk, refs)
		},
		"chunk without bytes": func(_ int, _ []byte, refs []chunk.Ref, pass pass) error {
			stored, own := framed(t, []byte("abc"), 0, 3)
			return pass(stored, append(own, refs...))
		},
		"longer than its chunks": func(_ int, stored []byte, refs []chunk.Ref, pass pass) error {
			dec := testDecoder(t)
			plain, err := frame.Decode(nil, stored, dec)
			if err != nil {
				return err
			}
			b, _, _ := frame.Encode(nil, append(plain, 1), nil)
			return pass(b, refs)
		},
		"endless": func(_ int, stored []byte, refs []chunk.Ref, pass pass) error {
			for {
				if err := pass(junk, junkRefs); err != nil {
					return err
				}
			}
		},
	}
}

func TestLiarsAreDropped(t *testing.T) {
	w := newWorld(t, 16<<20)
	for name, lie := range lies(t) {
		t.Run(name, func(t *testing.T) {
			honest := newHolder("honest", w.from, w.to)
			for _, c := range []struct{ from, together int }{{1, 1}, {6, 1}, {6, 3}} {
				liar := &several{n: c.together, Source: altered(newHolder("liar", w.from, w.to), func(n int, stored []byte, refs []chunk.Ref, p pass) error {
					if n < c.from {
						return p(stored, refs)
					}
					return lie(n, stored, refs, p)
				})}
				v := w.to.View()
				out := w.to.Writer(v)
				err := Run(t.Context(), NewTarget(v, out), optionsFor(t, w.to, w.v2, &meterOf{t: t}, liar))
				if !errors.Is(err, ErrLied) || !errors.Is(err, ErrNoSource) {
					t.Fatalf("alone: %v, want ErrLied", err)
				}
				if ok, _ := out.Has(chunk.Hash(bytes.Repeat([]byte{7}, 1<<20))); ok {
					t.Error("what nobody asked for was kept")
				}
				if err := Run(t.Context(), NewTarget(v, out), optionsFor(t, w.to, w.v2, &meterOf{t: t}, liar, honest)); err != nil {
					t.Fatalf("with an honest source: %v", err)
				}
				if _, err := out.Finish(t.Context(), w.v2.Root, w.v2.Table, w.v2.Size); err != nil {
					t.Fatal(err)
				}
				check(t, w, out)
				out.Close()
			}
		})
	}
}

// counting is a target that counts how often it was given frames.
type counting struct {
	Target
	mu    sync.Mutex
	added map[chunk.ID]int // guarded by mu
}

func (c *counting) Add(ctx context.Context, kind pack.Kind, lane uint64, stored []byte, id chunk.ID, plain uint32, refs []chunk.Ref) error {
	c.mu.Lock()
	c.added[id]++
	c.mu.Unlock()
	return c.Target.Add(ctx, kind, lane, stored, id, plain, refs)
}

// news says whether each of the frames has something that was asked for, and the target has nothing of them.
func (c *counting) news(frames []Arrived, want []chunk.ID) bool {
	return !slices.ContainsFunc(frames, func(f Arrived) bool {
		asked := slices.ContainsFunc(f.Refs, func(ref chunk.Ref) bool { return slices.Contains(want, ref.ID) })
		missing, err := c.Missing(ids(f.Refs))
		return !asked || err != nil || len(missing) < len(f.Refs)
	})
}

// One wrong frame among some that come together is a lie. Those before it are kept, and not asked for again; what is left comes from another source.
func TestAWrongFrameAmongOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which no request lags and is made twice
		w := newWorld(t, 24<<20)
		var mu sync.Mutex  // nodes and frames are asked for at once
		var ids []chunk.ID // of the frames that came together
		var wrong chunk.ID
		v := w.to.View()
		out := w.to.Writer(v)
		target := &counting{Target: NewTarget(v, out), added: map[chunk.ID]int{}}
		liar := &several{Source: newHolder("liar", w.from, w.to), n: 3}
		liar.change = func(want []chunk.ID, frames []Arrived) {
			mu.Lock()
			defer mu.Unlock()
			if len(ids) > 0 || len(frames) < 3 || !target.news(frames, want) {
				return
			}
			for _, f := range frames {
				ids = append(ids, frame.ID(f.Stored))
			}
			b := frames[1].Stored
			b[len(b)-1] ^= 1
			wrong = frame.ID(b)
		}
		o := optionsFor(t, w.to, w.v1, &meterOf{t: t}, liar)
		o.Streams = 1
		if err := Run(t.Context(), target, o); !errors.Is(err, ErrLied) || !errors.Is(err, ErrNoSource) {
			t.Fatalf("alone: %v, want ErrLied; %d frames came together", err, len(ids))
		}
		times := func(ids []chunk.ID) (n []int) {
			for _, id := range ids {
				n = append(n, target.added[id])
			}
			return n
		}
		if got := times(ids); !slices.Equal(got, []int{1, 0, 0}) {
			t.Errorf("of three frames, the second wrong, each was kept %v times", got)
		}
		if err := Run(t.Context(), target, optionsFor(t, w.to, w.v1, &meterOf{t: t}, &several{Source: newHolder("honest", w.from, w.to), n: 3})); err != nil {
			t.Fatal(err)
		}
		if got := times([]chunk.ID{ids[0], wrong}); !slices.Equal(got, []int{1, 0}) {
			t.Errorf("in the end the one before the wrong one, and that one, were kept %v times", got)
		}
		w.to.Finish(out, w.v1)
		w.to.Check(w.v1, w.d1)
	})
}

// A source that sends some frames once more after a wrong one, as a node does for its store, costs their bytes and no more.
func TestFramesThatComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which no request lags and is made twice
		w := newWorld(t, 24<<20)
		again := map[chunk.ID]int{} // the bytes of each frame that was right and came again
		h := &several{Source: newHolder("a", w.from, w.to), n: 3}
		v := w.to.View()
		out := w.to.Writer(v)
		target := &counting{Target: NewTarget(v, out), added: map[chunk.ID]int{}}
		m := &meterOf{t: t}
		o := optionsFor(t, w.to, w.v1, m, &repairing{several: h, target: target, again: again})
		o.Streams = 1
		if err := Run(t.Context(), target, o); err != nil {
			t.Fatal(err)
		}
		bytes := int64(0)
		for id, size := range again {
			bytes += int64(size)
			if n := target.added[id]; n != 1 {
				t.Errorf("frame %s was kept %d times", id.Short(), n)
			}
		}
		if bytes == 0 || m.last.Wasted < bytes {
			t.Errorf("%d bytes came again, %+v", bytes, m.last)
		}
		w.to.Finish(out, w.v1)
		w.to.Check(w.v1, w.d1)
	})
}

// repairing shows the first frames of each answer with the last one wrong, and then as they are.
type repairing struct {
	*several
	target *counting
	mu     sync.Mutex
	again  map[chunk.ID]int // guarded by mu
}

func (r *repairing) Fetch(ctx context.Context, want []chunk.ID, fn func([]Arrived) error) ([]chunk.ID, error) {
	first := true
	return r.several.Fetch(ctx, want, func(frames []Arrived) error {
		last := len(frames) - 1
		if !first || last < 1 || !r.target.news(frames, want) {
			return fn(frames)
		}
		first = false
		bad := slices.Clone(frames)
		bad[last].Stored = bytes.Clone(bad[last].Stored)
		bad[last].Stored[len(bad[last].Stored)-1] ^= 1
		if err := fn(bad); !errors.Is(err, ErrLied) {
			return fmt.Errorf("for a wrong frame: %w", err)
		}
		r.mu.Lock()
		for _, f := range frames[:last] {
			r.again[frame.ID(f.Stored)] = len(f.Stored)
		}
		r.mu.Unlock()
		return fn(frames)
	})
}

// The frame table knows what a frame holds: what the source says of it is not looked at.
func TestChunksOfKnownFramesAreTheTables(t *testing.T) {
	w := newWorld(t, 16<<20)
	liar := altered(newHolder("liar", w.from, w.to), func(n int, stored []byte, refs []chunk.Ref, p pass) error {
		if err := p(stored, refs[:1]); err != nil && !errors.Is(err, ErrLied) {
			return err
		}
		return p(stored, refs) // nodes: what is said of them counts
	})
	if _, err := copyTo(t, w.to, w.v1, Identity{}, nil, liar); err == nil {
		w.to.Check(w.v1, w.d1)
	} else if !errors.Is(err, ErrLied) {
		t.Fatal(err)
	}
}

// failing is a source that fails or stalls instead of answering some requests.
func failing(s Source, do func(ctx context.Context, n int) error) *source {
	var n atomic.Int64
	return &source{Source: s, fetch: func(ctx context.Context, want []chunk.ID, fn pass) ([]chunk.ID, error) {
		if err := do(ctx, int(n.Add(1))); err != nil {
			return nil, err
		}
		return s.Fetch(ctx, want, singly(fn))
	}}
}

func TestSourcesThatFailRest(t *testing.T) {
	broke := errors.New("connection broke")
	stall := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for name, c := range map[string]struct {
		do   func(ctx context.Context, n int) error
		want error
	}{
		"every second request": {do: func(_ context.Context, n int) error { return map[bool]error{true: broke}[n%2 == 1] }},
		"three in a row":       {do: func(_ context.Context, n int) error { return map[bool]error{true: broke}[n > 3 && n < 7] }},
		"for ever":             {do: func(_ context.Context, n int) error { return map[bool]error{true: broke}[n > 3] }, want: broke},
		"from the begin":       {do: func(context.Context, int) error { return broke }, want: broke},
		"stalls once": {do: func(ctx context.Context, n int) error {
			if n == 4 {
				return stall(ctx)
			}
			return nil
		}},
		"stalls for ever": {do: func(ctx context.Context, _ int) error { return stall(ctx) }, want: errStalled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 12<<20)
				src := failing(newHolder("a", w.from, w.to), c.do)
				v := w.to.View()
				out := w.to.Writer(v)
				o := optionsFor(t, w.to, w.v1, &meterOf{t: t}, src)
				o.Streams = 1
				err := Run(t.Context(), NewTarget(v, out), o)
				if !errors.Is(err, c.want) || c.want != nil && !errors.Is(err, ErrNoSource) {
					t.Errorf("got %v, want %v", err, c.want)
				}
			})
		})
	}
}

// A source that fails is dropped also where many spans of the disk are equal, and so are their nodes.
func TestSourceOfEqualSpansFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := servetest.New(t, servetest.Memory()), servetest.New(t, servetest.Memory())
		span := servetest.NewDisk(servetest.Random(t), int(servetest.Params().Span))
		v := from.Publish(servetest.Disk(bytes.Repeat(span, 6)), servetest.Params())
		broke := errors.New("connection broke")
		h := newHolder("a", from, to)
		h.o.Whole = func([]chunk.Ref) bool { return false } // so that no node comes before it is asked for
		src := failing(h, func(_ context.Context, n int) error { return map[bool]error{true: broke}[n > 2] })
		view := to.View()
		out := to.Writer(view)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		if err := Run(ctx, NewTarget(view, out), optionsFor(t, to, v, &meterOf{t: t}, src)); !errors.Is(err, broke) || !errors.Is(err, ErrNoSource) {
			t.Errorf("got %v, want %v", err, broke)
		}
	})
}

// A source that dies leaves its work to the others, also where several streams see it at once.
func TestSourceDiesInTheMiddle(t *testing.T) {
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 24<<20)
			at := 1 + w.r.IntN(30)
			dying := altered(newHolder("dying", w.from, w.to), func(n int, stored []byte, refs []chunk.Ref, p pass) error {
				if n > at {
					return errors.New("connection broke")
				}
				return p(stored, refs)
			})
			if _, err := copyTo(t, w.to, w.v1, Identity{}, nil, dying, newHolder("b", w.from, w.to)); err != nil {
				t.Fatal(err)
			}
			w.to.Check(w.v1, w.d1)
		})
	}
}

func TestCancelLeavesNothingBehind(t *testing.T) {
	for range 3 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 12<<20)
			ctx, cancel := context.WithCancel(t.Context())
			at := 1 + w.r.IntN(10)
			h := altered(newHolder("a", w.from, w.to), func(n int, stored []byte, refs []chunk.Ref, p pass) error {
				if n == at {
					cancel()
				}
				return p(stored, refs)
			})
			v := w.to.View()
			out := w.to.Writer(v)
			defer out.Close()
			if err := Run(ctx, NewTarget(v, out), optionsFor(t, w.to, w.v2, &meterOf{t: t}, h, h)); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the context's error", err)
			}
		})
	}
}
