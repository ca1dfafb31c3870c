package manifest

import (
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
)

// framer puts every chunk in a frame with its neighbours and some strangers.
type framer struct {
	r     *rand.Rand
	extra int
	of    map[chunk.ID]Frame
}

func (f *framer) find(ref chunk.Ref) (Frame, error) {
	if have, ok := f.of[ref.ID]; ok {
		return have, nil
	}
	fr := Frame{Stored: 1 + f.r.Uint32N(1<<20), Chunks: []chunk.Ref{ref}}
	for range f.r.IntN(f.extra + 1) {
		n := f.r.Uint64()
		fr.Chunks = append(fr.Chunks, chunk.Ref{ID: idOf(n), Length: 1 + uint32(n%1000)})
	}
	f.r.Shuffle(len(fr.Chunks), func(i, j int) { fr.Chunks[i], fr.Chunks[j] = fr.Chunks[j], fr.Chunks[i] })
	fr.ID = idOf(f.r.Uint64())
	for _, c := range fr.Chunks {
		f.of[c.ID] = fr
	}
	return fr, nil
}

func buildTable(t *testing.T, st *nodes, d disk, root Root, f *framer) (Table, map[int64]*TableLeaf) {
	t.Helper()
	b := NewTableBuilder(root, st.put)
	leaves := make(map[int64]*TableLeaf)
	for s, leaf := range d.leaves {
		tl, err := NewTableLeaf(leaf, f.find)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.AddLeaf(t.Context(), s, leaf, tl); err != nil {
			t.Fatal(err)
		}
		leaves[s] = tl
	}
	table, err := b.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return table, leaves
}

func TestTableGivesBackWhatWasPut(t *testing.T) {
	r := seeded(t)
	for _, spans := range []int64{1, 300} {
		for _, extra := range []int{0, 5, 2000} {
			if extra > 5 && spans > 1 {
				continue // slow, and shows nothing more
			}
			d := randomDisk(r, spans, 0.1)
			if d.leaves[0] == nil {
				d.leaves[0] = randomLeaf(r, d.p, min(int64(d.p.Span), d.length))
			}
			st := newNodes()
			root := d.build(t, r, st)
			table, want := buildTable(t, st, d, root, &framer{r: r, extra: extra, of: make(map[chunk.ID]Frame)})
			if opened, err := OpenTable(t.Context(), st, table.ID(), root); err != nil || opened != table {
				t.Fatalf("OpenTable = %+v, %v", opened, err)
			}
			got := make(map[int64]*TableLeaf)
			err := WalkTable(t.Context(), st, root, table, func(s int64, leaf *Leaf, tl *TableLeaf) error {
				got[s] = tl
				return nil
			})
			if err != nil {
				t.Fatalf("%d spans, extra %d: WalkTable: %v", spans, extra, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("table differs: %s", diff)
			}
			copied := newNodes()
			keep := func(id chunk.ID, b []byte) error { return copied.put(t.Context(), id, b) }
			if err := errors.Join(Nodes(t.Context(), st, root, keep), TableNodes(t.Context(), st, root, table, keep)); err != nil {
				t.Fatal(err)
			}
			if len(copied.m) != len(st.m) {
				t.Errorf("Nodes and TableNodes showed %d nodes of %d", len(copied.m), len(st.m))
			}
		}
	}
}

func TestTableRules(t *testing.T) {
	leaf := &Leaf{}
	leaf.AddChunk(chunk.Ref{ID: idOf(1), Length: 10})
	leaf.AddChunk(chunk.Ref{ID: idOf(2), Length: 20})
	ref := func(n uint64, l uint32) chunk.Ref { return chunk.Ref{ID: idOf(n), Length: l} }
	f := func(n uint64, refs ...chunk.Ref) Frame { return Frame{ID: idOf(100 + n), Stored: 5, Chunks: refs} }
	for name, test := range map[string]struct {
		frames []Frame
		want   error
	}{
		"one frame":       {[]Frame{f(1, ref(2, 20), ref(1, 10), ref(3, 7))}, nil},
		"two frames":      {[]Frame{f(1, ref(1, 10)), f(2, ref(2, 20))}, nil},
		"chunk missing":   {[]Frame{f(1, ref(1, 10))}, ErrInvalid},
		"no frame":        {nil, ErrInvalid},
		"out of order":    {[]Frame{f(2, ref(2, 20)), f(1, ref(1, 10))}, ErrInvalid},
		"useless":         {[]Frame{f(1, ref(1, 10), ref(2, 20)), f(2, ref(2, 20))}, ErrInvalid},
		"stranger":        {[]Frame{f(1, ref(1, 10), ref(2, 20)), f(2, ref(3, 20))}, ErrInvalid},
		"other length":    {[]Frame{f(1, ref(1, 10), ref(2, 21))}, ErrInvalid},
		"empty frame":     {[]Frame{f(1)}, ErrInvalid},
		"too much plain":  {[]Frame{f(1, ref(1, 10), ref(2, 20), ref(3, 4<<20))}, ErrLimit},
		"too many chunks": {[]Frame{f(1, append(slices.Repeat([]chunk.Ref{ref(3, 1)}, MaxFrameChunks), ref(1, 10), ref(2, 20))...)}, ErrLimit},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := (&TableLeaf{Frames: test.frames}).Encode(leaf); !errors.Is(err, test.want) || err != nil && test.want == nil {
				t.Errorf("Encode: %v, want %v", err, test.want)
			}
		})
	}
}

func TestTableOfAnotherSpanIsRefused(t *testing.T) {
	r := seeded(t)
	st := newNodes()
	d := randomDisk(r, 2, 0)
	for s := range int64(2) {
		d.leaves[s] = randomLeaf(r, d.p, min(int64(d.p.Span), d.length-s*int64(d.p.Span)))
	}
	root := d.build(t, r, st)
	table, _ := buildTable(t, st, d, root, &framer{r: r, of: make(map[chunk.ID]Frame)})
	it := TableLeaves(st, root, table)
	_, first, err := it.NextRefs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wrong := &Leaf{}
	wrong.AddChunk(chunk.Ref{ID: idOf(1 << 40), Length: 100})
	if _, err := ReadTableLeaf(t.Context(), st, first, wrong); !errors.Is(err, ErrInvalid) {
		t.Errorf("table leaf read for another leaf: %v, want ErrInvalid", err)
	}
	if _, _, err := it.NextRefs(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := it.NextRefs(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after the last span: %v, want io.EOF", err)
	}
	other := table
	other.Root = idOf(5)
	if err := st.put(t.Context(), other.ID(), other.Encode()); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenTable(t.Context(), st, other.ID(), root); !errors.Is(err, ErrInvalid) {
		t.Errorf("table of another manifest: %v, want ErrInvalid", err)
	}
}

// A chunk that the leaf holds must be given by its number: the inline form is another encoding of the
// same table, and is refused.
func TestTableHasOneEncoding(t *testing.T) {
	leaf := &Leaf{}
	leaf.AddChunk(chunk.Ref{ID: idOf(1), Length: 10})
	tl := &TableLeaf{Frames: []Frame{{ID: idOf(2), Stored: 9, Chunks: []chunk.Ref{{ID: idOf(1), Length: 10}}}}}
	node, _, err := tl.Encode(leaf)
	if err != nil {
		t.Fatal(err)
	}
	inline := append(node[:len(node)-1:len(node)-1], 0)
	inline = append(append(inline, id(1)...), 10)
	st := newNodes()
	ref := SpanRef{ID: digest.Of(inline), Sums: tl.Sums()}
	if err := st.put(t.Context(), ref.ID, inline); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadTableLeaf(t.Context(), st, ref, leaf); !errors.Is(err, ErrInvalid) {
		t.Errorf("inline form: %v, want ErrInvalid", err)
	}
}
