package publish

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"loggia/transfer/chunk"
	"loggia/transfer/codec"
	"loggia/transfer/idset"
	"loggia/transfer/manifest"
)

// Run sends what the node does not hold of the disk and returns its root. Workers take spans, cut and
// hash them, and compress the chunks that are new into batches; senders send these. The memory is taken from
// the pool in one piece before a byte is read, so that many publishes can share a pool without
// waiting for each other half-way. When Run returns, all its goroutines have ended.
//
// A nil error means that the node has accepted everything: the caller commits the root next.
func Run(ctx context.Context, remote Remote, src Source, opts Options) (Result, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return Result{}, err
	}
	r, err := newRun(src, opts)
	if err != nil {
		return Result{}, err
	}
	defer r.known.Close()
	if err := remote.Known(ctx, func(id chunk.ID) error { return r.known.Add(id, 0) }); err != nil {
		return Result{}, fmt.Errorf("learn known chunks: %w", err)
	}
	if err := remote.Spans(ctx, r.finished); err != nil {
		return Result{}, fmt.Errorf("learn finished spans: %w", err)
	}
	r.remote = remote
	return r.run(ctx)
}

// Root computes what Run would, and sends nothing.
func Root(ctx context.Context, src Source, opts Options) (Result, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return Result{}, err
	}
	r, err := newRun(src, opts)
	if err != nil {
		return Result{}, err
	}
	defer r.known.Close()
	return r.run(ctx)
}

// run is the state of one Run.
type run struct {
	opts    Options
	src     Source
	check   func() error
	shape   manifest.Shape
	remote  Remote     // nil: nothing is sent
	known   *idset.Set // chunks that need not be sent: known to the node, or taken by a worker
	done    map[int64]manifest.SpanRef
	builder *manifest.Builder
	meter   meter
	next    atomic.Int64 // next span to take

	empty, full chan *batch

	mu     sync.Mutex
	result Result // guarded by mu
}

func newRun(src Source, opts Options) (*run, error) {
	if opts.Nodes == nil {
		opts.Nodes = func(context.Context, chunk.ID, []byte) error { return nil }
	}
	builder, err := manifest.NewBuilder(opts.Params, src.Size(), opts.Nodes)
	if err != nil {
		return nil, err
	}
	r := &run{
		opts: opts, src: src, check: func() error { return nil }, builder: builder,
		shape: manifest.Shape{Length: src.Size(), Span: int64(opts.Params.Span)},
		known: idset.New(opts.TempDir, 0), done: make(map[int64]manifest.SpanRef),
		meter:  meter{now: Progress{Total: src.Size()}, tell: opts.Progress},
		result: Result{Size: src.Size()},
	}
	if c, ok := src.(interface{ Check() error }); ok {
		r.check = c.Check
	}
	return r, nil
}

// finished notes a span that need not be read.
func (r *run) finished(ref manifest.SpanRef) error {
	if err := r.builder.AddRef(ref); err != nil {
		return err
	}
	if _, twice := r.done[ref.Span]; !twice {
		r.result.Skipped += ref.Bytes
	}
	r.done[ref.Span] = ref
	return nil
}

func (r *run) run(ctx context.Context) (Result, error) {
	mem, free, err := r.memory(ctx)
	if err != nil {
		return Result{}, err
	}
	defer free()
	if err := r.pipeline(ctx, mem); err != nil {
		return Result{}, err
	}
	if err := r.check(); err != nil {
		return Result{}, err
	}
	root, err := r.builder.Finish(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("build manifest: %w", err)
	}
	r.result.Manifest, r.result.Root, r.result.Data = root, root.ID(), root.Data
	return r.result, nil
}

// pipeline runs workers and senders until all is sent.
func (r *run) pipeline(ctx context.Context, mem *arena) error {
	enc, err := codec.NewEncoder(r.opts.Workers, r.opts.Frame)
	if err != nil {
		return err
	}
	defer enc.Close()
	workers := make([]*worker, r.opts.Workers)
	for i := range workers {
		if workers[i], err = r.newWorker(i, enc, mem); err != nil {
			return err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	r.empty = make(chan *batch, r.opts.batches())
	r.full = make(chan *batch)
	if r.remote != nil {
		r.send(ctx, g, mem)
	}
	if r.opts.SHA256 {
		r.flat(ctx, g, mem.take(flatBuffer))
	}
	var working sync.WaitGroup
	for _, w := range workers {
		working.Add(1)
		g.Go(func() error {
			defer working.Done()
			return w.work(ctx)
		})
	}
	working.Wait()
	close(r.full)
	return g.Wait()
}

func (r *run) flat(ctx context.Context, g *errgroup.Group, buf []byte) {
	g.Go(func() error {
		sum, err := flat(ctx, r.src, buf)
		r.count(func(res *Result) { res.SHA256 = sum })
		return err
	})
}

// send starts the senders and gives the batches out.
func (r *run) send(ctx context.Context, g *errgroup.Group, mem *arena) {
	for range r.opts.batches() {
		r.empty <- newBatch(mem.take(r.opts.Batch))
	}
	for range r.opts.InFlight {
		g.Go(func() error {
			for b := range r.full {
				if err := r.remote.Send(ctx, b.worker, b.buf); err != nil {
					return fmt.Errorf("send batch: %w", err)
				}
				r.meter.add(Progress{SentStored: b.stored})
				r.count(func(res *Result) { res.SentWire += int64(len(b.buf)) })
				b.reset()
				r.empty <- b
			}
			return nil
		})
	}
}

func (r *run) count(fn func(*Result)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn(&r.result)
}
