package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"loggia/blobstore"
	"loggia/internal/digest"
	"loggia/transfer/index"
	"loggia/transfer/pack"
)

// directories bounds the directories read at once.
const directories = 8

// Adopted says what a successor found.
type Adopted struct {
	Packs  int
	Chunks int64
	Stored int64 // bytes of the frames
	Bad    int   // objects that are no pack of that name: left alone
}

// Adopt takes over the packs of the epochs that this claim supersedes: their chunks count as there,
// and Segment lists them. A pack counts if its directory has the digest that its key says and its object
// the length that the directory says; what is in its frames was verified before they were packed, and readers
// check it. skip, where it is not nil, says which keys are condemned. A listing that lacks a pack
// costs only that the chunks are sent again.
func (w *Writer) Adopt(ctx context.Context, epochs []uint64, skip func(key string) bool) (Adopted, error) {
	var total Adopted
	for _, epoch := range epochs {
		if epoch == w.opts.Epoch {
			return total, fmt.Errorf("adopt epoch %d: it is this writer's own", epoch)
		}
		for _, kind := range []pack.Kind{pack.Data, pack.Nodes} {
			found, err := w.adoptPacks(ctx, kind, epoch, skip)
			if err != nil {
				return total, fmt.Errorf("adopt epoch %d: %w", epoch, err)
			}
			total.Packs += found.Packs
			total.Chunks += found.Chunks
			total.Stored += found.Stored
			total.Bad += found.Bad
		}
	}
	return total, nil
}

func (w *Writer) adoptPacks(ctx context.Context, kind pack.Kind, epoch uint64, skip func(string) bool) (Adopted, error) {
	var mu sync.Mutex
	var found Adopted
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(directories)
	dir := w.repo.Keys.Packs(kind, epoch)
	w.repo.requests.Add(1)
	err := w.repo.Store.List(gctx, dir, "", func(info blobstore.Info) error {
		if skip != nil && skip(info.Key) {
			return nil
		}
		g.Go(func() error {
			one, err := w.adoptPack(gctx, kind, epoch, info)
			mu.Lock()
			defer mu.Unlock()
			found.Packs += one.Packs
			found.Chunks += one.Chunks
			found.Stored += one.Stored
			found.Bad += one.Bad
			return err
		})
		return nil
	})
	if gerr := g.Wait(); gerr != nil {
		err = gerr
	}
	if err != nil {
		return found, err
	}
	w.indexing.Lock()
	defer w.indexing.Unlock()
	return found, w.spillIfLarge()
}

// adoptPack reads one directory. What is wrong with the object is no error: it is not adopted.
func (w *Writer) adoptPack(ctx context.Context, kind pack.Kind, epoch uint64, info blobstore.Info) (Adopted, error) {
	id, err := name(info.Key, w.repo.Keys.Packs(kind, epoch))
	if err != nil {
		return Adopted{Bad: 1}, nil
	}
	dir, err := w.repo.readDirectory(ctx, info.Key, id, info.Size)
	switch {
	case errors.Is(err, ErrDamaged), errors.Is(err, blobstore.ErrNotFound), err == nil && dir.Kind != kind:
		return Adopted{Bad: 1}, nil
	case err != nil:
		return Adopted{}, err
	}
	one := Adopted{Packs: 1, Stored: dir.DataSize()}
	for i := range dir.Frames {
		one.Chunks += int64(len(dir.Frames[i].Chunks))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.failed(); err != nil {
		return Adopted{}, err
	}
	w.recent.Add(index.Pack{Kind: kind, Epoch: epoch, ID: id, Size: info.Size}, dir)
	if w.recent.Chunks() > spillChunks {
		w.work.Go(w.spillAside)
	}
	return one, nil
}

func (w *Writer) spillIfLarge() error {
	w.mu.Lock()
	large := w.recent.Chunks() > spillChunks
	w.mu.Unlock()
	if !large {
		return nil
	}
	return w.spill()
}

// ReadDirectory reads the directory of a pack of size bytes and holds it against the pack's id.
// Errors: ErrDamaged, ErrMissing, or the store's.
func (r *Repository) ReadDirectory(ctx context.Context, p index.Pack) (*pack.Directory, error) {
	return r.readDirectory(ctx, r.Keys.Pack(p.Kind, p.Epoch, p.ID), p.ID, p.Size)
}

func (r *Repository) readDirectory(ctx context.Context, key string, id digest.Digest, size int64) (*pack.Directory, error) {
	dir, err := pack.ReadDirectory(ctx, id, size, func(ctx context.Context, off, n int64) ([]byte, error) {
		r.requests.Add(1)
		body, err := r.Store.Get(ctx, key, off, n)
		if err != nil {
			return nil, readError(key, err)
		}
		defer body.Close()
		b := make([]byte, n)
		if _, err := io.ReadFull(body, b); err != nil {
			return nil, readError(key, err)
		}
		return b, nil
	})
	for _, bad := range []error{pack.ErrCorrupt, pack.ErrVersion, pack.ErrLimit, pack.ErrMismatch} {
		if errors.Is(err, bad) {
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	return dir, err
}
