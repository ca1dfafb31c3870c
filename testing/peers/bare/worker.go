package bare

import (
	"context"
	"fmt"
	"slices"

	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/manifest"
	"loggia/transfer/pack"
)

// framePlain is the plain bytes of a frame, as a publish makes them.
const framePlain = 512 << 10

// worker takes spans until there are none left: it reads, cuts, hashes, compresses, and fills packs.
type worker struct {
	*publisher
	lane   uint64 // of the span: what is read together lies together
	refs   []chunk.Ref
	plain  []byte
	stored []byte
	again  []byte // what a check unpacks into
	hasher chunk.Hasher
}

func (p *publisher) work(ctx context.Context) error {
	cut, err := chunk.NewCutter(p.params, make([]byte, p.params.BufferSize()+1<<20))
	if err != nil {
		return err
	}
	w := &worker{publisher: p, plain: make([]byte, 0, framePlain), stored: make([]byte, 0, frame.Bound(framePlain))}
	for {
		span := p.next.Add(1) - 1
		if span >= p.shape().Spans() {
			return nil
		}
		if err := w.span(ctx, cut, span); err != nil {
			return fmt.Errorf("span %d: %w", span, err)
		}
	}
}

func (w *worker) span(ctx context.Context, cut *chunk.Cutter, span int64) error {
	w.lane = uint64(span) + 1
	leaf := &manifest.Leaf{}
	err := cut.Span(ctx, w.src, span*w.shape().Span, w.shape().SpanLength(span), func(piece chunk.Piece, data []byte) error {
		if piece.Hole {
			leaf.AddHole(uint32(piece.Length))
			return nil
		}
		ref := chunk.Ref{ID: piece.ID, Length: uint32(len(data))}
		leaf.AddChunk(ref)
		return w.chunk(ctx, ref, data)
	})
	if err == nil {
		err = w.flush(ctx)
	}
	if err != nil {
		return err
	}
	w.leaves[span] = leaf
	_, err = w.builder.AddLeaf(ctx, span, leaf)
	return err
}

// chunk gathers a chunk where it is new.
func (w *worker) chunk(ctx context.Context, ref chunk.Ref, data []byte) error {
	if !w.fresh(ref.ID) {
		return nil
	}
	if len(w.plain)+len(data) > cap(w.plain) {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	w.refs, w.plain = append(w.refs, ref), append(w.plain, data...)
	return nil
}

// flush makes a frame of what was gathered and gives it to the Writer.
func (w *worker) flush(ctx context.Context) error {
	if len(w.refs) == 0 {
		return nil
	}
	stored, h, err := frame.Encode(w.stored[:0], w.plain, w.region.enc)
	if err != nil {
		return err
	}
	if w.region.task.checked {
		if err := w.check(stored); err != nil {
			return err
		}
	}
	f := &manifest.Frame{ID: frame.ID(stored), Stored: h.Stored, Chunks: slices.Clone(w.refs)}
	if err := w.w.Add(ctx, pack.Data, w.lane, stored, f.ID, h.Plain, w.refs); err != nil {
		return err
	}
	w.keep(f)
	w.refs, w.plain = w.refs[:0], w.plain[:0]
	return nil
}

// check unpacks a frame and hashes its chunks, as a node does with what a client sends.
func (w *worker) check(stored []byte) (err error) {
	if w.again, err = frame.Decode(w.again[:0], stored, w.region.dec); err != nil {
		return err
	}
	rest := w.again
	for _, ref := range w.refs {
		if int(ref.Length) > len(rest) {
			return fmt.Errorf("chunk %s is cut after compression", ref.ID.Short())
		}
		w.hasher.Add(rest[:ref.Length])
		rest = rest[ref.Length:]
	}
	for i, id := range w.hasher.IDs() {
		if id != w.refs[i].ID {
			return fmt.Errorf("chunk %s is another one after compression", w.refs[i].ID.Short())
		}
	}
	return nil
}
