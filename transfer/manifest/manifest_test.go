package manifest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
)

func TestTreeGivesBackWhatWasPut(t *testing.T) {
	r := seeded(t)
	for _, spans := range []int64{1, 2, 255, 256, 257, 700} {
		d := randomDisk(r, spans, 0.3)
		st := newNodes()
		root := d.build(t, r, st)
		if again := d.build(t, r, newNodes()); again != root {
			t.Fatalf("%d spans: another order of leaves gives root %+v, want %+v", spans, again, root)
		}
		opened, err := Open(t.Context(), st, root.ID())
		if err != nil || opened != root {
			t.Fatalf("Open = %+v, %v, want %+v", opened, err, root)
		}
		got := make(map[int64]*Leaf)
		last := int64(-1)
		err = Walk(t.Context(), st, root, func(span int64, leaf *Leaf) error {
			if span <= last {
				t.Errorf("span %d after %d", span, last)
			}
			got[span], last = leaf, span
			return nil
		})
		if err != nil {
			t.Fatalf("%d spans: Walk: %v", spans, err)
		}
		if diff := cmp.Diff(d.leaves, got); diff != "" {
			t.Fatalf("%d spans: leaves differ: %s", spans, diff)
		}
		count := 0
		if err := Nodes(t.Context(), st, root, func(id chunk.ID, b []byte) error {
			count++
			if digest.Of(b) != id {
				t.Errorf("node %s has other bytes", id.Short())
			}
			return nil
		}); err != nil || count < len(st.m) {
			t.Fatalf("%d spans: Nodes showed %d of %d: %v", spans, count, len(st.m), err)
		}
	}
}

func TestHeightFollowsFromLength(t *testing.T) {
	for _, c := range []struct {
		spans int64
		want  int
	}{{1, 0}, {2, 1}, {256, 1}, {257, 2}, {65536, 2}, {65537, 3}, {1 << 20, 3}} {
		if got := (Shape{Length: c.spans * 64 << 20, Span: 64 << 20}).Height(); got != c.want {
			t.Errorf("height of %d spans = %d, want %d", c.spans, got, c.want)
		}
	}
}

func TestGreatestDisk(t *testing.T) {
	st := newNodes()
	p := chunk.DefaultParams()
	b, err := NewBuilder(p, MaxLength, st.put)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &Leaf{}
	leaf.AddHole(uint32(p.Span) - p.HoleBlock)
	leaf.AddChunk(chunk.Ref{ID: idOf(1), Length: p.HoleBlock})
	want := []int64{0, 65535, 65536, MaxLength/int64(p.Span) - 1}
	for _, s := range want {
		if _, err := b.AddLeaf(t.Context(), s, leaf); err != nil {
			t.Fatal(err)
		}
	}
	root, err := b.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	if err := Walk(t.Context(), st, root, func(s int64, _ *Leaf) error { got = append(got, s); return nil }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("spans %v, want %v", got, want)
	}
	if _, err := NewBuilder(p, MaxLength+1, st.put); !errors.Is(err, ErrLimit) {
		t.Errorf("a longer disk: %v, want ErrLimit", err)
	}
}

func TestAllHole(t *testing.T) {
	st := newNodes()
	b, err := NewBuilder(testParams(), 300<<20, st.put)
	if err != nil {
		t.Fatal(err)
	}
	hole := &Leaf{}
	hole.AddHole(1 << 20)
	if _, err := b.AddLeaf(t.Context(), 7, hole); err != nil {
		t.Fatal(err)
	}
	root, err := b.Finish(t.Context())
	if err != nil || !root.Top.IsZero() {
		t.Fatalf("root %+v, %v: want no top", root, err)
	}
	var got []Extent
	err = Extents(t.Context(), st, root, 100, 1000, func(x Extent) error { got = append(got, x); return nil })
	if want := []Extent{{Offset: 100, Length: 1000}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("Extents = %+v, %v, want %+v", got, err, want)
	}
}

func TestDiffShowsTheDifferenceOnly(t *testing.T) {
	r := seeded(t)
	for range 20 {
		st := newNodes()
		a := randomDisk(r, 1+r.Int64N(600), 0.4)
		b := disk{p: a.p, length: a.length, leaves: maps.Clone(a.leaves)}
		if r.IntN(2) == 0 {
			b = randomDisk(r, 1+r.Int64N(600), 0.1)
			for s, l := range a.leaves {
				if (s+1)*int64(a.p.Span) <= min(b.length, a.length) {
					b.leaves[s] = l
				}
			}
		}
		for range r.IntN(5) {
			s := r.Int64N((b.length + int64(b.p.Span) - 1) / int64(b.p.Span))
			if l := randomLeaf(r, b.p, min(int64(b.p.Span), b.length-s*int64(b.p.Span))); l.Sums().Count > 0 {
				b.leaves[s] = l
			}
		}
		checkDiff(t, st, a.build(t, r, st), b.build(t, r, st), a.leaves, b.leaves)
	}
}

func checkDiff(t *testing.T, st *nodes, ra, rb Root, a, b map[int64]*Leaf) {
	t.Helper()
	want := make(map[int64][2]*Leaf)
	for s := range max(ra.Shape().Spans(), rb.Shape().Spans()) {
		if !cmp.Equal(a[s], b[s]) {
			want[s] = [2]*Leaf{a[s], b[s]}
		}
	}
	got := make(map[int64][2]*Leaf)
	err := Diff(t.Context(), st, ra, rb, func(s int64, x, y *Leaf) error {
		got[s] = [2]*Leaf{x, y}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("Diff: %s", d)
	}
}

func TestDiffCostFollowsTheDifference(t *testing.T) {
	r := seeded(t)
	st := newNodes()
	a := randomDisk(r, 2000, 1)
	b := disk{p: a.p, length: a.length, leaves: maps.Clone(a.leaves)}
	b.leaves[1234] = randomLeaf(r, a.p, int64(a.p.Span))
	ra, rb := a.build(t, r, st), b.build(t, r, st)
	st.reads = 0
	if err := Diff(t.Context(), st, ra, rb, func(int64, *Leaf, *Leaf) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if st.reads > 6 {
		t.Errorf("%d nodes read for one span of 2000, want 6: top, level 1 and leaf on each side", st.reads)
	}
}

func TestExtentsAgreeWithTheDumbForm(t *testing.T) {
	r := seeded(t)
	st := newNodes()
	d := randomDisk(r, 300, 0.5)
	root := d.build(t, r, st)
	for range 200 {
		off := r.Int64N(root.Length + 1)
		n := r.Int64N(min(root.Length-off, 5<<20) + 1)
		at := off
		err := Extents(t.Context(), st, root, off, n, func(x Extent) error {
			if x.Offset != at || x.Length < 1 {
				t.Fatalf("extent %+v at %d", x, at)
			}
			at += x.Length
			want, skip := d.at(x.Offset)
			if want.ID != x.Entry.ID || !want.Hole() && (want != x.Entry || skip != x.Skip) {
				t.Fatalf("extent %+v, want entry %+v skip %d", x, want, skip)
			}
			return nil
		})
		if err != nil || at != off+n {
			t.Fatalf("Extents(%d, %d) ended at %d: %v", off, n, at, err)
		}
	}
	if err := Extents(t.Context(), st, root, root.Length, 1, nil); !errors.Is(err, ErrLimit) {
		t.Errorf("a range beyond the disk: %v, want ErrLimit", err)
	}
}

// at returns the entry that holds address off.
func (d disk) at(off int64) (Entry, uint32) {
	leaf := d.leaves[off/int64(d.p.Span)]
	if leaf == nil {
		return Entry{}, 0
	}
	at := off / int64(d.p.Span) * int64(d.p.Span)
	for _, e := range leaf.Entries {
		if at+int64(e.Length) > off {
			return e, uint32(off - at)
		}
		at += int64(e.Length)
	}
	return Entry{}, 0
}

func TestSeekSpan(t *testing.T) {
	r := seeded(t)
	st := newNodes()
	d := randomDisk(r, 700, 0.1)
	root := d.build(t, r, st)
	it := Leaves(st, root)
	for range 100 {
		from := r.Int64N(700)
		want := int64(-1)
		for s := from; s < 700 && want < 0; s++ {
			if d.leaves[s] != nil {
				want = s
			}
		}
		it.SeekSpan(from)
		ref, err := it.NextRef(t.Context())
		if want >= 0 && (err != nil || ref.Span != want) || want < 0 && err == nil {
			t.Fatalf("after SeekSpan(%d): %d, %v, want %d", from, ref.Span, err, want)
		}
	}
}

func TestDamagedAndMissingNodes(t *testing.T) {
	r := seeded(t)
	st := newNodes()
	d := randomDisk(r, 300, 0.2)
	root := d.build(t, r, st)
	walk := func() error { return Walk(context.Background(), st, root, func(int64, *Leaf) error { return nil }) }
	ids := slices.Collect(maps.Keys(st.m))
	for _, id := range ids {
		if id == root.ID() {
			continue
		}
		good := st.m[id]
		bad := slices.Clone(good)
		bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
		st.m[id] = bad
		if err := walk(); !errors.Is(err, ErrDamaged) {
			t.Fatalf("damaged node: %v, want ErrDamaged", err)
		}
		delete(st.m, id)
		if err := walk(); !errors.Is(err, errAbsent) {
			t.Fatalf("missing node: %v, want the getter's error", err)
		}
		st.m[id] = good
	}
	lying := root
	lying.Data--
	if err := Walk(t.Context(), st, lying, func(int64, *Leaf) error { return nil }); !errors.Is(err, ErrInvalid) {
		t.Errorf("root with wrong sums: %v, want ErrInvalid", err)
	}
}

// What Beginning names is enough to read the first span's leaves, and nothing less is.
func TestBeginning(t *testing.T) {
	r := seeded(t)
	for _, spans := range []int64{1, 3, 300, 5000} {
		g := newNodes()
		root, table := someDisk(t, r, g, spans, 0)
		ids, err := Beginning(t.Context(), g, root.ID(), table.ID())
		if err != nil {
			t.Fatal(err)
		}
		if ids[0] != root.ID() || ids[1] != table.ID() {
			t.Errorf("%d spans: the roots do not come first", spans)
		}
		first := func(but int) error {
			part := newNodes()
			for i, id := range ids {
				if i != but {
					part.m[id] = g.m[id]
				}
			}
			root, err := Open(t.Context(), part, root.ID())
			if err != nil {
				return err
			}
			table, err := OpenTable(t.Context(), part, table.ID(), root)
			if err != nil {
				return err
			}
			_, _, _, err = TableLeaves(part, root, table).Next(t.Context())
			return err
		}
		if err := first(-1); err != nil {
			t.Errorf("%d spans: %v", spans, err)
		}
		for i := range ids {
			if first(i) == nil {
				t.Errorf("%d spans: node %d of %d is of no use", spans, i, len(ids))
			}
		}
	}
}
