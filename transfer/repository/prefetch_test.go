package repository

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/pack"
)

// TestPrefetch holds that nodes which lie in several packs are at hand with a request for each pack, and right; and that a damaged pack is
// nobody's fault but its own.
func TestPrefetch(t *testing.T) {
	g := newRig(t)
	var live []SegmentRef
	var ids []chunk.ID
	nodes := map[chunk.ID][]byte{}
	const packs, each = 4, 15
	for epoch := range uint64(packs) {
		w := g.writer(t, 1+epoch, nil)
		for range each {
			b := make([]byte, 30_000)
			for i := range b {
				b[i] = byte(g.r.Uint32())
			}
			id := digest.Of(b)
			if err := w.PutNode(t.Context(), id, b); err != nil {
				t.Fatal(err)
			}
			nodes[id], ids = b, append(ids, id)
		}
		refs, err := w.Finish(t.Context(), digest.Of(nil), digest.Of(nil), 1)
		if err != nil {
			t.Fatal(err)
		}
		live = append(live, refs...)
	}
	g.r.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })

	v := open(t, g.repo, live)
	before := g.repo.Requests()
	n := v.Prefetch(t.Context(), ids)
	if n < 30 || n*30_000 > nodesAhead {
		t.Fatalf("%d of %d nodes", n, len(ids))
	}
	for _, id := range ids[:n] {
		if b, err := v.Node(t.Context(), id); err != nil || !bytes.Equal(b, nodes[id]) {
			t.Fatalf("node %s: %v", id.Short(), err)
		}
	}
	if took := g.repo.Requests() - before; took > packs {
		t.Errorf("%d nodes in %d packs took %d requests", n, packs, took)
	}
	if n := v.Prefetch(t.Context(), []chunk.ID{ids[0], digest.Of([]byte("stranger")), ids[1]}); n != 1 {
		t.Errorf("before a node that is not there come %d, want 1", n)
	}

	loc, ok, err := v.Lookup(ids[0])
	if err != nil || !ok || loc.Kind != pack.Nodes {
		t.Fatal(ok, err)
	}
	if err := g.store.Put(t.Context(), g.repo.Keys.Pack(loc.Kind, loc.Epoch, loc.Pack), make([]byte, loc.PackSize)); err != nil {
		t.Fatal(err)
	}
	v = open(t, g.repo, live)
	if n := v.Prefetch(t.Context(), ids); n != 0 {
		t.Errorf("%d nodes of a damaged pack", n)
	}
	if _, err := v.Node(t.Context(), ids[0]); !errors.Is(err, ErrDamaged) {
		t.Errorf("a node of it: %v, want ErrDamaged", err)
	}
	for _, id := range ids {
		if l, _, _ := v.Lookup(id); l.Pack != loc.Pack {
			if b, err := v.Node(t.Context(), id); err != nil || !bytes.Equal(b, nodes[id]) {
				t.Fatalf("node %s beside it: %v", id.Short(), err)
			}
		}
	}
}

// TestNodesNearby holds that nodes of one pack, asked for one by one, come with a request for each MiB, and that what
// lies around a node does it no harm.
func TestNodesNearby(t *testing.T) {
	g := newRig(t)
	w := g.writer(t, 1, nil)
	var ids []chunk.ID
	for range 80 {
		b := make([]byte, 30_000)
		for i := range b {
			b[i] = byte(g.r.Uint32())
		}
		if err := w.PutNode(t.Context(), digest.Of(b), b); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, digest.Of(b))
	}
	live, err := w.Finish(t.Context(), digest.Of(nil), digest.Of(nil), 1)
	if err != nil {
		t.Fatal(err)
	}
	v := open(t, g.repo, live)
	before := g.repo.Requests()
	for _, id := range ids {
		if b, err := v.Node(t.Context(), id); err != nil || digest.Of(b) != id {
			t.Fatalf("node %s: %v", id.Short(), err)
		}
	}
	if took := g.repo.Requests() - before; took > 4 {
		t.Errorf("80 nodes, 2.4 MB in one pack, took %d requests", took)
	}

	loc, _, err := v.Lookup(ids[0])
	if err != nil {
		t.Fatal(err)
	}
	key := g.repo.Keys.Pack(loc.Kind, loc.Epoch, loc.Pack)
	rd, err := g.store.Get(t.Context(), key, 0, loc.FrameOffset+int64(loc.FrameStored))
	if err != nil {
		t.Fatal(err)
	}
	short, err := io.ReadAll(rd)
	if err := errors.Join(err, rd.Close(), g.store.Delete(t.Context(), key), g.store.Put(t.Context(), key, short)); err != nil {
		t.Fatal(err)
	}
	v = open(t, g.repo, live)
	if b, err := v.Node(t.Context(), ids[0]); err != nil || digest.Of(b) != ids[0] {
		t.Errorf("a node before what is cut off: %v", err)
	}
	if _, err := v.Node(t.Context(), ids[len(ids)-1]); !errors.Is(err, ErrDamaged) {
		t.Errorf("a node that is cut off: %v", err)
	}
}
