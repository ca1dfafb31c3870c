package repository

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"loggia/blobstore"
	"loggia/internal/digest"
)

const (
	recordFormat  = 1
	maxRecord     = 1 << 20 // bytes of a version record
	maxCheckpoint = 8 << 20 // bytes of a checkpoint
)

// Version is what a rebuild needs to know of one disk in a repository.
type Version struct {
	Root     digest.Digest
	Table    digest.Digest
	Length   int64 // guest bytes
	Segments []SegmentRef
}

type versionObject struct {
	Format   int             `json:"format"`
	Root     digest.Digest   `json:"root"`
	Table    digest.Digest   `json:"table"`
	Length   int64           `json:"length"`
	Segments []segmentObject `json:"segments"`
}

type segmentObject struct {
	Epoch  string        `json:"epoch"`
	ID     digest.Digest `json:"id"`
	Size   int64         `json:"size"`
	Chunks int64         `json:"chunks"`
}

// Finish makes everything durable in its order: packs, segments, version record. What it returns
// is what the log is told next: the Writer's segments, which list every pack that it wrote or adopted.
func (w *Writer) Finish(ctx context.Context, root, table digest.Digest, length int64) ([]SegmentRef, error) {
	if err := w.Flush(ctx); err != nil {
		return nil, err
	}
	refs, err := w.Segment(ctx)
	if err != nil {
		return nil, err
	}
	return refs, w.PutVersion(Version{Root: root, Table: table, Length: length, Segments: refs})
}

// PutVersion writes a version record under this Writer's epoch. What it names is durable before.
func (w *Writer) PutVersion(v Version) error {
	b, err := v.encode()
	if err != nil {
		return err
	}
	if err := w.put(w.repo.Keys.Version(w.opts.Epoch, v.Root), b); err != nil {
		return fmt.Errorf("write version record: %w", err)
	}
	return nil
}

func (v Version) encode() ([]byte, error) {
	o := versionObject{Format: recordFormat, Root: v.Root, Table: v.Table, Length: v.Length, Segments: []segmentObject{}}
	for _, s := range v.Segments {
		o.Segments = append(o.Segments, segmentObject{fmt.Sprintf("%016x", s.Epoch), s.ID, s.Size, s.Chunks})
	}
	b, err := json.Marshal(o)
	if err == nil && len(b) > maxRecord {
		err = errTooLong
	}
	if err != nil {
		return nil, fmt.Errorf("encode version record: %w", err)
	}
	return append(b, '\n'), nil
}

func decodeVersion(b []byte) (Version, error) {
	var o versionObject
	if err := json.Unmarshal(b, &o); err != nil {
		return Version{}, fmt.Errorf("%w: version record: %w", ErrDamaged, err)
	}
	if o.Format != recordFormat {
		return Version{}, fmt.Errorf("%w: version record of format %d", ErrDamaged, o.Format)
	}
	v := Version{Root: o.Root, Table: o.Table, Length: o.Length}
	for _, s := range o.Segments {
		epoch, err := strconv.ParseUint(s.Epoch, 16, 64)
		if err != nil {
			return Version{}, fmt.Errorf("%w: version record: epoch %q", ErrDamaged, s.Epoch)
		}
		v.Segments = append(v.Segments, SegmentRef{Epoch: epoch, ID: s.ID, Size: s.Size, Chunks: s.Chunks})
	}
	return v, nil
}

// Version reads a version record. Errors: ErrMissing, ErrDamaged, or the store's.
func (r *Repository) Version(ctx context.Context, epoch uint64, root digest.Digest) (Version, error) {
	key := r.Keys.Version(epoch, root)
	r.requests.Add(1)
	b, err := readAll(ctx, r.Store, key, maxRecord)
	switch {
	case errors.Is(err, blobstore.ErrNotFound):
		return Version{}, fmt.Errorf("%w: %s: %w", ErrMissing, key, err)
	case errors.Is(err, errTooLong):
		return Version{}, fmt.Errorf("%w: %s: %w", ErrDamaged, key, err)
	case err != nil:
		return Version{}, fmt.Errorf("read version record: %w", err)
	}
	v, err := decodeVersion(b)
	if err == nil && v.Root != root {
		err = fmt.Errorf("%w: %s names root %s", ErrDamaged, key, v.Root.Short())
	}
	return v, err
}

// PutCheckpoint keeps a checkpoint of the upload under this Writer's epoch. What it names was made
// durable before (Flush, Segment). A number is used once.
func (w *Writer) PutCheckpoint(ctx context.Context, seq uint64, data []byte) error {
	if len(data) > maxCheckpoint {
		return fmt.Errorf("write checkpoint: %w: %d bytes", errTooLong, len(data))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := w.put(w.repo.Keys.Checkpoint(w.opts.Epoch, seq), data); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	return nil
}

// Checkpoints calls fn for every checkpoint of an epoch in the order of their numbers.
func (r *Repository) Checkpoints(ctx context.Context, epoch uint64, fn func(seq uint64, data []byte) error) error {
	dir := r.Keys.Checkpoints(epoch)
	r.requests.Add(1)
	return r.Store.List(ctx, dir, "", func(info blobstore.Info) error {
		seq, err := strconv.ParseUint(info.Key[len(dir):], 16, 64)
		if err != nil || r.Keys.Checkpoint(epoch, seq) != info.Key {
			return fmt.Errorf("%w: %q", ErrKey, info.Key)
		}
		r.requests.Add(1)
		data, err := readAll(ctx, r.Store, info.Key, maxCheckpoint)
		if err != nil {
			return fmt.Errorf("read checkpoint %s: %w", info.Key, err)
		}
		return fn(seq, data)
	})
}
