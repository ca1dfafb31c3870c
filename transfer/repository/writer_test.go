package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"loggia/blobstore"
	"loggia/internal/digest"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/index"
	"loggia/transfer/manifest"
	"loggia/transfer/pack"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	g := newRig(t)
	w := g.writer(t, 7, nil)
	frames := g.frames(t, 150, 12, 40_000)
	var wg sync.WaitGroup
	for part := range slices.Chunk(frames, 50) {
		wg.Go(func() {
			for i, m := range part { // lanes are dealt out so that packs are arranged while they are read
				if err := w.Add(t.Context(), pack.Data, uint64(i%3), m.stored, m.id, uint32(len(m.plain)), m.refs); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	holds(t, w, frames) // some durable, some not
	refs, err := w.Finish(t.Context(), digest.Of([]byte("root")), digest.Of([]byte("table")), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, w, frames)
	v := open(t, g.repo, refs)
	holds(t, v, frames)

	if ok, err := v.Has(digest.Of([]byte("stranger"))); ok || err != nil {
		t.Errorf("Has of a stranger = %v, %v", ok, err)
	}
	if _, err := v.ReadChunk(t.Context(), digest.Of([]byte("stranger"))); !errors.Is(err, ErrMissing) {
		t.Errorf("ReadChunk of a stranger: %v, want ErrMissing", err)
	}
	rec, err := g.repo.Version(t.Context(), 7, digest.Of([]byte("root")))
	if err != nil || rec.Length != 1<<30 || !slices.Equal(rec.Segments, refs) {
		t.Errorf("version record %+v, %v", rec, err)
	}
	s := w.Stats()
	if s.Frames != 150 || s.Packs < 2 || s.Objects != s.Packs+int64(len(refs))+1 {
		t.Errorf("stats %+v", s)
	}
	checkOrder(t, g.store.puts)
}

// checkOrder: packs, then segments, then the version record.
func checkOrder(t *testing.T, puts []string) {
	t.Helper()
	last := 0
	for _, key := range puts {
		kind := strings.Split(key, "/")[2]
		now := strings.Index("piv", kind)
		if kind == "m" {
			now = 0
		}
		if now < last {
			t.Errorf("%s was written after a key of a later kind: %v", key, puts)
		}
		last = now
	}
}

func TestReadFrames(t *testing.T) {
	g := newRig(t)
	w := g.writer(t, 7, nil)
	frames := g.frames(t, 200, 10, 40_000)
	for _, m := range frames {
		m.add(t, w, pack.Data)
	}
	refs, err := w.Finish(t.Context(), digest.Of(nil), digest.Of(nil), 1)
	if err != nil {
		t.Fatal(err)
	}
	v := open(t, g.repo, refs)
	var locs []index.Location
	want := make(map[digest.Digest][]byte)
	for _, m := range frames {
		if g.r.IntN(3) == 0 {
			continue
		}
		want[m.id] = m.stored
		for _, ref := range m.refs {
			loc, ok, err := v.Lookup(ref.ID)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			locs = append(locs, loc)
		}
	}
	g.r.Shuffle(len(locs), func(i, j int) { locs[i], locs[j] = locs[j], locs[i] })
	before := g.repo.Requests()
	err = v.ReadFrames(t.Context(), locs, ReadOptions{}, func(loc index.Location, stored, _ []byte) error {
		if string(want[loc.FrameID]) != string(stored) {
			t.Errorf("frame %s: %d bytes, want %d", loc.FrameID.Short(), len(stored), len(want[loc.FrameID]))
		}
		delete(want, loc.FrameID)
		return nil
	})
	if err != nil || len(want) != 0 {
		t.Fatalf("%d frames were not read: %v", len(want), err)
	}
	if n := g.repo.Requests() - before; n > 40 {
		t.Errorf("%d requests for neighbours", n)
	}
	stop := errors.New("enough")
	if err := v.ReadFrames(t.Context(), locs, ReadOptions{}, func(index.Location, []byte, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error of fn: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := v.ReadFrames(ctx, locs, ReadOptions{}, func(index.Location, []byte, []byte) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestCoalesce(t *testing.T) {
	at := func(id byte, off int64, n uint32) index.Location {
		return index.Location{Kind: pack.Data, Pack: digest.Digest{id}, FrameOffset: off, FrameStored: n}
	}
	for name, test := range map[string]struct {
		locs []index.Location
		want string
	}{
		"repeated":   {[]index.Location{at(1, 0, 10), at(1, 0, 10)}, "[10]"},
		"gap":        {[]index.Location{at(1, 0, 10), at(1, 10+ReadGap, 10)}, fmt.Sprint([]int{20 + ReadGap})},
		"wide gap":   {[]index.Location{at(1, 0, 10), at(1, 11+ReadGap, 10)}, "[10 10]"},
		"two packs":  {[]index.Location{at(2, 0, 10), at(1, 10, 10)}, "[10 10]"},
		"unsorted":   {[]index.Location{at(1, 20, 5), at(1, 10, 10), at(1, 0, 10)}, "[25]"},
		"too long":   {[]index.Location{at(1, 0, 3<<20), at(1, 3<<20, 3<<20)}, fmt.Sprint([]int{3 << 20, 3 << 20})},
		"overlaying": {[]index.Location{at(1, 0, 10), at(1, 5, 10)}, "[10 10]"},
	} {
		var got []int
		for _, s := range coalesce(test.locs, readSpan) {
			got = append(got, s.length())
		}
		if fmt.Sprint(got) != test.want {
			t.Errorf("%s: spans of %v bytes, want %s", name, got, test.want)
		}
	}
}

func TestTreesLieInTheRepository(t *testing.T) {
	g := newRig(t)
	w := g.writer(t, 3, nil)
	p := chunk.DefaultParams()
	p.Span = 1 << 20
	b, err := manifest.NewBuilder(p, 600<<20, w.PutNode)
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[int64]*manifest.Leaf)
	for s := range int64(600) {
		leaf := &manifest.Leaf{}
		for left := uint32(p.Span); left > 0; {
			n := min(left, 1+g.r.Uint32N(p.Max))
			leaf.AddChunk(chunk.Ref{ID: digest.Of(fmt.Append(nil, g.r.Uint64())), Length: n})
			left -= n
		}
		want[s] = leaf
		if _, err := b.AddLeaf(t.Context(), s, leaf); err != nil {
			t.Fatal(err)
		}
	}
	root, err := b.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	walk := func(get manifest.Getter) {
		t.Helper()
		opened, err := manifest.Open(t.Context(), get, root.ID())
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		err = manifest.Walk(t.Context(), get, opened, func(s int64, leaf *manifest.Leaf) error {
			n++
			if !slices.Equal(leaf.Entries, want[s].Entries) {
				t.Errorf("leaf of span %d differs", s)
			}
			return nil
		})
		if err != nil || n != 600 {
			t.Fatalf("walked %d leaves: %v", n, err)
		}
	}
	walk(w) // before it is durable
	refs, err := w.Finish(t.Context(), root.ID(), digest.Of(nil), root.Length)
	if err != nil {
		t.Fatal(err)
	}
	v := open(t, g.repo, refs)
	before := g.repo.Requests()
	walk(v)
	if n := g.repo.Requests() - before; n > 60 {
		t.Errorf("%d requests for 600 leaves: neighbours are not kept", n)
	}
}

func TestManyCheckpointsLeaveFewSegments(t *testing.T) {
	g := newRig(t)
	w := g.writer(t, 9, nil)
	var all []made
	var refs []SegmentRef
	for i := range 40 {
		frames := g.frames(t, 3, 5, 2000)
		all = append(all, frames...)
		for _, m := range frames {
			m.add(t, w, pack.Data)
		}
		err := w.Flush(t.Context())
		if err == nil {
			refs, err = w.Segment(t.Context())
		}
		if err == nil {
			err = w.PutCheckpoint(t.Context(), uint64(i), []byte{byte(i)})
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(refs) > mergeAt+1 {
			t.Fatalf("%d segments after %d checkpoints", len(refs), i+1)
		}
	}
	again, err := w.Segment(t.Context())
	if err != nil || !slices.Equal(again, refs) {
		t.Errorf("Segment without anything new = %v, %v, want %v", again, err, refs)
	}
	holds(t, open(t, g.repo, refs), all)
	holds(t, w, all)
	var seen []uint64
	err = g.repo.Checkpoints(t.Context(), 9, func(seq uint64, data []byte) error {
		if len(data) != 1 || uint64(data[0]) != seq {
			t.Errorf("checkpoint %d holds %v", seq, data)
		}
		seen = append(seen, seq)
		return nil
	})
	if err != nil || len(seen) != 40 || !slices.IsSorted(seen) {
		t.Errorf("checkpoints %v, %v", seen, err)
	}
	if err := g.repo.Prune(refs); err != nil {
		t.Fatal(err)
	}
	holds(t, open(t, g.repo, refs), all)
}

func TestIndexInMemoryIsSpilled(t *testing.T) {
	g := newRig(t)
	w := g.writer(t, 9, nil)
	frames := g.frames(t, 60, 1, 16)
	for i := range frames { // many tiny chunks
		m := &frames[i]
		m.plain, m.refs = nil, nil
		for j := range 3000 {
			b := fmt.Appendf(nil, "chunk %d of %d", j, i)
			m.plain = append(m.plain, b...)
			m.refs = append(m.refs, chunk.Ref{ID: digest.Of(b), Length: uint32(len(b))})
		}
		m.stored = encode(t, g, m.plain)
		m.id = digest.Of(m.stored)
		m.add(t, w, pack.Data)
	}
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, m := range frames {
		if ok, err := w.Has(m.refs[len(m.refs)/2].ID); !ok || err != nil {
			t.Fatalf("Has = %v, %v", ok, err)
		}
	}
	refs, err := w.Segment(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var chunks int64
	for _, ref := range refs {
		chunks += ref.Chunks
	}
	if chunks != 60*3000 || w.recent.Chunks() > spillChunks {
		t.Errorf("segments list %d chunks, %d are in memory", chunks, w.recent.Chunks())
	}
}

func TestFailedUploadEndsTheWriter(t *testing.T) {
	g := newRig(t)
	w := g.writer(t, 5, nil)
	g.store.fail = func(key string) error { return fmt.Errorf("put %s: %w", key, blobstore.ErrFull) }
	g.frames(t, 1, 3, 1000)[0].add(t, w, pack.Data)
	if err := w.Flush(t.Context()); !errors.Is(err, blobstore.ErrFull) {
		t.Fatalf("Flush: %v, want ErrFull", err)
	}
	m := g.frames(t, 1, 3, 1000)[0]
	if err := w.Add(t.Context(), pack.Data, 0, m.stored, m.id, uint32(len(m.plain)), m.refs); !errors.Is(err, blobstore.ErrFull) {
		t.Errorf("Add after the failure: %v, want ErrFull", err)
	}
	if _, err := w.Finish(t.Context(), m.id, m.id, 1); !errors.Is(err, blobstore.ErrFull) {
		t.Errorf("Finish after the failure: %v, want ErrFull", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Add(t.Context(), pack.Data, 0, m.stored, m.id, uint32(len(m.plain)), m.refs); err == nil {
		t.Error("Add after Close succeeded")
	}
	if len(g.store.puts) != 0 {
		t.Errorf("objects were written: %v", g.store.puts)
	}
}

// Two writers that share a pool too small for both do not wait for each other for ever.
func TestIdlePackGivesItsMemoryBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		pool := buffer.New(dataBuffer + 1<<20)
		writer := func(epoch uint64) *Writer {
			w, err := g.repo.NewWriter(t.Context(), WriterOptions{Epoch: epoch, Pool: pool})
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		a, b := writer(1), writer(2)
		frames := g.frames(t, 2, 3, 1000)
		frames[0].add(t, a, pack.Data)
		frames[1].add(t, b, pack.Data)
		if got := len(g.store.puts); got != 1 {
			t.Errorf("%d packs written, want a's", got)
		}
		holds(t, a, frames[:1])
		if err := errors.Join(a.Close(), b.Close()); err != nil {
			t.Fatal(err)
		}
		if pool.Lent() != 0 {
			t.Errorf("%d bytes not given back", pool.Lent())
		}
	})
}
