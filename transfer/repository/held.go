package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/index"
)

// LookupAll calls found for every one of ids that Has knows, nodes that are not in a frame yet aside, with its place in
// ids. The locations may be used as long as one likes: what they name may be gone by then, which reading says. Those of frames that
// are in no pack yet can be read by this Writer only.
func (w *Writer) LookupAll(ids []chunk.ID, found func(i int, loc index.Location) error) error {
	chunks := map[digest.Digest][]chunk.Ref{} // of frames seen
	each := func(i int, loc index.Location) error {
		refs, ok := chunks[loc.FrameID]
		if !ok {
			var err error
			if refs, err = loc.Chunks(); err != nil {
				return err
			}
			refs = slices.Clone(refs)
			chunks[loc.FrameID] = refs
		}
		return found(i, loc.Holding(refs))
	}
	absent, at, err := w.lookupOwn(ids, each)
	if err != nil || w.opts.View == nil {
		return err
	}
	return w.opts.View.LookupAll(absent, func(i int, loc index.Location) error { return each(at[i], loc) })
}

// lookupOwn finds what this Writer accepted or adopted; at are the places of what is absent. No segment
// is closed meanwhile.
func (w *Writer) lookupOwn(ids []chunk.ID, each func(i int, loc index.Location) error) (absent []chunk.ID, at []int, err error) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for i, id := range ids {
		if p, ok := w.pending[id]; ok {
			f := &p.pack.frames[p.frame]
			loc := index.Location{Kind: p.pack.kind, Epoch: w.opts.Epoch, FrameID: f.ID, FrameOffset: f.Offset,
				FrameStored: f.Stored, FramePlain: f.Plain}.Holding(f.Chunks).Of(id)
			if err := each(i, loc); err != nil {
				return nil, nil, err
			}
			continue
		}
		loc, ok, err := w.ownLocked(id)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			absent, at = append(absent, id), append(at, i)
			continue
		}
		if err := each(i, loc); err != nil {
			return nil, nil, err
		}
	}
	return absent, at, nil
}

// ReadFrame is Repository.ReadFrame for a location of LookupAll, whether its frame is in a pack by now or
// not. ErrMissing: the Writer has ended and the frame with it.
func (w *Writer) ReadFrame(ctx context.Context, loc index.Location, buf []byte) ([]byte, error) {
	if !loc.Pack.IsZero() {
		return w.repo.ReadFrame(ctx, loc, buf)
	}
	stored, durable, err := w.readPending(loc, buf)
	if err != nil || stored != nil {
		return stored, err
	}
	return w.repo.ReadFrame(ctx, durable, buf)
}

// readPending copies a frame out of an open pack, or says where it lies by now.
func (w *Writer) readPending(loc index.Location, buf []byte) (stored []byte, durable index.Location, err error) {
	refs, err := loc.Chunks()
	if err != nil {
		return nil, durable, err
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, ref := range refs {
		if p, ok := w.pending[ref.ID]; ok && p.pack.frames[p.frame].ID == loc.FrameID {
			f := p.pack.frames[p.frame]
			return append(buf[:0], p.pack.buf.Bytes()[f.Offset:f.End()]...), durable, nil
		}
		durable, ok, err := w.ownLocked(ref.ID)
		if err != nil && !errors.Is(err, ErrClosed) {
			return nil, durable, err
		}
		if ok && durable.FrameID == loc.FrameID {
			return nil, durable.Holding(refs), nil
		}
	}
	return nil, durable, fmt.Errorf("%w: frame %s is no longer on its way", ErrMissing, loc.FrameID.Short())
}

// ReadFrames is Repository.ReadFrames for locations of LookupAll. Frames that are in no pack yet come first, one by
// one, through a buffer of the Repository's pool, and with no room.
func (w *Writer) ReadFrames(ctx context.Context, locs []index.Location, o ReadOptions, fn UseFrame) error {
	durable, most := make([]index.Location, 0, len(locs)), 0
	var pending []index.Location
	seen := map[digest.Digest]bool{}
	for _, loc := range locs {
		if !loc.Pack.IsZero() {
			durable = append(durable, loc)
		} else if !seen[loc.FrameID] {
			seen[loc.FrameID] = true
			pending = append(pending, loc)
			most = max(most, int(loc.FrameStored))
		}
	}
	late, err := w.readAllPending(ctx, pending, most, fn)
	if err != nil {
		return err
	}
	return w.repo.ReadFrames(ctx, append(durable, late...), o, fn)
}

// readAllPending returns where those lie that have gone into a pack meanwhile.
func (w *Writer) readAllPending(ctx context.Context, pending []index.Location, most int, fn UseFrame) (late []index.Location, err error) {
	if len(pending) == 0 {
		return nil, nil
	}
	buf, err := w.repo.Pool.Get(ctx, most)
	if err != nil {
		return nil, fmt.Errorf("memory to read frames: %w", err)
	}
	defer buf.Release()
	for _, loc := range pending {
		stored, durable, err := w.readPending(loc, buf.Bytes())
		if err != nil {
			return nil, err
		}
		if stored == nil {
			// The reader knows the frame by the id, which is the same.
			late = append(late, durable)
			continue
		}
		if err := fn(loc, stored, nil); err != nil {
			return nil, err
		}
	}
	return late, nil
}
