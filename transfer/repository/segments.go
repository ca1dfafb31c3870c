package repository

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"loggia/blobstore"
	"loggia/internal/digest"
	"loggia/transfer/index"
)

// Names in the cache directory that are no segments.
const (
	writerPrefix = ".writer-"
	fetchPrefix  = ".fetch-"
)

// fetches bounds the segments fetched at once.
const fetches = 4

// openSegments opens the local files of refs in their order and fetches those that are not there.
func (r *Repository) openSegments(ctx context.Context, refs []SegmentRef) ([]*index.Segment, error) {
	segments := make([]*index.Segment, len(refs))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(fetches)
	for i, ref := range refs {
		g.Go(func() (err error) {
			segments[i], err = r.openSegment(gctx, ref)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		closeSegments(segments)
		return nil, err
	}
	return segments, nil
}

func closeSegments(segments []*index.Segment) error {
	var errs []error
	for _, s := range segments {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// openSegment opens the local file, which was verified before it got its name; one that has another
// length or shape than it should is fetched anew, once.
func (r *Repository) openSegment(ctx context.Context, ref SegmentRef) (*index.Segment, error) {
	path := r.segmentPath(ref.ID)
	if info, err := os.Stat(path); err == nil && (ref.Size == 0 || info.Size() == ref.Size) {
		if s, err := index.OpenFile(path); err == nil {
			return s, nil
		}
	}
	if err := r.fetchSegment(ctx, ref, path); err != nil {
		return nil, err
	}
	s, err := index.OpenFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return s, nil
}

// fetchSegment copies a segment to a local file and gives the file its name when it is verified and
// durable.
func (r *Repository) fetchSegment(ctx context.Context, ref SegmentRef, path string) error {
	key := r.Keys.Segment(ref.Epoch, ref.ID)
	r.requests.Add(1)
	body, err := r.Store.Get(ctx, key, 0, -1)
	if err != nil {
		return segmentError(key, err)
	}
	defer body.Close()
	tmp, err := os.CreateTemp(r.Cache, fetchPrefix)
	if err != nil {
		return fmt.Errorf("cache index segment: %w", err)
	}
	defer os.Remove(tmp.Name()) // without effect once it is renamed
	defer tmp.Close()
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(tmp, hash), io.LimitReader(body, index.MaxSegment+1)); err != nil {
		return segmentError(key, err)
	}
	if got := digest.Digest(hash.Sum(nil)); got != ref.ID {
		return fmt.Errorf("%w: index segment %s has digest %s", ErrDamaged, key, got.Short())
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("cache index segment: %w", err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("cache index segment: %w", err)
	}
	return nil
}

// old says whether no fetch can still be writing the file.
func old(f os.DirEntry) bool {
	info, err := f.Info()
	return err == nil && time.Since(info.ModTime()) > 24*time.Hour
}

func segmentError(key string, err error) error {
	switch {
	case errors.Is(err, blobstore.ErrNotFound):
		return fmt.Errorf("%w: index segment %s: %w", ErrMissing, key, err)
	case errors.Is(err, blobstore.ErrDamaged):
		return fmt.Errorf("%w: index segment %s: %w", ErrDamaged, key, err)
	}
	return fmt.Errorf("fetch index segment %s: %w", key, err)
}

// Prune removes the local files of segments that are not in keep, and what Writers of an earlier
// process left. Views that have files open go on. It does not touch the store.
func (r *Repository) Prune(keep []SegmentRef) error {
	live := make(map[string]bool, len(keep))
	for _, ref := range keep {
		live[ref.ID.String()] = true
	}
	r.local.mu.Lock()
	defer r.local.mu.Unlock()
	files, err := os.ReadDir(r.Cache)
	if err != nil {
		return fmt.Errorf("prune index cache: %w", err)
	}
	var errs []error
	for _, f := range files {
		stale := strings.HasPrefix(f.Name(), writerPrefix) && !r.local.writers[f.Name()] ||
			strings.HasPrefix(f.Name(), fetchPrefix) && old(f)
		if stale || !live[f.Name()] && !strings.HasPrefix(f.Name(), ".") {
			errs = append(errs, os.RemoveAll(filepath.Join(r.Cache, f.Name())))
		}
	}
	return errors.Join(errs...)
}
