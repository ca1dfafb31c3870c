package replicate

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"loggia/internal/digest"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/pack"
)

// announcer is a source that says it makes the same copy.
type announcer struct {
	Source
	have func(ctx context.Context, m Mark) (Have, error)
}

func (a *announcer) Region() string { return a.Name() }

func (a *announcer) Have(ctx context.Context, m Mark) (Have, error) { return a.have(ctx, m) }

// everything announces all pieces of the first spans, once.
func everything(ctx context.Context, m Mark) (Have, error) {
	h := Have{Mark: Mark{Epoch: 1, Seq: 1}}
	if m != h.Mark {
		for span := range int64(64) {
			h.Spans = append(h.Spans, SpanPieces{span, 1<<maxGroups - 1})
		}
		return h, nil
	}
	pause(ctx, nil, 3*time.Second)
	return h, ctx.Err()
}

// once runs a copy in virtual time and checks what came of it.
func once(t *testing.T, w *world, change func(*Options), sources ...Source) (Progress, error) {
	t.Helper()
	v := w.to.View()
	out := w.to.Writer(v)
	m := &meterOf{t: t}
	o := optionsFor(t, w.to, w.v2, m, sources...)
	o.Region = "here"
	if change != nil {
		change(&o)
	}
	err := Run(t.Context(), NewTarget(v, out), o)
	if err == nil {
		if _, err := out.Finish(t.Context(), w.v2.Root, w.v2.Table, w.v2.Size); err != nil {
			t.Fatal(err)
		}
		check(t, w, out)
	}
	for _, s := range m.last.Sources {
		if s.InFlight != 0 && err == nil {
			t.Errorf("at the end %d requests to %s are under way", s.InFlight, s.Name)
		}
	}
	return m.last, err
}

func from(p Progress, name string) (out SourceProgress) {
	for _, s := range p.Sources {
		if s.Name == name {
			return s
		}
	}
	return out
}

// at delivers with a delay for each frame.
func at(s Source, each time.Duration) *source {
	return &source{Source: s, fetch: func(ctx context.Context, want []chunk.ID, fn pass) ([]chunk.ID, error) {
		return s.Fetch(ctx, want, singly(func(stored []byte, refs []chunk.Ref) error {
			pause(ctx, nil, each)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fn(stored, refs)
		}))
	}}
}

// A busy source has not failed: it is asked again when it said.
func TestBusySourcesAreAskedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 12<<20)
		until := time.Now().Add(time.Minute)
		busy := failing(newHolder("a", w.from, w.to), func(context.Context, int) error {
			if time.Now().Before(until) {
				return &Busy{After: 2 * time.Second}
			}
			return nil
		})
		if _, err := once(t, w, nil, busy); err != nil {
			t.Fatal(err)
		}
		if late := time.Since(until); late > 10*time.Second {
			t.Errorf("it took %s after the source was free", late)
		}
	})
}

// What a slow source holds up is asked of a faster one, which wins; the slow one is not asked for ever.
func TestSlowSourcesAreOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 32<<20)
		w.to.Scratch = buffer.New(64 << 20) // each answer of these holders takes 5 MiB of it
		fast := at(newHolder("fast", w.from, w.to), 20*time.Millisecond)
		slow := at(newHolder("slow", w.from, w.to), 5*time.Minute)
		began := time.Now()
		p, err := once(t, w, func(o *Options) { o.Stall = time.Hour }, fast, slow)
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		t.Logf("%s, %d bytes over the wire, %d wasted, %d retries", took, p.Wire, p.Wasted, p.Retries)
		if took > 30*time.Second || from(p, "slow").Bytes > p.Wire/10 || p.Wasted > p.Wire/10 {
			t.Errorf("it took %s: %+v", took, p)
		}
	})
}

// A request whose connection stands still, though its source is well, is made again on another one: the only source is no reason to wait.
func TestARequestThatLagsIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 32<<20)
		w.to.Scratch = buffer.New(64 << 20)
		inner := at(newHolder("only", w.from, w.to), 5*time.Millisecond)
		var requests atomic.Int64
		var stuck atomic.Bool
		last := lastChunk(t, w)
		only := &source{Source: inner, fetch: func(ctx context.Context, want []chunk.ID, fn pass) ([]chunk.ID, error) {
			if requests.Add(1); !slices.Contains(want, last) || !stuck.CompareAndSwap(false, true) {
				return inner.Fetch(ctx, want, singly(fn))
			}
			frames := 0
			return inner.Fetch(ctx, want, singly(func(stored []byte, refs []chunk.Ref) error {
				if frames++; frames == 2 {
					pause(ctx, nil, 50*time.Second)
					if ctx.Err() != nil {
						return ctx.Err()
					}
				}
				return fn(stored, refs)
			}))
		}}
		began := time.Now()
		p, err := once(t, w, func(o *Options) { o.Streams = 3 }, only)
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		t.Logf("%s, %d requests, %d bytes over the wire, %d wasted, %d retries", took, requests.Load(), p.Wire, p.Wasted, p.Retries)
		if !stuck.Load() || took > 10*time.Second || p.Wasted > 2*pieceStored || from(p, "only").Failed != "" {
			t.Errorf("it stood still: %v; it took %s: %+v", stuck.Load(), took, p)
		}
	})
}

// A source that is slow all over, as one under a limit is, is not asked for things twice, but for what two requests share anyway.
func TestALimitIsNoLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 32<<20)
		w.to.Scratch = buffer.New(64 << 20)
		p, err := once(t, w, nil, paced(newHolder("only", w.from, w.to), slow/8))
		if err != nil {
			t.Fatal(err)
		}
		if p.Wasted > pieceStored/4 || p.Retries > 1 {
			t.Errorf("%d bytes wasted, %d retries", p.Wasted, p.Retries)
		}
	})
}

// A member that announces what it has not, or sends what is wrong, costs requests, no more.
func TestMembersThatLie(t *testing.T) {
	for name, lie := range map[string]func(w *world) Source{
		"has nothing": func(w *world) Source {
			return &announcer{partial(newHolder("m", w.from, w.to), func(chunk.ID) bool { return true }), everything}
		},
		"wrong bytes": func(w *world) Source {
			return &announcer{altered(newHolder("m", w.from, w.to), func(_ int, stored []byte, refs []chunk.Ref, p pass) error {
				b := bytes.Clone(stored)
				b[len(b)-1] ^= 1
				return p(b, refs)
			}), everything}
		},
		"announces nonsense": func(w *world) Source {
			var n uint64
			return &announcer{newHolder("m", w.from, w.to), func(ctx context.Context, m Mark) (Have, error) {
				n++
				pause(ctx, nil, 10*time.Millisecond)
				return Have{Mark: Mark{Epoch: n}, Spans: []SpanPieces{{1<<62 - 1 + int64(n), 1 << 31}}}, nil
			}}
		},
		"does not answer": func(w *world) Source {
			return &announcer{newHolder("m", w.from, w.to), func(ctx context.Context, m Mark) (Have, error) {
				<-ctx.Done()
				return Have{}, ctx.Err()
			}}
		},
		"announces nothing": func(w *world) Source {
			return &announcer{newHolder("m", w.from, w.to), func(ctx context.Context, m Mark) (Have, error) {
				pause(ctx, nil, 3*time.Second)
				return Have{Mark: m}, ctx.Err()
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 24<<20)
				began := time.Now()
				p, err := once(t, w, nil, at(newHolder("origin", w.from, w.to), 50*time.Millisecond), lie(w))
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%s, %+v", time.Since(began), p)
				if took := time.Since(began); took > 2*mostPatience {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

// A chunk that nobody has ends the copy with its reason in bounded time, also where a member might still come to have it.
func TestAChunkThatNobodyHas(t *testing.T) {
	for _, members := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 12<<20)
			h := newHolder("origin", w.from, w.to)
			h.o.Whole = func([]chunk.Ref) bool { return false }
			lost := lastChunk(t, w)
			lacks := func(id chunk.ID) bool { return id == lost }
			sources := []Source{partial(h, lacks)}
			if members {
				sources = append(sources, &announcer{partial(h, lacks), everything})
			}
			began := time.Now()
			_, err := once(t, w, nil, sources...)
			if !errors.Is(err, ErrNoSource) {
				t.Errorf("got %v, want ErrNoSource", err)
			}
			t.Log(time.Since(began), err)
			if took := time.Since(began); took > 5*time.Minute || !members && took > time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// lastChunk is a chunk of the disk's data.
func lastChunk(t *testing.T, w *world) chunk.ID {
	t.Helper()
	var mu sync.Mutex
	var last chunk.ID // guarded by mu; that of the last request, which is for data
	h := newHolder("look", w.from, w.to)
	v := w.to.View()
	out := w.to.Writer(v)
	defer out.Close()
	seen := &source{Source: h, fetch: func(ctx context.Context, want []chunk.ID, fn pass) ([]chunk.ID, error) {
		mu.Lock()
		defer mu.Unlock()
		last = slices.MaxFunc(want, func(a, b chunk.ID) int { return bytes.Compare(a[:], b[:]) })
		return h.Fetch(ctx, want, singly(fn))
	}}
	o := optionsFor(t, w.to, w.v2, &meterOf{t: t}, seen)
	o.Streams = 1
	if err := Run(t.Context(), NewTarget(v, out), o); err != nil {
		t.Fatal(err)
	}
	return last
}

// Sources come and go: Refresh is asked, and who is gone is not.
func TestSourcesComeAndGo(t *testing.T) {
	t.Run("while trees are compared", func(t *testing.T) { comeAndGo(t, 0) })
	t.Run("while chunks come", func(t *testing.T) { comeAndGo(t, 4*time.Second) })
}

// comeAndGo has a source fall silent some time before another one takes its place.
func comeAndGo(t *testing.T, silent time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 32<<20)
		w.to.Scratch = buffer.New(64 << 20)
		began := time.Now()
		first := &source{Source: at(newHolder("first", w.from, w.to), 500*time.Millisecond)}
		first.fetch = func(ctx context.Context, want []chunk.ID, fn pass) ([]chunk.ID, error) {
			if time.Since(began) >= silent { // silence: what is asked now never comes
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return first.Source.Fetch(ctx, want, singly(fn))
		}
		second := at(newHolder("second", w.from, w.to), 500*time.Millisecond)
		p, err := once(t, w, func(o *Options) {
			o.Stall = time.Hour
			o.Refresh = func() []Source {
				if time.Since(began) < 5*time.Second {
					return []Source{first}
				}
				return []Source{second}
			}
		}, first)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %s", took)
		}
		if a, b := from(p, "first").Bytes, from(p, "second").Bytes; silent > 0 && a == 0 || b == 0 {
			t.Errorf("%d bytes from the first, %d from the second", a, b)
		}
	})
}

// sluggish is a target that takes its time over some frames.
type sluggish struct {
	Target
	over func(refs []chunk.Ref) bool
}

func (s *sluggish) Add(ctx context.Context, kind pack.Kind, lane uint64, stored []byte, id digest.Digest, plain uint32, refs []chunk.Ref) error {
	if s.over(refs) {
		time.Sleep(time.Minute)
	}
	return s.Target.Add(ctx, kind, lane, stored, id, plain, refs)
}

// A source that packs together what two requests ask for, as one does whose packs were compacted, does not lack what the other request
// has brought and is still being kept.
func TestWhatAnotherRequestBringsIsNotLacking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 32<<20)
		w.to.Scratch = buffer.New(64 << 20)
		inner := newHolder("mixing", w.from, w.to)
		var mu sync.Mutex
		asked := map[int][]chunk.ID{} // by requests under way
		first := map[chunk.ID]bool{}  // what one brings of another's
		n := 0
		mixing := &source{Source: inner, fetch: func(ctx context.Context, want []chunk.ID, fn pass) ([]chunk.ID, error) {
			mu.Lock()
			n++
			me := n
			asked[me] = want
			var other []chunk.ID
			for k, ids := range asked {
				if last := ids[len(ids)-1]; k != me && !first[last] {
					other = []chunk.ID{last}
					first[last] = true
					break
				}
			}
			mu.Unlock()
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				delete(asked, me)
			}()
			if missing, err := inner.Fetch(ctx, other, singly(fn)); err != nil {
				return missing, err
			}
			return inner.Fetch(ctx, want, singly(fn))
		}}
		v := w.to.View()
		out := w.to.Writer(v)
		m := &meterOf{t: t}
		o := optionsFor(t, w.to, w.v2, m, mixing)
		o.Streams = 4
		if err := Run(t.Context(), &sluggish{NewTarget(v, out), func(refs []chunk.Ref) bool {
			mu.Lock()
			defer mu.Unlock()
			return slices.ContainsFunc(refs, func(r chunk.Ref) bool { return first[r.ID] })
		}}, o); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Finish(t.Context(), w.v2.Root, w.v2.Table, w.v2.Size); err != nil {
			t.Fatal(err)
		}
		check(t, w, out)
	})
}

// waiting is a target that is short of memory for a while: what it is given meanwhile waits as long as whoever gives it does.
type waiting struct {
	Target
	until time.Time
}

func (w *waiting) Add(ctx context.Context, kind pack.Kind, lane uint64, stored []byte, id digest.Digest, plain uint32, refs []chunk.Ref) error {
	if kind == pack.Data && !pause(ctx, nil, time.Until(w.until)) && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return w.Target.Add(ctx, kind, lane, stored, id, plain, refs)
}

// What was being kept when its source went away is asked of another one.
func TestASourceGoesWhileItsFramesAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 12<<20)
		w.to.Scratch = buffer.New(64 << 20)
		began := time.Now()
		first, second := newHolder("first", w.from, w.to), newHolder("second", w.from, w.to)
		v := w.to.View()
		out := w.to.Writer(v)
		o := optionsFor(t, w.to, w.v2, &meterOf{t: t}, first)
		o.Refresh = func() []Source {
			if time.Since(began) < 5*time.Second {
				return []Source{first}
			}
			return []Source{second}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		if err := Run(ctx, &waiting{NewTarget(v, out), began.Add(20 * time.Second)}, o); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Finish(t.Context(), w.v2.Root, w.v2.Table, w.v2.Size); err != nil {
			t.Fatal(err)
		}
		check(t, w, out)
	})
}

// Members may be faster than the only region that holds the whole disk: what they have not still comes from there.
func TestTheLastWholeHolderIsNotDroppedForItsSlowness(t *testing.T) {
	p := &places{speeds: NewSpeeds(), now: time.Now}
	first, second := &holder{name: "first"}, &holder{name: "second"}
	all := p.refresh([]Source{first, second, &announcer{Source: &holder{name: "member"}}})
	for range 2 * maxBeaten {
		for _, s := range all {
			p.overtaken(s)
		}
	}
	if p.good(all[0]) || !p.good(all[1]) || p.good(all[2]) {
		t.Errorf("good are %v, %v and %v; want the second alone", p.good(all[0]), p.good(all[1]), p.good(all[2]))
	}
}
