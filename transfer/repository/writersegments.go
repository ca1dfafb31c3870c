package repository

import (
	"context"
	"errors"
	"fmt"
	"os"

	"loggia/internal/digest"
	"loggia/transfer/index"
	"loggia/transfer/pack"
)

// mergeAt is how many small segments of its own a Writer has before it makes them one: a checkpoint
// for every 64 MiB leaves many, and every one costs each lookup a read.
const mergeAt = 8

// Segment uploads segments for all durable packs that none lists yet, adopted ones too, and returns
// every segment of this Writer that counts, the oldest first. Packs that are not durable are
// left for the next call: Flush comes first.
func (w *Writer) Segment(ctx context.Context) ([]SegmentRef, error) {
	w.indexing.Lock()
	defer w.indexing.Unlock()
	if err := w.spill(); err != nil {
		return nil, err
	}
	w.mu.Lock()
	local, small := w.local, w.small()
	err := w.failed()
	w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if len(local) > 0 {
		if len(local)+len(small) <= mergeAt && len(local) == 1 {
			err = w.publish(ctx, local, nil)
		} else {
			err = w.mergeOwn(ctx, local, small)
		}
		if err != nil {
			return nil, err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	refs := make([]SegmentRef, len(w.uploaded))
	for i, s := range w.uploaded {
		refs[i] = s.ref
	}
	return refs, nil
}

// small returns the own segments that are worth merging. w.mu is held.
func (w *Writer) small() []ownSegment {
	var small []ownSegment
	for _, s := range w.uploaded {
		if s.ref.Size < index.DefaultSegment/2 {
			small = append(small, s)
		}
	}
	return small
}

// mergeOwn makes few segments out of the local ones and, when they are many, the small own ones.
func (w *Writer) mergeOwn(ctx context.Context, local []localSegment, small []ownSegment) error {
	if len(local)+len(small) <= mergeAt {
		small = nil
	}
	var all []*index.Segment
	for _, s := range local {
		all = append(all, s.open)
	}
	for _, s := range small {
		all = append(all, s.open)
	}
	iw := index.NewWriter(w.dir, 0)
	defer iw.Abort()
	if err := index.Merge(iw, nil, all...); err != nil {
		return err
	}
	files, err := iw.Finish()
	if err != nil {
		return err
	}
	merged, err := openLocal(files)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.local = merged // the same packs
	w.mu.Unlock()
	for _, s := range local {
		s.open.Close()
		if !contains(merged, s.file.ID) {
			os.Remove(s.file.Path)
		}
	}
	return w.publish(ctx, merged, small)
}

func contains(segments []localSegment, id digest.Digest) bool {
	for _, s := range segments {
		if s.file.ID == id {
			return true
		}
	}
	return false
}

// publish uploads local segments; replaced are the own ones that they make superfluous.
func (w *Writer) publish(ctx context.Context, local []localSegment, replaced []ownSegment) error {
	var done []ownSegment
	for _, s := range local {
		ref := SegmentRef{Epoch: w.opts.Epoch, ID: s.file.ID, Size: s.file.Size, Chunks: int64(s.file.Chunks)}
		if err := w.uploadSegment(ctx, ref, s.open); err != nil {
			return err
		}
		// Readers would fetch it otherwise; after a failure half-way it may be there already.
		_ = os.Rename(s.file.Path, w.repo.segmentPath(ref.ID))
		done = append(done, ownSegment{ref: ref, open: s.open})
	}
	gone := make(map[digest.Digest]bool)
	for _, s := range replaced {
		gone[s.ref.ID] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := make([]ownSegment, 0, len(w.uploaded)+len(done))
	for _, s := range w.uploaded {
		if !gone[s.ref.ID] {
			kept = append(kept, s)
		}
	}
	w.uploaded = append(kept, done...)
	w.local = w.local[len(local):]
	for _, s := range replaced {
		s.open.Close()
	}
	return nil
}

func (w *Writer) uploadSegment(ctx context.Context, ref SegmentRef, s *index.Segment) error {
	buf, err := w.opts.Pool.Get(ctx, int(ref.Size))
	if err != nil {
		return fmt.Errorf("memory for an index segment: %w", err)
	}
	defer buf.Release()
	if _, err := s.ReadAt(buf.Bytes(), 0); err != nil {
		return fmt.Errorf("read index segment: %w", err)
	}
	if err := w.put(w.repo.Keys.Segment(ref.Epoch, ref.ID), buf.Bytes()); err != nil {
		return fmt.Errorf("write index segment: %w", err)
	}
	return nil
}

// spillAside bounds the memory of the index; a failure ends the Writer.
func (w *Writer) spillAside() {
	w.indexing.Lock()
	defer w.indexing.Unlock()
	w.mu.Lock()
	enough := w.recent.Chunks() > spillChunks
	w.mu.Unlock()
	if !enough {
		return
	}
	if err := w.spill(); err != nil {
		w.cancel(err)
	}
}

// spill moves the packs indexed in memory to local segment files. w.indexing is held.
func (w *Writer) spill() error {
	w.mu.Lock()
	recent := w.recent
	w.mu.Unlock()
	iw := index.NewWriter(w.dir, 0)
	defer iw.Abort()
	moved := 0
	err := recent.Packs(func(p index.Pack, dir *pack.Directory) error {
		moved++
		return iw.Add(p, dir)
	})
	if err != nil || moved == 0 {
		return err
	}
	files, err := iw.Finish()
	if err != nil {
		return err
	}
	local, err := openLocal(files)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.local = append(w.local, local...)
	w.recent = index.NewMemory()
	// Packs that became durable meanwhile stay in memory.
	n := 0
	return recent.Packs(func(p index.Pack, dir *pack.Directory) error {
		if n++; n > moved {
			w.recent.Add(p, dir)
		}
		return nil
	})
}

func openLocal(files []index.File) ([]localSegment, error) {
	var out []localSegment
	for _, f := range files {
		s, err := index.OpenFile(f.Path)
		if err != nil {
			for _, l := range out {
				err = errors.Join(err, l.open.Close())
			}
			return nil, err
		}
		out = append(out, localSegment{f, s})
	}
	return out, nil
}
