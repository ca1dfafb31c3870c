package replicate

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"loggia/blobstore"
	"loggia/testing/faults"
	"loggia/transfer/chunk"
	"loggia/transfer/intake"
	"loggia/transfer/pack"
	"loggia/transfer/serve"
	"loggia/transfer/serve/servetest"
)

// world is a region that has two versions of a disk, and one that has none.
type world struct {
	r        *rand.Rand
	from, to *servetest.Region
	d1, d2   servetest.Disk
	v1, v2   intake.Result
}

func newWorld(t testing.TB, size int) *world {
	t.Helper()
	r := servetest.Random(t)
	w := &world{r: r, from: servetest.New(t, servetest.Memory()), to: servetest.New(t, servetest.Memory())}
	w.d1 = servetest.NewDisk(r, size)
	w.v1 = w.from.Publish(w.d1, servetest.Params())
	w.d2 = servetest.Change(r, w.d1, 10)
	w.v2 = w.from.Publish(w.d2, servetest.Params(), w.v1.Root)
	return w
}

func TestCopiesOnlyWhatIsMissing(t *testing.T) {
	w := newWorld(t, 48<<20)
	h := newHolder("a", w.from, w.to)
	p, err := copyTo(t, w.to, w.v1, Identity{}, nil, h)
	if err != nil {
		t.Fatal(err)
	}
	w.to.Check(w.v1, w.d1)
	full := p.Wire
	if sent := h.stored.Load(); sent != p.Wire {
		t.Errorf("%d bytes sent, progress says %d", sent, p.Wire)
	}
	if full > w.v1.New+w.v1.New/50+1<<20 {
		t.Errorf("%d bytes for a disk of %d stored", full, w.v1.New)
	}
	h = newHolder("a", w.from, w.to)
	p, err = copyTo(t, w.to, w.v2, identity(w.v1), nil, h)
	if err != nil {
		t.Fatal(err)
	}
	w.to.Check(w.v2, w.d2)
	t.Logf("v1 %d bytes of %d new, v2 %d of %d, %d requests", full, w.v1.New, p.Wire, w.v2.New, h.asked.Load())
	if p.Wire > w.v2.New+w.v2.New/4+1<<20 {
		t.Errorf("%d bytes for a difference of %d", p.Wire, w.v2.New)
	}
	h = newHolder("a", w.from, w.to)
	if p, err = copyTo(t, w.to, w.v2, Identity{}, nil, h); err != nil || h.asked.Load() != 0 || p.Wire != 0 {
		t.Errorf("again: %d requests, %+v, %v", h.asked.Load(), p, err)
	}
}

func TestCopyInsideARegion(t *testing.T) {
	w := newWorld(t, 16<<20)
	local := serve.Local{View: w.from.View(), Options: serve.Options{Pool: w.from.Reads, Decoder: w.to.Decoder, Encoder: w.to.Encoder}, Label: "slot"}
	if _, err := copyTo(t, w.to, w.v2, Identity{}, nil, OneByOne(local)); err != nil {
		t.Fatal(err)
	}
	w.to.Check(w.v2, w.d2)
}

func TestHoleDisk(t *testing.T) {
	from, to := servetest.New(t, servetest.Memory()), servetest.New(t, servetest.Memory())
	d := make(servetest.Disk, 5<<20)
	v := from.Publish(d, servetest.Params())
	if _, err := copyTo(t, to, v, Identity{}, nil, newHolder("a", from, to)); err != nil {
		t.Fatal(err)
	}
	to.Check(v, d)
}

// partial is a source that lacks what lacks says.
func partial(s Source, lacks func(chunk.ID) bool) *source {
	return &source{Source: s, fetch: func(ctx context.Context, want []chunk.ID, fn pass) ([]chunk.ID, error) {
		var there, missing []chunk.ID
		for _, id := range want {
			if lacks(id) {
				missing = append(missing, id)
			} else {
				there = append(there, id)
			}
		}
		if len(there) == 0 {
			return missing, nil
		}
		more, err := s.Fetch(ctx, there, singly(fn))
		return append(missing, more...), err
	}}
}

func TestPartialHolders(t *testing.T) {
	w := newWorld(t, 48<<20)
	h := newHolder("a", w.from, w.to)
	h.o.Whole = func([]chunk.Ref) bool { return false } // so that no part brings more than it has
	all := func(chunk.ID) bool { return true }
	third := func(n byte) func(chunk.ID) bool { return func(id chunk.ID) bool { return id[0]%3 != n } }
	sources := []Source{partial(h, third(0)), partial(h, all), partial(h, third(1)), partial(h, third(2))}
	if _, err := copyTo(t, w.to, w.v1, Identity{}, nil, sources...); err != nil {
		t.Fatal(err)
	}
	w.to.Check(w.v1, w.d1)
	if _, err := copyTo(t, w.to, w.v2, Identity{}, nil, sources[:3]...); !errors.Is(err, ErrNoSource) {
		t.Errorf("without a third: %v, want ErrNoSource", err)
	}
}

// Two regions that copy from each other at once, several disks each, wait for nobody but the store:
// what is sent, what is received and what is packed lie in three pools.
func TestRunsThatShareLittleMemory(t *testing.T) {
	w := newWorld(t, 24<<20)
	back := w.to.Publish(servetest.NewDisk(w.r, 24<<20), servetest.Params())
	var all sync.WaitGroup
	run := func(from, to *servetest.Region, d intake.Result) {
		h := newHolder("a", from, to)
		h.o.Whole = func([]chunk.Ref) bool { return false }
		v := to.View()
		out := to.Writer(v)
		o := optionsFor(t, to, d, &meterOf{t: t}, h, h)
		all.Go(func() {
			if err := Run(t.Context(), NewTarget(v, out), o); err != nil {
				t.Error(err)
			}
			out.Close()
		})
	}
	for range 3 {
		run(w.from, w.to, w.v2)
		run(w.to, w.from, back)
	}
	all.Wait()
}

func TestFaultsOfTheTargetAreNotTheSources(t *testing.T) {
	w := newWorld(t, 24<<20)
	w.to = servetest.New(t, faults.New(servetest.Memory(), faults.Rule{Op: faults.Put, From: 2, Err: blobstore.ErrFull}))
	v := w.to.View()
	out := w.to.Writer(v)
	err := Run(t.Context(), NewTarget(v, out), optionsFor(t, w.to, w.v1, &meterOf{t: t}, newHolder("a", w.from, w.to)))
	if err == nil { // most of a small disk fits into packs that are not sent yet
		err = out.Flush(t.Context())
	}
	if !errors.Is(err, blobstore.ErrFull) || errors.Is(err, ErrNoSource) {
		t.Errorf("got %v, want that the store is full", err)
	}
}

// A claim that ends at any moment costs what was in flight: its successor fetches the rest.
func TestResume(t *testing.T) {
	w := newWorld(t, 64<<20)
	var adopt []uint64
	total := int64(0)
	const crashes = 4
	for range crashes {
		ctx, cancel := context.WithCancel(t.Context())
		var left atomic.Int64
		left.Store(w.r.Int64N(w.v2.Stored / crashes))
		h := newHolder("a", w.from, w.to)
		dying := altered(h, func(_ int, stored []byte, refs []chunk.Ref, pass pass) error {
			if left.Add(-int64(len(stored))) < 0 {
				cancel()
				return ctx.Err()
			}
			return pass(stored, refs)
		})
		v := w.to.View()
		out := w.to.Writer(v, adopt...)
		o := optionsFor(t, w.to, w.v2, &meterOf{t: t}, dying)
		o.Streams = 1
		if err := Run(ctx, NewTarget(v, out), o); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		adopt = append(adopt, out.Epoch())
		out.Close()
		cancel()
		total += h.stored.Load()
	}
	h := newHolder("a", w.from, w.to)
	if _, err := copyTo(t, w.to, w.v2, Identity{}, adopt, h); err != nil {
		t.Fatal(err)
	}
	w.to.Check(w.v2, w.d2)
	total += h.stored.Load()
	again := total - w.v2.Stored
	t.Logf("%d bytes sent for %d stored: %d again for each of %d ends", total, w.v2.Stored, again/crashes, crashes)
	if again > crashes*40<<20 {
		t.Errorf("%d bytes were sent again", again)
	}
}

// hasty counts how often a target was told that little is left, and what came before.
type hasty struct {
	Target
	mu              sync.Mutex
	hastened, added int // guarded by mu
	before          int // added, when it was told
}

func (h *hasty) Add(ctx context.Context, kind pack.Kind, lane uint64, stored []byte, id chunk.ID, plain uint32, refs []chunk.Ref) error {
	h.mu.Lock()
	h.added++
	h.mu.Unlock()
	return h.Target.Add(ctx, kind, lane, stored, id, plain, refs)
}

func (h *hasty) Hasten() {
	h.mu.Lock()
	h.hastened++
	h.before = h.added
	h.mu.Unlock()
	h.Target.Hasten()
}

// The target is told once that little is left: when all of it is on its way, and before it has come.
func TestTheTargetIsToldOfTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which what was asked for comes when nothing else can be done
		w := newWorld(t, 24<<20)
		v := w.to.View()
		out := w.to.Writer(v)
		target := &hasty{Target: NewTarget(v, out)}
		h := newHolder("a", w.from, w.to)
		late := &source{Source: h, fetch: func(ctx context.Context, want []chunk.ID, fn pass) ([]chunk.ID, error) {
			time.Sleep(time.Millisecond) // of the bubble's time
			return h.Fetch(ctx, want, singly(fn))
		}}
		o := optionsFor(t, w.to, w.v1, &meterOf{t: t}, late)
		o.Streams = 1 // the last flight begins when all others have landed
		if err := Run(t.Context(), target, o); err != nil {
			t.Fatal(err)
		}
		if target.hastened != 1 || target.before == 0 || target.before >= target.added {
			t.Errorf("told %d times, after %d of %d frames", target.hastened, target.before, target.added)
		}
		w.to.Finish(out, w.v1)
		w.to.Check(w.v1, w.d1)
	})
}
