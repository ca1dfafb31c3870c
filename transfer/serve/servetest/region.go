// Package servetest makes regions that hold published disks, for tests of what reads and copies them.
package servetest

import (
	"bytes"
	"context"
	"testing"
	"time"

	"loggia/blobstore"
	"loggia/blobstore/memory"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/codec"
	"loggia/transfer/frame"
	"loggia/transfer/intake"
	"loggia/transfer/manifest"
	"loggia/transfer/publish"
	"loggia/transfer/repository"
)

// Region is a repository in a store, with the memory of a node, and what the log would know of it.
type Region struct {
	t       testing.TB
	Store   blobstore.Store
	Repo    *repository.Repository
	Packs   *buffer.Pool // of writers
	Reads   *buffer.Pool // of what is read to be sent
	Scratch *buffer.Pool // of what is received
	Decoder *codec.Decoder
	Encoder *codec.Encoder
	Live    []repository.SegmentRef
	Epoch   uint64 // of the last claim
}

// Memory is a store that is lost with the test.
func Memory() blobstore.Store { return memory.New(time.Now, 0) }

// New makes a region without disks. When the test ends, all memory has to be given back.
func New(t testing.TB, store blobstore.Store) *Region {
	t.Helper()
	return In(t, store, "0123456789abcdef", 0)
}

// In is New with the place of the repository in its store.
func In(t testing.TB, store blobstore.Store, domain string, slot int) *Region {
	t.Helper()
	g := &Region{t: t, Store: store, Packs: buffer.New(45 << 20), Reads: buffer.New(10 << 20), Scratch: buffer.New(12 << 20)}
	keys, err := repository.NewKeys(domain, slot)
	g.must(err)
	g.Decoder, err = codec.NewDecoder(2)
	g.must(err)
	g.Encoder, err = codec.NewEncoder(2, frame.MaxPlain)
	g.must(err)
	g.Repo, err = repository.New(repository.Options{Store: store, Keys: keys, Cache: t.TempDir(), Pool: g.Reads, Decoder: g.Decoder})
	g.must(err)
	t.Cleanup(func() {
		for name, pool := range map[string]*buffer.Pool{"packs": g.Packs, "reads": g.Reads, "scratch": g.Scratch} {
			if n := pool.Lent(); n != 0 {
				t.Errorf("%d bytes of %s were not given back", n, name)
			}
		}
		g.Decoder.Close()
		g.Encoder.Close()
	})
	return g
}

func (g *Region) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// View opens what is live. It is closed when the test ends.
func (g *Region) View() *repository.View {
	g.t.Helper()
	v, err := g.Repo.Open(context.Background(), g.Live)
	g.must(err)
	g.t.Cleanup(func() { v.Close() })
	return v
}

// Writer begins a claim that adopts what others left. It is closed when the test ends, if not before.
func (g *Region) Writer(v *repository.View, adopt ...uint64) *repository.Writer {
	g.t.Helper()
	g.Epoch++
	w, err := g.Repo.NewWriter(context.Background(), repository.WriterOptions{Epoch: g.Epoch, View: v, Pool: g.Packs, Encoder: g.Encoder})
	g.must(err)
	g.t.Cleanup(func() { w.Close() })
	_, err = w.Adopt(context.Background(), adopt, nil)
	g.must(err)
	return w
}

// Finish commits what a Writer wrote.
func (g *Region) Finish(w *repository.Writer, d intake.Result) {
	g.t.Helper()
	refs, err := w.Finish(context.Background(), d.Root, d.Table, d.Size)
	g.must(err)
	g.must(w.Close())
	g.Live = append(append([]repository.SegmentRef(nil), refs...), g.Live...)
}

// Params are chunker parameters with small spans, so that small disks have many.
func Params() chunk.Params {
	p := chunk.DefaultParams()
	p.Span = 1 << 20
	return p
}

// Publish sends a disk to the region and commits it.
func (g *Region) Publish(src publish.Source, p chunk.Params, bases ...chunk.ID) intake.Result {
	g.t.Helper()
	ctx := context.Background()
	g.Epoch++
	s, err := intake.Open(ctx, intake.Config{Repository: g.Repo, View: g.View(), Epoch: g.Epoch, Length: src.Size(), Params: p,
		Bases: bases, Pool: g.Packs, Scratch: g.Scratch, Decoder: g.Decoder, Encoder: g.Encoder, TempDir: g.t.TempDir()})
	g.must(err)
	defer s.Close()
	sent, err := publish.Run(ctx, remote{s}, src, publish.Options{Params: p, Pool: buffer.New(0), TempDir: g.t.TempDir()})
	g.must(err)
	res, err := s.Commit(ctx, sent.Root)
	g.must(err)
	g.Live = append(append([]repository.SegmentRef(nil), res.Segments...), g.Live...)
	return res
}

// remote is a session as the client sees it.
type remote struct{ *intake.Session }

// Send implements publish.Remote.
func (r remote) Send(ctx context.Context, worker int, batch []byte) error {
	return r.Batch(ctx, worker, bytes.NewReader(batch))
}

// Check reads a disk back from the region, its table too, and compares it.
func (g *Region) Check(d intake.Result, want Disk) {
	g.t.Helper()
	ctx, v := context.Background(), g.View()
	root, err := manifest.Open(ctx, v, d.Root)
	g.must(err)
	table, err := manifest.OpenTable(ctx, v, d.Table, root)
	g.must(err)
	got := make(Disk, root.Length)
	g.must(manifest.WalkTable(ctx, v, root, table, func(span int64, leaf *manifest.Leaf, _ *manifest.TableLeaf) error {
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
	}))
	if !bytes.Equal(got, want) {
		g.t.Fatal("the region holds another disk")
	}
}
