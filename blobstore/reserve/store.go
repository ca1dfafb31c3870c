package reserve

import (
	"context"
	"errors"
	"fmt"
	"io"

	"loggia/blobstore"
)

// Unwrap returns the store below.
func (s *Store) Unwrap() blobstore.Store { return s.next }

// Put implements blobstore.Store. It fails with ErrFull before the floor is reached.
func (s *Store) Put(ctx context.Context, key string, data []byte) error {
	if err := blobstore.CheckPut(key, len(data)); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	return s.grow(ctx, "put", key, int64(len(data)), func() error { return s.next.Put(ctx, key, data) })
}

// Copy implements blobstore.Copier, counting the copy's size.
func (s *Store) Copy(ctx context.Context, from, to string) error {
	if !blobstore.CanCopy(s.next) {
		return blobstore.Copy(ctx, s.next, from, to) // for its error
	}
	if err := blobstore.CheckKey(to); err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	info, err := s.next.Stat(ctx, from)
	if err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	return s.grow(ctx, "copy", to, info.Size, func() error { return blobstore.Copy(ctx, s.next, from, to) })
}

// grow makes a call that adds n bytes, and learns from its outcome.
func (s *Store) grow(ctx context.Context, op, key string, n int64, call func() error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s %s: %w", op, key, err)
	}
	if err := s.claim(n); err != nil {
		return fmt.Errorf("%s %s: %w", op, key, err)
	}
	err := call()
	s.update(func() {
		s.pending -= n
		switch {
		case errors.Is(err, blobstore.ErrFull):
			s.refused = true // until the next look
		case err == nil:
			s.written += n
		}
	})
	return err
}

// claim counts n bytes before they are written, so that many puts at once keep the floor too.
func (s *Store) claim(n int64) error {
	var refused error
	s.update(func() {
		if refused = s.refuseLocked(n); refused == nil {
			s.pending += n
		}
	})
	return refused
}

// Get implements blobstore.Store.
func (s *Store) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	return s.next.Get(ctx, key, off, n)
}

// Stat implements blobstore.Store.
func (s *Store) Stat(ctx context.Context, key string) (blobstore.Info, error) {
	return s.next.Stat(ctx, key)
}

// List implements blobstore.Store.
func (s *Store) List(ctx context.Context, prefix, after string, fn func(blobstore.Info) error) error {
	return s.next.List(ctx, prefix, after, fn)
}

// Delete implements blobstore.Store. The room that it makes shows at the next look.
func (s *Store) Delete(ctx context.Context, key string) error { return s.next.Delete(ctx, key) }

// Capacity implements blobstore.Store, past the watch.
func (s *Store) Capacity(ctx context.Context) (blobstore.Capacity, error) {
	return s.next.Capacity(ctx)
}
