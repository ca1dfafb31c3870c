package manifest

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"loggia/transfer/chunk"
)

// TestReachIsEverything holds that a walk shows every node that a copy of manifest and table needs, and reads nothing twice.
func TestReachIsEverything(t *testing.T) {
	r := seeded(t)
	for spans, extra := range map[int64]int{300: 5, 1: 2000} { // the second has continuations
		reachesAll(t, r, spans, extra)
	}
}

func someDisk(t *testing.T, r *rand.Rand, g *nodes, spans int64, extra int) (Root, Table) {
	t.Helper()
	d := randomDisk(r, spans, 0.1)
	if d.leaves[0] == nil {
		d.leaves[0] = randomLeaf(r, d.p, min(int64(d.p.Span), d.length))
	}
	root := d.build(t, r, g)
	table, _ := buildTable(t, g, d, root, &framer{r: r, extra: extra, of: make(map[chunk.ID]Frame)})
	return root, table
}

func reachesAll(t *testing.T, r *rand.Rand, spans int64, extra int) {
	t.Helper()
	ctx := t.Context()
	g := newNodes()
	root, table := someDisk(t, r, g, spans, extra)
	want := map[chunk.ID]bool{}
	note := func(id chunk.ID, _ []byte) error { want[id] = true; return nil }
	if err := errors.Join(Nodes(ctx, g, root, note), TableNodes(ctx, g, root, table, note)); err != nil {
		t.Fatal(err)
	}
	got := map[chunk.ID]bool{}
	leaves := 0
	v := Visitor{Enter: func(id chunk.ID) (bool, error) {
		fresh := !got[id]
		got[id] = true
		return fresh, nil
	}, Leaf: func(*Leaf) error { leaves++; return nil }}
	walk := func() {
		t.Helper()
		reached, err := Reach(ctx, g, root.ID(), v)
		if err == nil {
			err = ReachTable(ctx, g, reached, table.ID(), v)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	walk()
	if len(got) != len(want) || leaves == 0 {
		t.Errorf("%d nodes, want %d; %d leaves", len(got), len(want), leaves)
	}
	for id := range want {
		if !got[id] {
			t.Errorf("node %s was not shown", id.Short())
		}
	}
	reads := g.reads
	walk()
	if n := g.reads - reads; n > 2 {
		t.Errorf("walked again it reads %d nodes, want the two roots", n)
	}
}

// TestReachGoesOn holds that a node that is missing ends the walk, or only what is below it, as asked.
func TestReachGoesOn(t *testing.T) {
	ctx := context.Background()
	g := newNodes()
	root, _ := someDisk(t, seeded(t), g, 300, 0)
	var all []chunk.ID
	every := Visitor{Enter: func(id chunk.ID) (bool, error) { all = append(all, id); return true, nil }}
	if _, err := Reach(ctx, g, root.ID(), every); err != nil {
		t.Fatal(err)
	}
	gone := all[len(all)-1]
	delete(g.m, gone)
	if _, err := Reach(ctx, g, root.ID(), every); !errors.Is(err, errAbsent) {
		t.Fatalf("got %v, want %v", err, errAbsent)
	}
	faults := 0
	every.Fault = func(err error) error { faults++; return nil }
	if _, err := Reach(ctx, g, root.ID(), every); err != nil || faults == 0 {
		t.Fatalf("%d faults, %v", faults, err)
	}
}
