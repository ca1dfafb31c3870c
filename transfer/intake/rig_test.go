package intake

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"loggia/blobstore"
	"loggia/blobstore/memory"
	"loggia/internal/digest"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/codec"
	"loggia/transfer/manifest"
	"loggia/transfer/publish"
	"loggia/transfer/repository"
	"loggia/transfer/wire"
)

// seeded returns a random source whose seed is printed, and taken from LOGGIA_SEED where set.
func seeded(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("LOGGIA_SEED"); s != "" {
		v, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = v
	}
	t.Logf("LOGGIA_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 11))
}

// disk is guest bytes in memory of which nothing is known.
type disk []byte

func (d disk) Size() int64                              { return int64(len(d)) }
func (d disk) ReadAt(p []byte, off int64) (int, error)  { return bytes.NewReader(d).ReadAt(p, off) }
func (d disk) NextData(off int64) (int64, int64, error) { return off, d.Size(), nil }

// randomDisk is random runs, some of them repeated, between holes.
func randomDisk(r *rand.Rand, size int) disk {
	d := make(disk, size)
	source := rand.NewChaCha8([32]byte{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())})
	var old []byte
	for at := 0; at < size; {
		n := min(1+r.IntN(3<<20), size-at)
		switch r.IntN(6) {
		case 0: // hole
		case 1:
			copy(d[at:at+n], old)
		default:
			source.Read(d[at : at+n])
			old = d[at : at+n]
		}
		at += n
	}
	return d
}

// denseStart is a random disk whose first span is no hole.
func denseStart(r *rand.Rand, size int) disk {
	d := randomDisk(r, size)
	rand.NewChaCha8([32]byte{byte(r.Uint32())}).Read(d[:100_000])
	return d
}

// changed is d with some places overwritten.
func changed(r *rand.Rand, d disk, places int) disk {
	out := bytes.Clone(d)
	for range places {
		at := r.IntN(len(out))
		for i := at; i < min(at+200, len(out)); i++ {
			out[i] = byte(r.Uint32())
		}
	}
	return out
}

// smallSpans make many spans of a small disk.
func smallSpans() chunk.Params {
	p := chunk.DefaultParams()
	p.Span = 1 << 20
	return p
}

// region is a repository in a store, and what the log would know of it.
type region struct {
	t     testing.TB
	store blobstore.Store
	repo  *repository.Repository
	pool  *buffer.Pool
	dec   *codec.Decoder
	live  []repository.SegmentRef
	epoch uint64
}

func newRegion(t testing.TB) *region { return newRegionOn(t, memory.New(time.Now, 0)) }

func newRegionOn(t testing.TB, store blobstore.Store) *region {
	t.Helper()
	keys, err := repository.NewKeys("0123456789abcdef", 0)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := codec.NewDecoder(4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dec.Close)
	g := &region{t: t, store: store, pool: buffer.New(0), dec: dec}
	g.repo, err = repository.New(repository.Options{Store: store, Keys: keys, Cache: t.TempDir(), Pool: g.pool, Decoder: dec})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *region) view() *repository.View {
	g.t.Helper()
	v, err := g.repo.Open(context.Background(), g.live)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { v.Close() })
	return v
}

func (g *region) config(d disk, predecessors []uint64, bases ...chunk.ID) Config {
	g.epoch++
	return Config{
		Repository: g.repo, View: g.view(), Epoch: g.epoch, Predecessors: predecessors, Length: d.Size(),
		Params: smallSpans(), Bases: bases, Pool: g.pool, Decoder: g.dec, TempDir: g.t.TempDir(),
	}
}

func (g *region) open(d disk, predecessors []uint64, bases ...chunk.ID) *Session {
	g.t.Helper()
	s, err := Open(context.Background(), g.config(d, predecessors, bases...))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { s.Close() })
	return s
}

// publish sends a disk to a new session and commits it.
func (g *region) publish(d disk, bases ...chunk.ID) (Result, publish.Result) {
	g.t.Helper()
	s := g.open(d, nil, bases...)
	sent, err := publish.Run(context.Background(), &remote{s: s}, d, clientOptions())
	if err != nil {
		g.t.Fatal(err)
	}
	return g.commit(s, sent.Root), sent
}

func (g *region) commit(s *Session, root digest.Digest) Result {
	g.t.Helper()
	res, err := s.Commit(context.Background(), root)
	if err != nil {
		g.t.Fatal(err)
	}
	g.live = append(append([]repository.SegmentRef(nil), res.Segments...), g.live...)
	return res
}

// check reads the disk back from the repository and compares, frame table included.
func (g *region) check(res Result, want disk) {
	g.t.Helper()
	ctx, v := context.Background(), g.view()
	root, err := manifest.Open(ctx, v, res.Root)
	if err != nil {
		g.t.Fatal(err)
	}
	got := make([]byte, root.Length)
	err = manifest.Walk(ctx, v, root, func(span int64, leaf *manifest.Leaf) error {
		at := span * int64(root.Params.Span)
		for _, e := range leaf.Entries {
			if !e.Hole() {
				b, err := v.ReadChunk(ctx, e.ID)
				if err != nil {
					return err
				}
				copy(got[at:], b)
			}
			at += int64(e.Length)
		}
		return nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		g.t.Fatal("the repository holds another disk")
	}
	table, err := manifest.OpenTable(ctx, v, res.Table, root)
	if err != nil {
		g.t.Fatal(err)
	}
	err = manifest.WalkTable(ctx, v, root, table, func(span int64, leaf *manifest.Leaf, t *manifest.TableLeaf) error {
		for _, f := range t.Frames {
			loc, ok, err := v.Lookup(f.Chunks[0].ID)
			if err != nil || !ok {
				g.t.Errorf("frame %s of span %d: found %v, %v", f.ID.Short(), span, ok, err)
			}
			if _, err := v.ReadFrame(ctx, loc, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
}

func clientOptions() publish.Options {
	return publish.Options{Params: smallSpans(), Pool: buffer.New(0), Batch: 2 << 20, Frame: 256 << 10}
}

// remote is a session as the client sees it.
type remote struct {
	s *Session

	mu     sync.Mutex
	sent   int   // batches
	stored int64 // stored bytes of frames, accepted or not
	fail   func(sent int) error
}

func (r *remote) Known(ctx context.Context, fn func(chunk.ID) error) error { return r.s.Known(ctx, fn) }

func (r *remote) Spans(ctx context.Context, fn func(manifest.SpanRef) error) error {
	return r.s.Spans(ctx, fn)
}

func (r *remote) Send(ctx context.Context, worker int, batch []byte) error {
	if err := r.count(batch); err != nil {
		return err
	}
	return r.s.Batch(ctx, worker, bytes.NewReader(batch))
}

func (r *remote) count(batch []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		if err := r.fail(r.sent); err != nil {
			return err
		}
	}
	r.sent++
	rd := wire.NewReader(bytes.NewReader(batch), make([]byte, wire.MaxRecord))
	for {
		rec, err := rd.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if rec.Kind == wire.KindFrame {
			r.stored += int64(len(rec.Data))
		}
	}
}
