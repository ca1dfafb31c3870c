package manifest

import (
	"errors"
	"maps"
	"math/rand/v2"
	"strconv"
	"testing"

	"loggia/transfer/chunk"
)

// checkTableDiff holds TableDiff against a walk of both disks.
func checkTableDiff(t *testing.T, st *nodes, before, after Pair, a, b map[int64][2]chunk.ID) {
	t.Helper()
	want := make(map[int64][2]chunk.ID)
	for s, leaves := range b {
		if a[s] != leaves {
			want[s] = leaves
		}
	}
	var sums Sums
	equal := make(map[int64]bool)
	last := int64(-1)
	err := TableDiff(t.Context(), st, before, after, func(leaf, table SpanRef) error {
		if leaf.Span <= last || want[leaf.Span] != [2]chunk.ID{leaf.ID, table.ID} || leaf.Span != table.Span {
			t.Errorf("span %d after %d: %s and %s, want %v", leaf.Span, last, leaf.ID.Short(), table.ID.Short(), want[leaf.Span])
		}
		last = leaf.Span
		delete(want, leaf.Span)
		sums = sums.add(table.Sums)
		return nil
	}, func(first, spans int64, s Sums) {
		for span := first; span < first+spans; span++ {
			if leaves, ok := b[span]; ok && a[span] != leaves {
				t.Errorf("span %d is said to be equal", span)
			}
			equal[span] = true
		}
		sums = sums.add(s)
	})
	if err != nil || len(want) > 0 {
		t.Fatalf("TableDiff: %v, %d spans were left out", err, len(want))
	}
	for span, leaves := range b {
		if a[span] == leaves && !equal[span] {
			t.Errorf("span %d is equal, and nothing says so", span)
		}
	}
	if sums != after.Table.sums() {
		t.Errorf("sums %v, the table's are %v", sums, after.Table.sums())
	}
}

// leavesOf names the leaves of both trees by span.
func leavesOf(t *testing.T, st *nodes, p Pair) map[int64][2]chunk.ID {
	t.Helper()
	out := make(map[int64][2]chunk.ID)
	for it := TableLeaves(st, p.Root, p.Table); ; {
		leaf, table, err := it.NextRefs(t.Context())
		if err != nil {
			return out
		}
		out[leaf.Span] = [2]chunk.ID{leaf.ID, table.ID}
	}
}

func TestTableDiffAgreesWithAWalk(t *testing.T) {
	r := seeded(t)
	for range 6 {
		st := newNodes()
		a := randomDisk(r, 1+r.Int64N(400), 0.3)
		a.leaves[0] = randomLeaf(r, a.p, min(int64(a.p.Span), a.length))
		b := disk{p: a.p, length: a.length, leaves: maps.Clone(a.leaves)}
		if r.IntN(2) == 0 { // another length, and perhaps another height
			b = randomDisk(r, 1+r.Int64N(400), 0.1)
			for s, l := range a.leaves {
				if (s+1)*int64(a.p.Span) <= min(b.length, a.length) {
					b.leaves[s] = l
				}
			}
			b.leaves[0] = randomLeaf(r, b.p, min(int64(b.p.Span), b.length))
		}
		for range r.IntN(4) {
			s := r.Int64N((b.length + int64(b.p.Span) - 1) / int64(b.p.Span))
			b.leaves[s] = randomLeaf(r, b.p, min(int64(b.p.Span), b.length-s*int64(b.p.Span)))
		}
		// Half of the time the same chunks lie in other frames: then the tables alone differ.
		f := &framer{r: r, extra: 2, of: make(map[chunk.ID]Frame)}
		before, after := Pair{Root: a.build(t, r, st)}, Pair{Root: b.build(t, r, st)}
		before.Table, _ = buildTable(t, st, a, before.Root, f)
		if r.IntN(2) == 0 {
			f = &framer{r: r, extra: 2, of: make(map[chunk.ID]Frame)}
		}
		after.Table, _ = buildTable(t, st, b, after.Root, f)
		was, is := leavesOf(t, st, before), leavesOf(t, st, after)
		checkTableDiff(t, st, before, after, was, is)
		checkTableDiff(t, st, Pair{}, after, nil, is)
		checkTableDiff(t, st, after, after, is, is)
	}
}

// huge makes two versions of a disk of 1 TiB with data in every so-and-so-many-th of its 16,384 spans, which differ in so many spans.
func huge(t testing.TB, r *rand.Rand, st *nodes, every int64, differ int) (before, after Pair) {
	t.Helper()
	p := chunk.DefaultParams()
	const length = 1 << 40
	spans := int64(length / p.Span)
	other := make(map[int64]bool)
	for len(other) < differ {
		other[r.Int64N(spans/every)*every] = true
	}
	build := func(which uint64) (pair Pair) {
		b, err := NewBuilder(p, length, st.put)
		if err != nil {
			t.Fatal(err)
		}
		leaves := make(map[int64]*Leaf)
		for s := int64(0); s < spans; s += every {
			id := idOf(uint64(s))
			if other[s] {
				id = idOf(which<<32 | uint64(s))
			}
			leaf := &Leaf{}
			leaf.AddChunk(chunk.Ref{ID: id, Length: p.HoleBlock})
			leaf.AddHole(uint32(p.Span) - p.HoleBlock)
			leaves[s] = leaf
			if _, err := b.AddLeaf(t.Context(), s, leaf); err != nil {
				t.Fatal(err)
			}
		}
		if pair.Root, err = b.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		tb := NewTableBuilder(pair.Root, st.put)
		for s, leaf := range leaves {
			table, err := NewTableLeaf(leaf, func(ref chunk.Ref) (Frame, error) {
				return Frame{ID: ref.ID, Stored: 1000, Chunks: []chunk.Ref{ref}}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tb.AddLeaf(t.Context(), s, leaf, table); err != nil {
				t.Fatal(err)
			}
		}
		if pair.Table, err = tb.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		return pair
	}
	return build(1), build(2)
}

func TestTableDiffCostFollowsTheDifference(t *testing.T) {
	r := seeded(t)
	const every, differ = 16, 10
	st := newNodes()
	before, after := huge(t, r, st, every, differ)
	reads := func(before, after Pair, want int) int {
		st.reads = 0
		var changed int
		var equal Sums
		err := TableDiff(t.Context(), st, before, after, func(SpanRef, SpanRef) error { changed++; return nil }, func(_, _ int64, s Sums) { equal = equal.add(s) })
		if err != nil || changed != want || equal.Count != int64(16384/every-want) {
			t.Fatalf("%v, %d spans changed, %d equal, want %d changed", err, changed, equal.Count, want)
		}
		return st.reads
	}
	if n := reads(after, after, 0); n != 0 {
		t.Errorf("%d nodes read of equal disks", n)
	}
	// Two trees of two disks: their tops, and one node of level 1 for each span.
	if n, most := reads(before, after, differ), 4+4*differ; n > most {
		t.Errorf("%d nodes read for %d spans, want at most %d", n, differ, most)
	}
}

func TestTableDiffRefusesTreesThatDoNotFit(t *testing.T) {
	r := seeded(t)
	st := newNodes()
	a, b := randomDisk(r, 40, 1), randomDisk(r, 40, 1)
	delete(b.leaves, 7)
	before, after := Pair{Root: a.build(t, r, st)}, Pair{Root: b.build(t, r, st)}
	f := &framer{r: r, of: make(map[chunk.ID]Frame)}
	before.Table, _ = buildTable(t, st, a, before.Root, f)
	after.Table = before.Table // has a leaf at span 7
	ignore := func(SpanRef, SpanRef) error { return nil }
	if err := TableDiff(t.Context(), st, Pair{}, after, ignore, func(int64, int64, Sums) {}); !errors.Is(err, ErrInvalid) {
		t.Errorf("table of another disk: %v, want ErrInvalid", err)
	}
	before.Root.Params.Span *= 2
	if err := TableDiff(t.Context(), st, before, after, ignore, func(int64, int64, Sums) {}); !errors.Is(err, ErrInvalid) {
		t.Errorf("spans of another length: %v, want ErrInvalid", err)
	}
}

// BenchmarkTableDiff compares two versions of a disk of 1 TiB: nodes/op follow the difference.
func BenchmarkTableDiff(b *testing.B) {
	for _, differ := range []int{1, 16, 256, 4096} {
		b.Run(strconv.Itoa(differ)+" of 16384 spans", func(b *testing.B) {
			st := newNodes()
			before, after := huge(b, rand.New(rand.NewPCG(1, 1)), st, 1, differ)
			st.reads = 0
			b.ReportAllocs()
			for b.Loop() {
				err := TableDiff(b.Context(), st, before, after, func(SpanRef, SpanRef) error { return nil }, func(int64, int64, Sums) {})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(st.reads)/float64(b.N), "nodes/op")
		})
	}
}
