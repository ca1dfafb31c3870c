package repository

import (
	"context"
	"errors"
	"os"

	"loggia/internal/digest"
	"loggia/transfer/index"
	"loggia/transfer/pack"
)

// Packs calls fn for every pack that the Writer's uploaded segments list.
func (w *Writer) Packs(fn func(index.Pack, *pack.Directory) error) error {
	w.indexing.Lock()
	defer w.indexing.Unlock()
	w.mu.RLock()
	own := w.uploaded
	w.mu.RUnlock()
	for _, s := range own {
		if err := s.open.Packs(fn); err != nil {
			return err
		}
	}
	return nil
}

// Rewrite makes segments that list the packs of some live segments of a view (by number in its Refs) but those that keep refuses, and
// everything that this Writer's own segments list. It returns what the log is told: segments to add and live ones to remove. Call it after
// Flush and Segment.
func (w *Writer) Rewrite(ctx context.Context, v *View, which []int, keep func(index.Pack) bool) (add []SegmentRef, remove []digest.Digest, err error) {
	w.indexing.Lock()
	defer w.indexing.Unlock()
	var all []*index.Segment
	w.mu.RLock()
	for _, s := range w.uploaded {
		all = append(all, s.open)
	}
	w.mu.RUnlock()
	for _, i := range which {
		all = append(all, v.segments[i])
		remove = append(remove, v.refs[i].ID)
	}
	iw := index.NewWriter(w.repo.Cache, 0)
	defer iw.Abort()
	if err := index.Merge(iw, keep, all...); err != nil {
		return nil, nil, err
	}
	files, err := iw.Finish()
	if err != nil {
		return nil, nil, err
	}
	add, err = w.uploadFiles(ctx, files)
	return add, remove, err
}

// uploadFiles uploads finished segments; their files become the cached ones.
func (w *Writer) uploadFiles(ctx context.Context, files []index.File) (refs []SegmentRef, err error) {
	made, err := openLocal(files)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, s := range made {
			err = errors.Join(err, s.open.Close())
		}
	}()
	for _, s := range made {
		ref := SegmentRef{Epoch: w.opts.Epoch, ID: s.file.ID, Size: s.file.Size, Chunks: int64(s.file.Chunks)}
		if err := w.uploadSegment(ctx, ref, s.open); err != nil {
			return nil, err
		}
		// Readers would fetch it otherwise.
		_ = os.Rename(s.file.Path, w.repo.segmentPath(ref.ID))
		refs = append(refs, ref)
	}
	return refs, nil
}

// PutCondemned keeps a collector's list under this Writer's epoch and returns its digest.
func (w *Writer) PutCondemned(ctx context.Context, list []byte) (digest.Digest, error) {
	id := digest.Of(list)
	if err := ctx.Err(); err != nil {
		return id, err
	}
	return id, w.put(w.repo.Keys.Condemned(w.opts.Epoch, id), list)
}
