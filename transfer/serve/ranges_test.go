package serve

import (
	"errors"
	"io"
	"slices"
	"testing"

	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/index"
	"loggia/transfer/intake"
	"loggia/transfer/manifest"
	"loggia/transfer/pack"
	"loggia/transfer/repository"
	"loggia/transfer/serve/servetest"
)

// asksOf asks for every chunk of some spans.
func asksOf(t *testing.T, v *repository.View, d intake.Result) (asks []Ask) {
	t.Helper()
	root, err := manifest.Open(t.Context(), v, d.Root)
	if err != nil {
		t.Fatal(err)
	}
	err = manifest.Walk(t.Context(), v, root, func(n int64, leaf *manifest.Leaf) error {
		a := Ask{Span: n}
		for _, ref := range leaf.Distinct() {
			a.IDs = append(a.IDs, ref.ID)
		}
		asks = append(asks, a)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return asks
}

// TestRangesHoldOnlyWhatMayBeRead reads each range from the store as a client does, and finds there nothing but chunks of the spans
// that were named, though packs and frames hold chunks of another version, too.
func TestRangesHoldOnlyWhatMayBeRead(t *testing.T) {
	r := servetest.Random(t)
	g := servetest.New(t, servetest.Memory())
	d1 := servetest.NewDisk(r, 24<<20)
	v1 := g.Publish(d1, servetest.Params())
	v2 := g.Publish(servetest.Change(r, d1, 20), servetest.Params(), v1.Root)
	v := g.View()
	root, err := manifest.Open(t.Context(), v, v2.Root)
	if err != nil {
		t.Fatal(err)
	}
	asks := asksOf(t, v, v2)
	for len(asks) > 0 {
		n := min(1+r.IntN(MaxSpans), len(asks))
		ids, may, err := Wanted(t.Context(), v, root, asks[:n])
		if err != nil {
			t.Fatal(err)
		}
		asks = asks[n:]
		ranges, err := Ranges(v, ids, may)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range ranges {
			checkRange(t, g, x, may)
		}
	}
	whole, err := Ranges(v, chunksIn(t, v, v1), func(chunk.ID) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	sum := int64(0)
	for _, x := range whole {
		sum += x.Length
	}
	if sum < v1.New*9/10 || len(whole) > int(sum/(1<<20))+8 {
		t.Errorf("%d bytes of %d in %d ranges", sum, v1.New, len(whole))
	}
	none, err := Ranges(v, chunksIn(t, v, v1), func(chunk.ID) bool { return false })
	if err != nil || len(none) != 0 {
		t.Errorf("%d ranges of what may not be read, %v", len(none), err)
	}
}

func checkRange(t *testing.T, g *servetest.Region, x Range, may func(chunk.ID) bool) {
	t.Helper()
	f := x.First
	body, err := g.Store.Get(t.Context(), g.Repo.Keys.Pack(f.Kind, f.Epoch, f.Pack), f.FrameOffset, x.Length)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	if f.Kind != pack.Data || x.Length < rangeLeast {
		t.Errorf("range of %d bytes in a pack %c", x.Length, f.Kind)
	}
	for _, piece := range x.Frames {
		plain, err := frame.Decode(nil, b[:piece.Stored], g.Decoder)
		if err != nil {
			t.Fatal(err)
		}
		b = b[piece.Stored:]
		for _, ref := range piece.Refs {
			if !may(ref.ID) {
				t.Fatalf("chunk %s may not be read", ref.ID.Short())
			}
			if chunk.Hash(plain[:ref.Length]) != ref.ID {
				t.Fatalf("chunk %s is another", ref.ID.Short())
			}
			plain = plain[ref.Length:]
		}
		if len(plain) > 0 {
			t.Fatalf("%d bytes of a frame belong to no chunk", len(plain))
		}
	}
	if len(b) > 0 {
		t.Fatalf("%d bytes of a range belong to no frame", len(b))
	}
}

// TestForeignChunk: one chunk that may not be read keeps its frame out, and parts the range there.
func TestForeignChunk(t *testing.T) {
	r := servetest.Random(t)
	g := servetest.New(t, servetest.Memory())
	d := g.Publish(servetest.NewDisk(r, 16<<20), servetest.Params())
	v := g.View()
	ids := chunksIn(t, v, d)
	foreign := ids[r.IntN(len(ids))]
	ranges, err := Ranges(v, ids, func(id chunk.ID) bool { return id != foreign })
	if err != nil || len(ranges) == 0 {
		t.Fatalf("%d ranges, %v", len(ranges), err)
	}
	loc, _, err := v.Lookup(foreign)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range ranges {
		checkRange(t, g, x, func(id chunk.ID) bool { return id != foreign })
		if f := x.First; f.Pack == loc.Pack && f.FrameOffset <= loc.FrameOffset && loc.FrameOffset < f.FrameOffset+x.Length {
			t.Errorf("a range of %d bytes from %d holds the frame at %d", x.Length, f.FrameOffset, loc.FrameOffset)
		}
	}
}

func TestWanted(t *testing.T) {
	g := servetest.New(t, servetest.Memory())
	d := g.Publish(servetest.NewDisk(servetest.Random(t), 8<<20), servetest.Params())
	v := g.View()
	root, err := manifest.Open(t.Context(), v, d.Root)
	if err != nil {
		t.Fatal(err)
	}
	asks := asksOf(t, v, d)
	ids, may, err := Wanted(t.Context(), v, root, []Ask{{asks[0].Span, asks[0].IDs[:1]}})
	if err != nil || len(ids) != 1 || !may(asks[0].IDs[0]) || !may(asks[0].IDs[len(asks[0].IDs)-1]) {
		t.Errorf("%d chunks, %v: every chunk of a span named may be read", len(ids), err)
	}
	if may(chunk.Hash([]byte("of somebody else"))) {
		t.Error("a chunk of no span may be read")
	}
	if _, _, err := Wanted(t.Context(), v, root, []Ask{{asks[0].Span, []chunk.ID{chunk.Hash([]byte("other"))}}}); !errors.Is(err, ErrNotInDisk) {
		t.Errorf("a chunk of another disk: %v", err)
	}
}

// TestForeignChunksStay: of a frame that holds another version's chunks, a reader who may not have those gets its own, framed anew.
func TestForeignChunksStay(t *testing.T) {
	r := servetest.Random(t)
	g := servetest.New(t, servetest.Memory())
	d1 := servetest.NewDisk(r, 24<<20)
	v1 := g.Publish(d1, servetest.Params())
	v2 := g.Publish(servetest.Change(r, d1, 20), servetest.Params(), v1.Root)
	v := g.View()
	root, err := manifest.Open(t.Context(), v, v2.Root)
	if err != nil {
		t.Fatal(err)
	}
	mine := map[chunk.ID]bool{}
	for _, id := range chunksIn(t, v, v2) {
		mine[id] = true
	}
	send := func(strict bool) (foreign int) {
		came := map[chunk.ID]bool{}
		asks := asksOf(t, v, v2)
		for len(asks) > 0 {
			n := min(1+r.IntN(8), len(asks))
			ids, may, err := Wanted(t.Context(), v, root, asks[:n])
			if err != nil {
				t.Fatal(err)
			}
			asks = asks[n:]
			o := Options{Pool: g.Reads, Decoder: g.Decoder, Encoder: g.Encoder}
			if strict {
				o.Whole = OnlyThose(may)
			}
			if _, err := Frames(t.Context(), v, ids, o, handOver(func(_ []byte, refs []chunk.Ref) error {
				for _, ref := range refs {
					came[ref.ID] = true
					if !mine[ref.ID] {
						foreign++
					}
				}
				return nil
			})); err != nil {
				t.Fatal(err)
			}
		}
		for id := range mine {
			if !came[id] {
				t.Fatalf("chunk %s did not come", id.Short())
			}
		}
		return foreign
	}
	if n := send(false); n == 0 {
		t.Fatal("no frame of v1 that v2 shares holds anything else: the test shows nothing")
	}
	if n := send(true); n > 0 {
		t.Errorf("%d chunks of another version came", n)
	}
}

// TestLongestRanges: where there are too many, the longest stay, in order.
func TestLongestRanges(t *testing.T) {
	r := servetest.Random(t)
	var all []Range
	for i := range 3 * MaxRanges {
		all = append(all, Range{index.Location{FrameOffset: int64(i)}, 1 + int64(r.IntN(50)), nil})
	}
	kept := longest(append([]Range(nil), all...))
	least, place := int64(1<<60), int64(-1)
	for _, x := range kept {
		least = min(least, x.Length)
		if x.First.FrameOffset <= place {
			t.Fatalf("out of order at %d", place)
		}
		place = x.First.FrameOffset
	}
	lost := 0
	for _, x := range all {
		if x.Length > least && !slices.ContainsFunc(kept, func(k Range) bool { return k.First.FrameOffset == x.First.FrameOffset }) {
			lost++
		}
	}
	if len(kept) != MaxRanges || lost > 0 {
		t.Errorf("%d ranges kept, of at least %d bytes; %d that are longer are lost", len(kept), least, lost)
	}
}

// What is wanted is in ranges or beside them, and nothing is in both.
func TestBesideRanges(t *testing.T) {
	g := servetest.New(t, servetest.Memory())
	d := g.Publish(servetest.NewDisk(servetest.Random(t), 8<<20), servetest.Params())
	v := g.View()
	want := chunksIn(t, v, d)
	ranges, err := Ranges(v, want, func(chunk.ID) bool { return true })
	if err != nil || len(ranges) == 0 {
		t.Fatalf("%d ranges, %v", len(ranges), err)
	}
	if left := Beside(ranges, want); len(left) > len(want)/4 {
		t.Errorf("%d of %d chunks are in no range", len(left), len(want))
	}
	left := map[chunk.ID]bool{}
	for _, id := range Beside(ranges[1:], want) {
		left[id] = true
	}
	for _, f := range ranges[0].Frames {
		for _, ref := range f.Refs {
			if !left[ref.ID] {
				t.Fatalf("chunk %s is in no range and not beside them", ref.ID.Short())
			}
		}
	}
	if all := Beside(nil, want); !slices.Equal(all, want) {
		t.Errorf("%d chunks of %d are beside no ranges", len(all), len(want))
	}
}
