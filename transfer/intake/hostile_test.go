package intake

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"loggia/internal/digest"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/codec"
	"loggia/transfer/frame"
	"loggia/transfer/manifest"
	"loggia/transfer/publish"
	"loggia/transfer/wire"
)

// batch writes the records of one batch.
type batch struct {
	t testing.TB
	w *wire.Writer
	b bytes.Buffer
}

func newBatch(t testing.TB) *batch {
	b := &batch{t: t}
	b.w = wire.NewWriter(&b.b)
	return b
}

func (b *batch) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *batch) frame(stored []byte, refs ...chunk.Ref) { b.must(b.w.Frame(refs, stored)) }
func (b *batch) leaf(span int64, node []byte)           { b.must(b.w.Leaf(span, node)) }

func (b *batch) bytes() []byte {
	b.must(b.w.End())
	return b.b.Bytes()
}

// try sends a batch of the records that fill writes.
func try(t testing.TB, s *Session, fill func(*batch)) error {
	b := newBatch(t)
	fill(b)
	return s.Batch(context.Background(), 0, bytes.NewReader(b.bytes()))
}

func send(t testing.TB, s *Session, fill func(*batch)) {
	t.Helper()
	if err := try(t, s, fill); err != nil {
		t.Fatal(err)
	}
}

// leafOf cuts one span of a disk.
func leafOf(t testing.TB, d disk, span int64) []byte {
	t.Helper()
	p := smallSpans()
	cutter, err := chunk.NewCutter(p, make([]byte, p.BufferSize()))
	if err != nil {
		t.Fatal(err)
	}
	var leaf manifest.Leaf
	length := manifest.Shape{Length: d.Size(), Span: int64(p.Span)}.SpanLength(span)
	err = cutter.Span(context.Background(), d, span*int64(p.Span), length, func(piece chunk.Piece, b []byte) error {
		if piece.Hole {
			leaf.AddHole(uint32(piece.Length))
		} else {
			leaf.AddChunk(chunk.Ref{ID: chunk.Hash(b), Length: uint32(len(b))})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	node, err := leaf.Encode(p, length)
	if err != nil {
		t.Fatal(err)
	}
	return node
}

func ref(b []byte) chunk.Ref { return chunk.Ref{ID: chunk.Hash(b), Length: uint32(len(b))} }

// pack makes a frame of some chunks.
func packed(t testing.TB, chunks ...[]byte) []byte {
	t.Helper()
	enc, err := codec.NewEncoder(1, frame.MaxPlain)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	stored, _, err := frame.Encode(nil, bytes.Join(chunks, nil), enc)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

func TestHostileFramesAreRefused(t *testing.T) {
	g := newRegion(t)
	s := g.open(make(disk, 4<<20), nil)
	a, b := bytes.Repeat([]byte("a"), 10_000), bytes.Repeat([]byte("b"), 20_000)
	good := packed(t, a, b)
	bomb := packed(t, bytes.Repeat([]byte("c"), 100_000))
	bomb[12], bomb[13], bomb[14], bomb[15] = good[12], good[13], good[14], good[15] // says that it unpacks to less
	flipped := bytes.Clone(good)
	flipped[len(flipped)-3] ^= 1
	large := packed(t, make([]byte, 200<<10))
	for name, c := range map[string]struct {
		stored []byte
		refs   []chunk.Ref
	}{
		"wrong hash":        {good, []chunk.Ref{ref(a), {ID: digest.Of([]byte("x")), Length: 20_000}}},
		"wrong order":       {good, []chunk.Ref{ref(b), ref(a)}},
		"wrong lengths":     {good, []chunk.Ref{{ID: ref(a).ID, Length: 9_999}, {ID: ref(b).ID, Length: 20_001}}},
		"too few chunks":    {good, []chunk.Ref{ref(a)}},
		"no chunks":         {good, nil},
		"empty chunk":       {good, []chunk.Ref{ref(a), ref(b), ref(nil)}},
		"unpacks to more":   {bomb, []chunk.Ref{ref(a), ref(b)}},
		"changed byte":      {flipped, []chunk.Ref{ref(a), ref(b)}},
		"cut off":           {good[:len(good)-1], []chunk.Ref{ref(a), ref(b)}},
		"bytes behind":      {append(bytes.Clone(good), 0), []chunk.Ref{ref(a), ref(b)}},
		"no frame":          {[]byte("nothing"), []chunk.Ref{ref(a)}},
		"chunk is too long": {large, []chunk.Ref{ref(make([]byte, 200<<10))}},
	} {
		err := try(t, s, func(b *batch) { b.frame(c.stored, c.refs...) })
		if !errors.Is(err, ErrFrame) {
			t.Errorf("%s: got %v, want %v", name, err, ErrFrame)
		}
	}
	// Nothing of all that is kept.
	if n := known(t, s); n != 0 {
		t.Errorf("%d chunks are known", n)
	}
	send(t, s, func(x *batch) { x.frame(good, ref(a), ref(b)) })
	if n := known(t, s); n != 2 {
		t.Errorf("%d chunks are known, want 2", n)
	}
}

func known(t testing.TB, s *Session) int {
	t.Helper()
	n := 0
	if err := s.Known(context.Background(), func(chunk.ID) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestHostileBatchesAreRefused(t *testing.T) {
	g := newRegion(t)
	d := denseStart(seeded(t), 4<<20)
	s := g.open(d, nil)
	leaf := leafOf(t, d, 0)
	longer, err := (&manifest.Leaf{Entries: []manifest.Entry{{ID: digest.Of(nil), Length: 100}}}).Encode(smallSpans(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		fill func(*batch)
		want error
	}{
		"span beyond the disk":   {func(b *batch) { b.leaf(4, leaf) }, ErrLeaf},
		"leaf of another length": {func(b *batch) { b.leaf(0, longer) }, ErrLeaf},
		"leaf of nothing":        {func(b *batch) { b.leaf(0, []byte("leaf")) }, ErrLeaf},
		"a node":                 {func(b *batch) { b.must(b.w.Node(leaf)) }, ErrBatch},
		"ids":                    {func(b *batch) { b.must(b.w.Chunks([]chunk.ID{digest.Of(nil)})) }, ErrBatch},
		"more than eight MiB":    {func(b *batch) { tooLong(b) }, ErrBatch},
	} {
		if err := try(t, s, c.fill); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	whole := newBatch(t)
	whole.leaf(0, leaf)
	b := whole.bytes()
	if err := s.Batch(context.Background(), 0, bytes.NewReader(b[:len(b)-1])); !errors.Is(err, wire.ErrTruncated) {
		t.Errorf("truncated: got %v", err)
	}
	if err := s.Batch(context.Background(), 0, bytes.NewReader(nil)); !errors.Is(err, wire.ErrTruncated) {
		t.Errorf("empty: got %v", err)
	}
}

// tooLong writes a batch that is too long, of frames that are right.
func tooLong(b *batch) {
	d := make([]byte, 100_000)
	source := rand.NewChaCha8([32]byte{1})
	for b.w.Size() <= MaxBatch {
		source.Read(d)
		b.frame(packed(b.t, d), ref(d))
	}
}

// A leaf that names what was never sent is not part of a version; the refusal names it.
func TestUnresolvedLeafIsNamed(t *testing.T) {
	g := newRegion(t)
	d := randomDisk(seeded(t), 3<<20)
	copy(d[1<<20:], bytes.Repeat([]byte("data"), 1000))
	s := g.open(d, nil)
	k := &keepAll{}
	sent, err := publish.Run(context.Background(), k, d, clientOptions())
	if err != nil {
		t.Fatal(err)
	}
	node := leafOf(t, d, 1)
	send(t, s, func(b *batch) { b.leaf(1, node) })
	var un *UnresolvedError
	if _, err = s.Commit(context.Background(), sent.Root); !errors.As(err, &un) || !errors.Is(err, ErrUnresolved) || un.Span != 1 {
		t.Fatalf("got %v", err)
	}
	leaf, err := manifest.DecodeLeaf(node, smallSpans(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	named := false
	for _, e := range leaf.Entries {
		named = named || e.ID == un.Chunk
	}
	if !named {
		t.Errorf("chunk %s is not of that span", un.Chunk.Short())
	}
	// The session is not lost: what is missing may still come.
	for _, b := range k.batches {
		if err := s.Batch(context.Background(), 0, bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
	}
	g.check(g.commit(s, sent.Root), d)
}

// A leaf may lie about the length of a chunk that is there.
func TestLeafWithWrongChunkLength(t *testing.T) {
	g := newRegion(t)
	s := g.open(make(disk, 100), nil)
	a := bytes.Repeat([]byte("a"), 60)
	leaf, err := (&manifest.Leaf{Entries: []manifest.Entry{{ID: ref(a).ID, Length: 100}}}).Encode(smallSpans(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, first := range []bool{true, false} {
		err := try(t, s, func(b *batch) {
			if first {
				b.leaf(0, leaf)
			}
			b.frame(packed(t, a), ref(a))
			if !first {
				b.leaf(0, leaf)
			}
		})
		if !errors.Is(err, ErrLeaf) {
			t.Errorf("leaf first %v: got %v, want %v", first, err, ErrLeaf)
		}
	}
}

// stuck is a body that never comes; it ends with its context, as a request's does.
type stuck struct{ ctx context.Context }

func (s stuck) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, context.Cause(s.ctx)
}

func TestCancelAndClose(t *testing.T) {
	g := newRegion(t)
	c := g.config(make(disk, 1<<20), nil)
	c.Scratch = buffer.New(2 << 20) // for one batch at a time
	s, err := Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	first, cancelFirst := context.WithCancel(context.Background())
	errs := make(chan error, 2)
	go func() { errs <- s.Batch(first, 0, stuck{first}) }()
	for c.Scratch.Lent() == 0 {
		if len(errs) > 0 {
			t.Fatal(<-errs)
		}
		runtime.Gosched()
	}
	// The second waits for memory until the session is closed.
	go func() { errs <- s.Batch(context.Background(), 0, bytes.NewReader(nil)) }()
	cancelFirst()
	if err := <-errs; err == nil {
		t.Error("a cancelled batch was accepted")
	}
	if err := <-errs; err == nil {
		t.Error("an empty batch was accepted")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Batch(context.Background(), 0, io.LimitReader(nil, 0)); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if n := c.Scratch.Lent(); n != 0 {
		t.Errorf("%d bytes of scratch are still out", n)
	}
	if n := g.pool.Lent(); n != 0 {
		t.Errorf("%d bytes of the pool are still out", n)
	}
}
