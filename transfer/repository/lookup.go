package repository

import (
	"context"
	"fmt"
	"slices"

	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/index"
)

// Has says whether the chunk is there: accepted by Add, adopted, or in the View.
func (w *Writer) Has(id chunk.ID) (bool, error) {
	if ok, err := w.HasOwn(id); ok || err != nil || w.opts.View == nil {
		return ok, err
	}
	return w.opts.View.Has(id)
}

// HasOwn says whether the chunk was accepted by Add or adopted.
func (w *Writer) HasOwn(id chunk.ID) (bool, error) {
	if w.nodes.has(id) {
		return true, nil
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if _, pending := w.pending[id]; pending {
		return true, nil
	}
	_, ok, err := w.ownLocked(id)
	return ok, err
}

// Lookup says where a chunk lies that is durable: in a pack of this Writer, an adopted one, or in the
// View. Its Chunks can be asked for until the next call of Segment.
func (w *Writer) Lookup(id chunk.ID) (index.Location, bool, error) {
	loc, ok, err := w.own(id)
	if ok || err != nil || w.opts.View == nil {
		return loc, ok, err
	}
	return w.opts.View.Lookup(id)
}

// own looks among the Writer's durable packs, newest first.
func (w *Writer) own(id chunk.ID) (index.Location, bool, error) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.ownLocked(id)
}

// ownLocked is own for whoever holds w.mu, also for reading.
func (w *Writer) ownLocked(id chunk.ID) (index.Location, bool, error) {
	if w.closed {
		return index.Location{}, false, ErrClosed
	}
	if loc, ok, err := w.recent.Lookup(id); ok || err != nil {
		return loc, ok, err
	}
	for _, s := range slices.Backward(w.local) {
		if loc, ok, err := s.open.Lookup(id); ok || err != nil {
			return loc, ok, err
		}
	}
	for _, s := range slices.Backward(w.uploaded) {
		if loc, ok, err := s.open.Lookup(id); ok || err != nil {
			return loc, ok, err
		}
	}
	return index.Location{}, false, nil
}

// ReadChunk reads and checks one chunk, durable or not. Errors: ErrMissing, ErrDamaged, or the store's.
func (w *Writer) ReadChunk(ctx context.Context, id chunk.ID) ([]byte, error) {
	return w.read(id, func(loc index.Location) ([]byte, error) {
		plain, err := w.repo.plainFrame(ctx, loc)
		if err != nil {
			return nil, err
		}
		return cut(plain, id, loc.PlainOffset, loc.Length)
	})
}

// Node is ReadChunk for nodes of trees, with a cache; it makes Writer a manifest.Getter.
func (w *Writer) Node(ctx context.Context, id chunk.ID) ([]byte, error) {
	if b := w.nodes.get(id); b != nil {
		return b, nil
	}
	return w.read(id, func(loc index.Location) ([]byte, error) { return w.frames.node(ctx, w.repo, loc, id) })
}

func (w *Writer) read(id chunk.ID, durable func(index.Location) ([]byte, error)) ([]byte, error) {
	stored, refs := w.pendingFrame(id)
	if stored == nil {
		loc, ok, err := w.Lookup(id)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("%w: %s", ErrMissing, id.Short())
		}
		return durable(loc)
	}
	plain, err := frame.Decode(nil, stored, w.repo.Decoder)
	if err != nil {
		return nil, fmt.Errorf("%w: frame that was added: %w", ErrDamaged, err)
	}
	var offset uint32
	for _, ref := range refs {
		if ref.ID == id {
			return cut(plain, id, offset, ref.Length)
		}
		offset += ref.Length
	}
	return nil, fmt.Errorf("%w: %s", ErrMissing, id.Short())
}

// pendingFrame copies the frame that holds a chunk out of an open pack.
func (w *Writer) pendingFrame(id chunk.ID) ([]byte, []chunk.Ref) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	at, ok := w.pending[id]
	if !ok {
		return nil, nil
	}
	f := at.pack.frames[at.frame]
	return slices.Clone(at.pack.buf.Bytes()[f.Offset:f.End()]), f.Chunks
}
