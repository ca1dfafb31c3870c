package publish

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"loggia/internal/digest"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
)

func TestRunSendsEachChunkOnce(t *testing.T) {
	r := seeded(t)
	for range 4 {
		disk := sparseDisk(r, 512*(1+r.IntN(60_000)))
		c, opts := newCollector(), testOptions()
		opts.SHA256 = true
		var last Progress
		opts.Progress = func(p Progress) {
			if p.BytesRead < last.BytesRead || p.DataBytes < last.DataBytes || p.SentStored < last.SentStored {
				t.Errorf("progress fell from %+v to %+v", last, p)
			}
			last = p
		}
		res, err := Run(context.Background(), c, disk, opts)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(c.rebuild(t, opts.Params, disk.Size()), disk.b) {
			t.Fatal("what was sent is another disk")
		}
		if c.twice != 0 {
			t.Errorf("%d chunks were sent twice", c.twice)
		}
		if want := wantRoot(t, opts.Params, disk); res.Root != want {
			t.Errorf("root %s, alone and without sending %s", res.Root.Short(), want.Short())
		}
		if want := digest.Digest(sha256.Sum256(disk.b)); res.SHA256 != want {
			t.Errorf("SHA-256 %s, want %s", res.SHA256, want)
		}
		if last.BytesRead != disk.Size() || last.Total != disk.Size() || last.DataBytes != res.Data || last.SentStored != res.SentStored {
			t.Errorf("last progress %+v, result %+v", last, res)
		}
		if int(res.SentChunks) != len(c.chunks) || int(res.SentLeaves) != len(c.leaves) {
			t.Errorf("sent %d chunks and %d leaves, got %d and %d", res.SentChunks, res.SentLeaves, len(c.chunks), len(c.leaves))
		}
	}
}

func TestRunSendsNothingKnown(t *testing.T) {
	disk := sparseDisk(seeded(t), 24<<20)
	c, opts := newCollector(), testOptions()
	first, err := Run(context.Background(), c, disk, opts)
	if err != nil {
		t.Fatal(err)
	}
	again := newCollector()
	for id := range c.chunks {
		again.known = append(again.known, id)
	}
	res, err := Run(context.Background(), again, disk, opts)
	if err != nil {
		t.Fatal(err)
	}
	if res.Root != first.Root || res.SentFrames != 0 || res.SentLeaves != first.SentLeaves {
		t.Errorf("first %+v\nagain %+v", first, res)
	}
}

func TestRunDoesNotReadFinishedSpans(t *testing.T) {
	disk := sparseDisk(seeded(t), 24<<20)
	c, opts := newCollector(), testOptions()
	first, err := Run(context.Background(), c, disk, opts)
	if err != nil {
		t.Fatal(err)
	}
	again := newCollector()
	shape := manifest.Shape{Length: disk.Size(), Span: int64(opts.Params.Span)}
	for span, node := range c.leaves {
		leaf, err := manifest.DecodeLeaf(node, opts.Params, shape.SpanLength(span))
		if err != nil {
			t.Fatal(err)
		}
		again.spans = append(again.spans, manifest.SpanRef{Span: span, ID: digest.Of(node), Sums: leaf.Sums()})
	}
	// The bytes of the finished spans are gone: only their names are left.
	res, err := Run(context.Background(), again, &memory{make([]byte, disk.Size())}, opts)
	if err != nil {
		t.Fatal(err)
	}
	if res.Root != first.Root || res.Skipped != first.Data || again.sent != 0 {
		t.Errorf("first %+v\nagain %+v", first, res)
	}
}

func TestAllHole(t *testing.T) {
	c := newCollector()
	res, err := Run(context.Background(), c, &memory{make([]byte, 5<<20)}, testOptions())
	if err != nil || c.sent != 0 || res.Data != 0 {
		t.Errorf("%+v, %d batches, %v", res, c.sent, err)
	}
}

var errSend = errors.New("line is cut")

func TestSendErrorEndsRun(t *testing.T) {
	c, opts := newCollector(), testOptions()
	c.fail = func(sent int) error {
		if sent == 2 {
			return errSend
		}
		return nil
	}
	if _, err := Run(context.Background(), c, sparseDisk(seeded(t), 32<<20), opts); !errors.Is(err, errSend) {
		t.Fatalf("got %v, want %v", err, errSend)
	}
	whole(t, opts.Pool)
}

// blocked is a Remote whose Send waits for its context.
type blocked struct {
	*collector
	entered chan struct{}
}

func (b *blocked) Send(ctx context.Context, _ int, _ []byte) error {
	b.entered <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

// In a bubble of synctest a goroutine that is left behind is a failure.
func TestCancelLeavesNothing(t *testing.T) {
	disk := sparseDisk(seeded(t), 32<<20)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		opts := testOptions()
		b := &blocked{newCollector(), make(chan struct{}, opts.InFlight+8)}
		go func() {
			<-b.entered
			cancel()
		}()
		if _, err := Run(ctx, b, disk, opts); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		whole(t, opts.Pool)
	})
}

// changing is a disk that says after some spans that it changed.
type changing struct {
	*memory
	left atomic.Int64
}

var errChanged = errors.New("image changed while it was read")

func (c *changing) Check() error {
	if c.left.Add(-1) < 0 {
		return errChanged
	}
	return nil
}

func TestChangedSource(t *testing.T) {
	disk := &changing{memory: sparseDisk(seeded(t), 16<<20)}
	disk.left.Store(5)
	c, opts := newCollector(), testOptions()
	if _, err := Run(context.Background(), c, disk, opts); !errors.Is(err, errChanged) {
		t.Fatalf("got %v", err)
	}
	whole(t, opts.Pool)
}

// short is a disk that ends before its size.
type short struct{ *memory }

func (s short) Size() int64 { return s.memory.Size() + 1<<20 }

func (s short) NextData(off int64) (int64, int64, error) { return off, s.Size(), nil }

func TestShortSource(t *testing.T) {
	_, err := Run(context.Background(), newCollector(), short{sparseDisk(seeded(t), 3<<20)}, testOptions())
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %v", err)
	}
}

func TestOptionsAreRefused(t *testing.T) {
	pool := buffer.New(64 << 20)
	for name, o := range map[string]Options{
		"no pool":     {},
		"long frame":  {Pool: pool, Frame: 5 << 20},
		"long batch":  {Pool: pool, Batch: MaxBatch + 1},
		"short batch": {Pool: pool, Batch: 1 << 20},
		"workers":     {Pool: pool, Workers: -1},
		"parameters":  {Pool: pool, Params: chunk.Params{Min: 1}},
		"pool":        {Pool: buffer.New(1 << 20)},
	} {
		if _, err := Run(context.Background(), newCollector(), &memory{make([]byte, 512)}, o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
