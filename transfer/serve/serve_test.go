package serve

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"loggia/blobstore"
	"loggia/internal/digest"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/codec"
	"loggia/transfer/frame"
	"loggia/transfer/index"
	"loggia/transfer/intake"
	"loggia/transfer/manifest"
	"loggia/transfer/pack"
	"loggia/transfer/replicate"
	"loggia/transfer/repository"
	"loggia/transfer/serve/servetest"
	"loggia/transfer/wire"
)

var (
	_ replicate.Single = Local{}
	_ FrameWriter      = (*wire.Writer)(nil)
	_ NodeWriter       = (*wire.Writer)(nil)
)

func options(g *servetest.Region) Options {
	return Options{Pool: g.Reads, Decoder: g.Decoder, Encoder: g.Encoder}
}

// received is a FrameWriter that checks and remembers.
type received struct {
	t       *testing.T
	dec     *codec.Decoder
	chunks  map[chunk.ID][]byte
	frames  int
	stored  int64
	missing []chunk.ID
	fail    error
}

func newReceived(t *testing.T, g *servetest.Region) *received {
	return &received{t: t, dec: g.Decoder, chunks: map[chunk.ID][]byte{}}
}

func (r *received) Frame(refs []chunk.Ref, stored []byte) error {
	if r.fail != nil {
		return r.fail
	}
	r.frames++
	r.stored += int64(len(stored))
	plain, err := frame.Decode(nil, stored, r.dec)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, ref := range refs {
		if digest.Of(plain[:ref.Length]) != ref.ID {
			r.t.Fatalf("chunk %s has other bytes", ref.ID.Short())
		}
		r.chunks[ref.ID] = bytes.Clone(plain[:ref.Length])
		plain = plain[ref.Length:]
	}
	if len(plain) > 0 {
		r.t.Fatalf("%d bytes behind the chunks", len(plain))
	}
	return nil
}

func (r *received) Missing(ids []chunk.ID) error {
	r.missing = append(r.missing, ids...)
	return nil
}

// chunksIn lists the disk's chunks in order of address.
func chunksIn(t *testing.T, v *repository.View, d intake.Result) (ids []chunk.ID) {
	root, err := manifest.Open(t.Context(), v, d.Root)
	if err != nil {
		t.Fatal(err)
	}
	err = manifest.Walk(t.Context(), v, root, func(_ int64, leaf *manifest.Leaf) error {
		for _, ref := range leaf.Distinct() {
			ids = append(ids, ref.ID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func pick(r *rand.Rand, ids []chunk.ID, share float64) (out []chunk.ID) {
	for _, id := range ids {
		if r.Float64() < share {
			out = append(out, id)
		}
	}
	return out
}

func TestFramesHoldWhatIsWanted(t *testing.T) {
	r := servetest.Random(t)
	g := servetest.New(t, servetest.Memory())
	d1 := servetest.NewDisk(r, 24<<20)
	v1 := g.Publish(d1, servetest.Params())
	g.Publish(servetest.Change(r, d1, 20), servetest.Params(), v1.Root)
	v := g.View()
	all := chunksIn(t, v, v1)
	for _, share := range []float64{0, 0.02, 0.3, 0.6, 1} {
		want := pick(r, all, share)
		absent := chunk.Hash([]byte("not there"))
		asked := append(append([]chunk.ID{absent}, want...), want[:min(len(want), 5)]...)
		got := newReceived(t, g)
		before := g.Repo.Requests()
		missing, err := Frames(t.Context(), v, asked, options(g), got)
		if err != nil {
			t.Fatal(err)
		}
		if len(missing) != 1 || missing[0] != absent || len(got.missing) != 1 {
			t.Fatalf("missing %v and %v, want one", missing, got.missing)
		}
		for _, id := range want {
			if got.chunks[id] == nil {
				t.Fatalf("share %v: chunk %s did not come", share, id.Short())
			}
		}
		var unwanted int
		for _, b := range got.chunks {
			unwanted += len(b)
		}
		for _, id := range want {
			unwanted -= len(got.chunks[id])
			got.chunks[id] = nil
		}
		requests := g.Repo.Requests() - before
		t.Logf("share %v: %d chunks in %d frames, %d bytes stored, %d requests, %d bytes unwanted", share, len(want), got.frames, got.stored, requests, unwanted)
		if share == 1 && requests > 16 {
			t.Errorf("%d requests for a disk of %d bytes", requests, d1.Size())
		}
	}
}

func TestFramesThatMayNotBeSentWhole(t *testing.T) {
	r := servetest.Random(t)
	g := servetest.New(t, servetest.Memory())
	d := g.Publish(servetest.NewDisk(r, 8<<20), servetest.Params())
	v := g.View()
	want := slices.Collect(maps.Keys(unique(pick(r, chunksIn(t, v, d), 0.9))))
	for name, c := range map[string]struct {
		memory, requests int64
	}{
		"read together": {32 << 20, 8},
		"read each":     {4 << 20, 40}, // no room to unpack in beside what is read
	} {
		o := options(g)
		o.Whole = func([]chunk.Ref) bool { return false }
		o.Pool = buffer.New(c.memory)
		got, before := newReceived(t, g), g.Repo.Requests()
		if missing, err := Frames(t.Context(), v, want, o, got); err != nil || len(missing) > 0 {
			t.Fatal(name, missing, err)
		}
		if n := g.Repo.Requests() - before; n > c.requests {
			t.Errorf("%s: %d requests, want at most %d", name, n, c.requests)
		}
		gathered(t, d, want, got)
	}
}

// gathered says whether what was wanted came, and nothing else, in few frames.
func gathered(t *testing.T, d intake.Result, want []chunk.ID, got *received) {
	t.Helper()
	for _, id := range want {
		if got.chunks[id] == nil {
			t.Fatalf("chunk %s did not come", id.Short())
		}
		delete(got.chunks, id)
	}
	if len(got.chunks) > 0 {
		t.Fatalf("%d chunks came that were not asked for", len(got.chunks))
	}
	if most := 2 + int(d.Size)/(frame.DefaultTarget/2); got.frames > most {
		t.Errorf("%d frames, want at most %d: neighbours are not gathered", got.frames, most)
	}
}

// eachPack calls fn for the keys of all data packs.
func eachPack(t *testing.T, g *servetest.Region, fn func(key string)) {
	t.Helper()
	for epoch := range g.Epoch {
		dir := g.Repo.Keys.Packs(pack.Data, epoch+1)
		err := g.Store.List(t.Context(), dir, "", func(i blobstore.Info) error {
			fn(i.Key)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// spoil changes a byte of the frame of a chunk in its store.
func spoil(t *testing.T, g *servetest.Region, v *repository.View, id chunk.ID) index.Location {
	t.Helper()
	loc, ok, err := v.Lookup(id)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	eachPack(t, g, func(key string) {
		if strings.HasSuffix(key, loc.Pack.String()) {
			body, err := g.Store.Get(t.Context(), key, 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(body)
			body.Close()
			b[loc.FrameOffset+int64(loc.FrameStored)/2] ^= 1 // in a frame: a directory is not read for this
			if err := g.Store.Put(t.Context(), key, b); err != nil {
				t.Fatal(err)
			}
		}
	})
	return loc
}

func TestDamagedFramesAreMissing(t *testing.T) {
	r := servetest.Random(t)
	g := servetest.New(t, servetest.Memory())
	d := g.Publish(servetest.NewDisk(r, 32<<20), servetest.Params())
	v := g.View()
	all := chunksIn(t, v, d)
	spoil(t, g, v, all[0])
	for _, whole := range []bool{true, false} {
		told := 0
		o := options(g)
		o.Whole = func([]chunk.Ref) bool { return whole }
		o.Damaged = func(err error) {
			told++
			if !errors.Is(err, repository.ErrDamaged) {
				t.Error(err)
			}
		}
		want := append(pick(r, all, 0.05), all...)[:len(all)]
		got := newReceived(t, g)
		missing, err := Frames(t.Context(), v, want, o, got)
		if err != nil || told != 1 || len(missing) == 0 || len(missing) > len(all)/4 {
			t.Fatalf("%d of %d missing, told %d times, %v", len(missing), len(all), told, err)
		}
		lost := map[chunk.ID]bool{}
		for _, id := range missing {
			lost[id] = true
		}
		for _, id := range want {
			if (got.chunks[id] == nil) != lost[id] {
				t.Fatalf("chunk %s: missing %v", id.Short(), lost[id])
			}
		}
	}
	eachPack(t, g, func(key string) { g.Store.Delete(t.Context(), key) })
	got := newReceived(t, g)
	if missing, err := Frames(t.Context(), v, all, options(g), got); err != nil || len(missing) != len(unique(all)) {
		t.Fatalf("%d of %d missing, %v", len(missing), len(all), err)
	}
}

// A length that lies, with the id of the bytes that there are, is damage.
func TestChunkThatEndsBehindItsFrame(t *testing.T) {
	plain := bytes.Repeat([]byte("frame"), 20)
	stored, _, err := frame.Encode(nil, plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := &framer{sender: &sender{}, plain: make([]byte, 0, 2*len(plain)), gather: make([]byte, 0, 1000)}
	p := &piece{want: []part{{id: chunk.Hash(plain[:10]), length: 10}, {id: chunk.Hash(plain[50:]), offset: 50, length: 100}}}
	if err := f.use(p, stored); !errors.Is(err, repository.ErrDamaged) || f.refused != nil || len(f.gather) > 0 {
		t.Errorf("got %v, %v and %d bytes to send", err, f.refused, len(f.gather))
	}
}

// asStored keeps the ids of the bytes that it gets.
type asStored map[chunk.ID]bool

func (a asStored) Frame(_ []chunk.Ref, stored []byte) error {
	a[frame.ID(stored)] = true
	return nil
}

func (a asStored) Missing([]chunk.ID) error { return nil }

// What is framed anew is checked even for a reader that looks at every frame itself: it could not tell what was wrong.
func TestUncheckedFramesGoOutAsTheyAreStored(t *testing.T) {
	r := servetest.Random(t)
	g := servetest.New(t, servetest.Memory())
	d := g.Publish(servetest.NewDisk(r, 32<<20), servetest.Params())
	v := g.View()
	all := chunksIn(t, v, d)
	loc := spoil(t, g, v, all[0])
	for _, c := range []struct{ whole, unchecked, missing bool }{{true, true, false}, {false, true, true}, {true, false, true}} {
		o := options(g)
		o.Unchecked, o.Whole = c.unchecked, func([]chunk.Ref) bool { return c.whole }
		got := asStored{}
		missing, err := Frames(t.Context(), v, all, o, got)
		if err != nil || (len(missing) > 0) != c.missing || got[loc.FrameID] {
			t.Errorf("%+v: %d of %d missing, %v", c, len(missing), len(all), err)
		}
	}
}

func unique(ids []chunk.ID) map[chunk.ID]bool {
	m := map[chunk.ID]bool{}
	for _, id := range ids {
		m[id] = true
	}
	return m
}

func TestErrorsOfTheWriterAndCancelling(t *testing.T) {
	r := servetest.Random(t)
	g := servetest.New(t, servetest.Memory())
	d := g.Publish(servetest.NewDisk(r, 8<<20), servetest.Params())
	v := g.View()
	all := chunksIn(t, v, d)
	got := newReceived(t, g)
	got.fail = errors.New("pipe broke")
	for _, want := range [][]chunk.ID{all, all[:1]} {
		if _, err := Frames(t.Context(), v, want, options(g), got); !errors.Is(err, got.fail) {
			t.Errorf("got %v, want the writer's error", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Frames(ctx, v, all, options(g), newReceived(t, g)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

type nodeList [][]byte

func (l *nodeList) Node(b []byte) error {
	*l = append(*l, bytes.Clone(b))
	return nil
}

func TestTreeAndWanted(t *testing.T) {
	r := servetest.Random(t)
	g := servetest.New(t, servetest.Memory())
	d := g.Publish(servetest.NewDisk(r, 20<<20), servetest.Params())
	v := g.View()
	var sent nodeList
	if err := Tree(t.Context(), v, d.Root, &sent); err != nil {
		t.Fatal(err)
	}
	root, err := manifest.Open(t.Context(), v, d.Root)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = manifest.Nodes(t.Context(), v, root, func(id chunk.ID, _ []byte) error {
		if digest.Of(sent[n]) != id {
			t.Errorf("node %d is not %s", n, id.Short())
		}
		n++
		return nil
	})
	if err != nil || n != len(sent) {
		t.Fatalf("%d nodes of %d, %v", len(sent), n, err)
	}
	it := manifest.Leaves(v, root)
	it.SeekSpan(3)
	ref, leaf, err := it.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var held []chunk.ID
	for _, c := range leaf.Distinct() {
		held = append(held, c.ID)
	}
	got, _, err := Wanted(t.Context(), v, root, []Ask{{ref.Span, held}, {ref.Span, held[:1]}})
	if err != nil || len(got) != len(held) {
		t.Fatalf("%d ids, want %d; %v", len(got), len(held), err)
	}
	for _, a := range []Ask{{ref.Span, []chunk.ID{{1}}}, {-1, held}, {1 << 40, held}, {ref.Span, []chunk.ID{{}}}} {
		if _, _, err := Wanted(t.Context(), v, root, []Ask{a}); !errors.Is(err, ErrNotInDisk) {
			t.Errorf("span %d: got %v, want ErrNotInDisk", a.Span, err)
		}
	}
}

// Who asks for a disk's root gets in one frame what it would ask for next; who asks for anything else gets that alone.
func TestBeginning(t *testing.T) {
	r := servetest.Random(t)
	g := servetest.New(t, servetest.Memory())
	d := g.Publish(servetest.NewDisk(r, 24<<20), servetest.Params())
	v := g.View()
	ids, err := manifest.Beginning(t.Context(), v, d.Root, d.Table)
	if err != nil {
		t.Fatal(err)
	}
	other := chunk.Hash([]byte("other"))
	got := newReceived(t, g)
	left, err := Beginning(t.Context(), v, d.Root, d.Table, []chunk.ID{d.Root, other, d.Table}, options(g), got)
	if err != nil || !slices.Equal(left, []chunk.ID{other}) || got.frames != 1 || len(got.chunks) != len(ids) {
		t.Errorf("%d frames with %d of %d nodes, %d left; %v", got.frames, len(got.chunks), len(ids), len(left), err)
	}
	for _, id := range ids {
		if got.chunks[id] == nil {
			t.Errorf("node %s did not come", id.Short())
		}
	}
	for name, c := range map[string]struct{ root, want chunk.ID }{
		"not the root":             {d.Root, d.Table},
		"a root that is not there": {other, other},
	} {
		got := newReceived(t, g)
		left, err := Beginning(t.Context(), v, c.root, d.Table, []chunk.ID{c.want}, options(g), got)
		if err != nil || len(left) != 1 || got.frames != 0 {
			t.Errorf("%s: %d frames, %d left, %v", name, got.frames, len(left), err)
		}
	}
	broken := errors.New("broken pipe")
	if _, err := Beginning(t.Context(), v, d.Root, d.Table, []chunk.ID{d.Root}, options(g), &received{t: t, fail: broken}); !errors.Is(err, broken) {
		t.Errorf("%v, want the writer's error", err)
	}
}
