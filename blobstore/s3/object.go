package s3

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/minio/minio-go/v7"

	"loggia/blobstore"
)

// Object is an object that others wrote, under any key, read at random. It stays the same: where the service gives another entity tag than at
// the beginning, reading fails with blobstore.ErrDamaged. It ends with the context it was opened with.
type Object struct {
	ctx  context.Context
	s    *Store
	key  string
	etag string
	size int64
}

// OpenObject opens the object under a key of the bucket, which need not be one of ours.
func (s *Store) OpenObject(ctx context.Context, key string) (*Object, error) {
	if key == "" || len(key) > 1024 {
		return nil, fmt.Errorf("s3 open: %w: 1 to 1024 bytes", blobstore.ErrInvalidKey)
	}
	info, err := s.core.StatObject(ctx, s.o.Bucket, s.prefix+key, minio.StatObjectOptions{})
	if err != nil {
		return nil, wrap(ctx, "open", key, s.notFound(ctx, err))
	}
	return &Object{ctx: ctx, s: s, key: key, etag: info.ETag, size: info.Size}, nil
}

// Size is the length in bytes.
func (o *Object) Size() int64 { return o.size }

// Close ends nothing: the store is closed by who opened it.
func (o *Object) Close() error { return nil }

// ReadAt implements io.ReaderAt by one ranged GET.
func (o *Object) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("s3 read %s: %w: offset %d", o.key, blobstore.ErrRange, off)
	}
	if off >= o.size {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), o.size-off)]
	if len(want) == 0 {
		return 0, nil
	}
	var get minio.GetObjectOptions
	if err := errors.Join(get.SetRange(off, off+int64(len(want))-1), get.SetMatchETag(o.etag)); err != nil {
		return 0, err
	}
	ctx, watch := newWatch(o.ctx, o.s.o.StallTimeout)
	defer watch.end()
	body, info, _, err := o.s.core.GetObject(ctx, o.s.o.Bucket, o.s.prefix+o.key, get)
	if code(err) == "PreconditionFailed" || err == nil && info.ETag != o.etag {
		err = errors.Join(err, fmt.Errorf("%w: the object changed while it was read", blobstore.ErrDamaged))
	}
	if body != nil {
		defer body.Close()
	}
	if err != nil {
		return 0, wrap(o.ctx, "read", o.key, stalled(ctx, err))
	}
	n, err := io.ReadFull(body, want)
	if err != nil {
		return n, wrap(o.ctx, "read", o.key, fmt.Errorf("%w: %w", blobstore.ErrDamaged, stalled(ctx, err)))
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
