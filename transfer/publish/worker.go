package publish

import (
	"context"
	"fmt"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/manifest"
	"loggia/transfer/wire"
)

// worker takes spans until there are none left. It reads, cuts, hashes and compresses in one
// goroutine: each of these is bound by the CPU, and another worker has the other one.
type worker struct {
	*run
	cutter *chunk.Cutter
	packer *packer
	number int    // among workers
	out    *batch // nil where nothing is sent
	leaf   manifest.Leaf
}

func (r *run) newWorker(number int, enc frame.Compressor, mem *arena) (*worker, error) {
	cutter, err := chunk.NewCutter(r.opts.Params, mem.take(r.opts.cutBuffer()))
	if err != nil {
		return nil, err
	}
	w := &worker{run: r, number: number, cutter: cutter}
	if r.remote != nil {
		w.packer = newPacker(r.opts, enc, mem)
	}
	return w, nil
}

func (w *worker) work(ctx context.Context) error {
	for {
		span := w.next.Add(1) - 1
		if span >= w.shape.Spans() {
			return w.handOver(ctx)
		}
		if err := w.span(ctx, span); err != nil {
			return err
		}
	}
}

// span works one span off.
func (w *worker) span(ctx context.Context, span int64) error {
	start, length := span*w.shape.Span, w.shape.SpanLength(span)
	if ref, ok := w.done[span]; ok {
		w.meter.add(Progress{BytesRead: length, DataBytes: ref.Bytes})
		return nil
	}
	w.leaf.Entries = w.leaf.Entries[:0]
	var told int64
	err := w.cutter.Span(ctx, w.src, start, length, func(p chunk.Piece, data []byte) error {
		if end := p.Offset + int64(p.Length); end-told >= 4<<20 {
			w.meter.add(Progress{BytesRead: end - told})
			told = end
		}
		if p.Hole {
			w.leaf.AddHole(uint32(p.Length))
			return nil
		}
		return w.chunk(ctx, chunk.Ref{ID: p.ID, Length: uint32(len(data))}, data)
	})
	if err != nil {
		return fmt.Errorf("span %d: %w", span, err)
	}
	sums := w.leaf.Sums()
	w.meter.add(Progress{BytesRead: length - told, DataBytes: sums.Bytes})
	if err := w.check(); err != nil {
		return err
	}
	return w.finish(ctx, span, sums)
}

// chunk notes a chunk, and packs it where it is new.
func (w *worker) chunk(ctx context.Context, ref chunk.Ref, data []byte) error {
	w.leaf.AddChunk(ref)
	if w.remote == nil {
		return nil
	}
	if fresh, err := w.known.AddNew(ref.ID, 0); err != nil || !fresh {
		return err
	}
	if !w.packer.fits(len(data)) {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	w.packer.add(ref, data)
	return nil
}

// flush compresses the chunks gathered into one frame of the batch.
func (w *worker) flush(ctx context.Context) error {
	if w.packer.empty() {
		return nil
	}
	stored, err := w.packer.seal()
	if err != nil {
		return err
	}
	refs, plain := w.packer.refs, len(w.packer.plain)
	if err := w.room(ctx, wire.FrameSize(len(refs), len(stored))); err != nil {
		return err
	}
	if err := w.out.frame(refs, stored); err != nil {
		return err
	}
	w.count(func(r *Result) {
		r.SentFrames++
		r.SentChunks += int64(len(refs))
		r.SentPlain += int64(plain)
		r.SentStored += int64(len(stored))
	})
	w.packer.reset()
	return nil
}

// finish sends the last frame of a span and its leaf.
func (w *worker) finish(ctx context.Context, span int64, sums manifest.Sums) error {
	if sums.Count == 0 {
		return nil
	}
	node, err := w.leaf.Encode(w.opts.Params, w.shape.SpanLength(span))
	if err != nil {
		return fmt.Errorf("leaf of span %d: %w", span, err)
	}
	ref := manifest.SpanRef{Span: span, ID: digest.Of(node), Sums: sums}
	if err := w.opts.Nodes(ctx, ref.ID, node); err != nil {
		return err
	}
	if err := w.builder.AddRef(ref); err != nil {
		return err
	}
	if w.remote == nil {
		return nil
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	if err := w.room(ctx, wire.LeafSize(len(node))); err != nil {
		return err
	}
	w.count(func(r *Result) { r.SentLeaves++ })
	return w.out.leaf(span, node)
}

// room makes sure that a record of so many bytes fits the worker's batch.
func (w *worker) room(ctx context.Context, record int) error {
	if w.out != nil {
		if w.out.fits(record) {
			return nil
		}
		if err := w.handOver(ctx); err != nil {
			return err
		}
	}
	select {
	case w.out = <-w.empty:
		w.out.worker = w.number
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// handOver ends the worker's batch and gives it to a sender.
func (w *worker) handOver(ctx context.Context) error {
	b := w.out
	if b == nil || b.empty() {
		return nil
	}
	w.out = nil
	if err := b.w.End(); err != nil {
		return err
	}
	select {
	case w.full <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
