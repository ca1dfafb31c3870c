package filesystem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"loggia/blobstore"
)

// readError gives a failure to look at or open an object its kind.
func (s *Store) readError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return s.missing()
	}
	return wrap(err, reading)
}

// openObject opens the file of an object and says how long it is, in bytes.
func (s *Store) openObject(ctx context.Context, op, key string) (*os.File, int64, error) {
	if err := begin(ctx, op, key); err != nil {
		return nil, 0, err
	}
	// O_NONBLOCK: a foreign pipe must not hold us up.
	f, err := os.OpenFile(s.path(key), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, named(op, key, s.readError(err))
	}
	st, err := f.Stat()
	switch {
	case err != nil:
		err = s.readError(err)
	case !st.Mode().IsRegular():
		err = blobstore.ErrNotFound
	default:
		return f, st.Size(), nil
	}
	return nil, 0, named(op, key, errors.Join(err, f.Close()))
}

// Get implements blobstore.Store. The reader goes by pread, and stops when ctx does.
func (s *Store) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	f, size, err := s.openObject(ctx, "get", key)
	if err != nil {
		return nil, err
	}
	n, err = blobstore.CheckRange(off, n, size)
	if err != nil {
		return nil, named("get", key, errors.Join(err, f.Close()))
	}
	return blobstore.Exactly(&body{ctx: ctx, key: key, f: f, off: off, end: off + n}, n), nil
}

// body reads [off, end) of f.
type body struct {
	ctx      context.Context
	key      string
	f        *os.File
	off, end int64
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, named("get", b.key, err)
	}
	if b.off == b.end {
		return 0, io.EOF
	}
	n, err := b.f.ReadAt(p[:min(int64(len(p)), b.end-b.off)], b.off)
	b.off += int64(n)
	if err == io.EOF && n > 0 {
		err = nil // seen again by the next Read
	}
	if err != nil && err != io.EOF {
		err = named("get", b.key, wrap(err, reading))
	}
	return n, err
}

func (b *body) Close() error { return b.f.Close() }

// Stat implements blobstore.Store.
func (s *Store) Stat(ctx context.Context, key string) (blobstore.Info, error) {
	if err := begin(ctx, "stat", key); err != nil {
		return blobstore.Info{}, err
	}
	st, err := os.Lstat(s.path(key))
	if err != nil {
		return blobstore.Info{}, named("stat", key, s.readError(err))
	}
	if !st.Mode().IsRegular() {
		return blobstore.Info{}, fmt.Errorf("stat %s: %w", key, blobstore.ErrNotFound)
	}
	return blobstore.Info{Key: key, Size: st.Size(), Modified: st.ModTime()}, nil
}
