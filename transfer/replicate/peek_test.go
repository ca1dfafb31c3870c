package replicate

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/manifest"
)

// noted keeps what a source was asked for.
func noted(s Source, asked *[]chunk.ID) *source {
	var mu sync.Mutex
	return &source{Source: s, fetch: func(ctx context.Context, want []chunk.ID, fn pass) ([]chunk.ID, error) {
		mu.Lock()
		*asked = append(*asked, want...)
		mu.Unlock()
		return s.Fetch(ctx, want, singly(fn))
	}}
}

// A copy that is given what Peek read asks for none of that, keeps it, and is whole.
func TestACopyGoesOnFromWhatWasPeeked(t *testing.T) {
	w := newWorld(t, 24<<20)
	var before []chunk.ID
	m := &meterOf{t: t}
	p, err := Peek(t.Context(), optionsFor(t, w.to, w.v1, m, noted(newHolder("a", w.from, w.to), &before)))
	if err != nil || len(before) != 4 || len(p.frames) == 0 {
		t.Fatalf("%d nodes asked for in %d frames, want the roots and what is below them; %v", len(before), len(p.frames), err)
	}
	if m.last.Wire != 0 {
		t.Errorf("progress before the copy: %+v", m.last)
	}
	for _, other := range []bool{false, true} {
		disk, data := w.v1, w.d1
		if other {
			disk, data = w.v2, w.d2 // of which nothing was peeked
		}
		v := w.to.View()
		out := w.to.Writer(v)
		var asked []chunk.ID
		o := optionsFor(t, w.to, disk, &meterOf{t: t}, newHolder("a", w.from, w.to))
		o.Streams, o.Peeked = 1, p
		o.Sources = []Source{noted(o.Sources[0], &asked)}
		err := Run(t.Context(), NewTarget(v, out), o)
		if err != nil {
			t.Fatal(err)
		}
		again := slices.ContainsFunc(asked, func(id chunk.ID) bool { return slices.Contains(before, id) })
		if roots := slices.Contains(asked, disk.Root); again || roots != other {
			t.Errorf("other disk %t: asked for what was peeked %t, for its root %t", other, again, roots)
		}
		w.to.Finish(out, disk)
		w.to.Check(disk, data)
	}
}

// A source that sends the beginning of a disk with its root is asked once before pieces can be asked for, and the nodes that came so are kept.
func TestTheBeginningComesAtOnce(t *testing.T) {
	w := newWorld(t, 24<<20)
	h := newHolder("a", w.from, w.to)
	h.disk = Identity{Root: w.v1.Root, Table: w.v1.Table}
	first, err := manifest.Beginning(t.Context(), h.view, w.v1.Root, w.v1.Table)
	if err != nil {
		t.Fatal(err)
	}
	var asked []chunk.ID
	o := optionsFor(t, w.to, w.v1, &meterOf{t: t}, noted(h, &asked))
	if o.Peeked, err = Peek(t.Context(), o); err != nil || h.asked.Load() != 1 {
		t.Fatalf("%d requests, want 1; %v", h.asked.Load(), err)
	}
	v := w.to.View()
	out := w.to.Writer(v)
	if err := Run(t.Context(), NewTarget(v, out), o); err != nil {
		t.Fatal(err)
	}
	for _, id := range first {
		times := 0
		for _, a := range asked {
			if a == id {
				times++
			}
		}
		if root := id == w.v1.Root || id == w.v1.Table; times > 1 || root != (times == 1) {
			t.Errorf("%s, a root %t, was asked for %d times", id.Short(), root, times)
		}
	}
	w.to.Finish(out, w.v1)
	w.to.Check(w.v1, w.d1)
}

// What a source that lies or fails sends is not peeked, and costs the copy nothing but a request.
func TestPeekBelievesNothing(t *testing.T) {
	w := newWorld(t, 24<<20)
	h := newHolder("a", w.from, w.to)
	lies := altered(h, func(_ int, stored []byte, refs []chunk.Ref, pass pass) error {
		bad := slices.Clone(stored)
		bad[len(bad)-1] ^= 1
		return pass(bad, refs)
	})
	p, err := Peek(t.Context(), optionsFor(t, w.to, w.v1, &meterOf{t: t}, lies))
	if !errors.Is(err, ErrNoSource) || len(p.frames) != 0 || len(p.nodes) != 0 {
		t.Errorf("%d frames, %v, want none and ErrNoSource", len(p.frames), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	hangs := &source{Source: h, fetch: func(ctx context.Context, _ []chunk.ID, _ pass) ([]chunk.ID, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	if p, err = Peek(ctx, optionsFor(t, w.to, w.v1, &meterOf{t: t}, hangs)); !errors.Is(err, context.Canceled) || len(p.frames) != 0 {
		t.Errorf("%d frames, %v, want none and the context's error", len(p.frames), err)
	}
	v := w.to.View()
	out := w.to.Writer(v)
	o := optionsFor(t, w.to, w.v1, &meterOf{t: t}, h)
	o.Peeked = p
	if err := Run(t.Context(), NewTarget(v, out), o); err != nil {
		t.Fatal(err)
	}
	w.to.Finish(out, w.v1)
	w.to.Check(w.v1, w.d1)
}

// A node that came in a frame with a wrong one is not taken for kept: it is asked for again.
func TestNodesOfAFrameThatLiesAreNotKept(t *testing.T) {
	w := newWorld(t, 24<<20)
	h := newHolder("a", w.from, w.to)
	root, err := manifest.Open(t.Context(), h.view, w.v1.Root)
	if err != nil {
		t.Fatal(err)
	}
	top, err := h.view.ReadChunk(t.Context(), root.Top)
	if err != nil {
		t.Fatal(err)
	}
	// What was not asked for yet is right, the root that was is not.
	lies := &source{Source: h, fetch: func(_ context.Context, _ []chunk.ID, fn pass) ([]chunk.ID, error) {
		stored, _, err := frame.Encode(nil, slices.Concat(top, []byte("no root")), nil)
		if err != nil {
			t.Error(err)
		}
		return nil, fn(stored, []chunk.Ref{{ID: root.Top, Length: uint32(len(top))}, {ID: w.v1.Root, Length: 7}})
	}}
	var asked []chunk.ID
	if _, err := copyTo(t, w.to, w.v1, Identity{}, nil, lies, noted(h, &asked)); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(asked, root.Top) {
		t.Error("the node below the root was taken for kept")
	}
	w.to.Check(w.v1, w.d1)
}
