package limit

import (
	"context"
	"fmt"
	"io"

	"loggia/blobstore"
)

// Store keeps the calls of the store below within a Limiter's bounds. A body holds its request's
// slot until it is read to the end, fails or is closed: with few slots, read it before you put.
type Store struct {
	next blobstore.Store
	l    *Limiter
}

// NewStore decorates next.
func NewStore(next blobstore.Store, l *Limiter) *Store { return &Store{next: next, l: l} }

// Unwrap returns the store below.
func (s *Store) Unwrap() blobstore.Store { return s.next }

// within calls while holding a slot of a window.
func within(ctx context.Context, w *window, op, key string, call func() error) error {
	slot, err := w.acquire(ctx)
	if err != nil {
		return fmt.Errorf("%s %s: %w", op, key, err)
	}
	defer slot.release()
	err = call()
	if err != nil { // what asks for no bytes tells nothing of the time that others take
		slot.answered(0, err)
	}
	return err
}

// Put implements blobstore.Store. The bytes are waited for before they are sent, without a slot:
// an object goes out in one piece, and the rate holds from object to object.
func (s *Store) Put(ctx context.Context, key string, data []byte) error {
	if err := blobstore.CheckPut(key, len(data)); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	if err := s.l.upload.wait(ctx, len(data)); err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	slot, err := s.l.writes.acquire(ctx)
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	defer slot.release()
	err = s.next.Put(ctx, key, data)
	slot.answered(len(data), err)
	return err
}

// Get implements blobstore.Store.
func (s *Store) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	slot, err := s.l.reads.acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	body, err := s.next.Get(ctx, key, off, n)
	slot.answered(0, err) // the body comes as fast as the caller reads it: that tells nothing of the store
	if err != nil {
		slot.release()
		return nil, err
	}
	return &reader{ctx: ctx, l: s.l, key: key, body: body, release: slot.release}, nil
}

type reader struct {
	ctx     context.Context
	l       *Limiter
	key     string
	body    io.ReadCloser
	release func() // may be called again
}

func (r *reader) Read(p []byte) (int, error) {
	if !r.l.download.limited() {
		n, err := r.body.Read(p)
		if err != nil {
			r.release()
		}
		return n, err
	}
	n, err := r.body.Read(p[:min(len(p), burst)])
	if err != nil {
		r.release()
		return n, err
	}
	if err := r.l.download.wait(r.ctx, n); err != nil {
		r.release()
		return n, fmt.Errorf("get %s: %w", r.key, err)
	}
	return n, nil
}

func (r *reader) Close() error {
	defer r.release()
	return r.body.Close()
}

// Stat implements blobstore.Store.
func (s *Store) Stat(ctx context.Context, key string) (info blobstore.Info, err error) {
	err = within(ctx, s.l.reads, "stat", key, func() error {
		info, err = s.next.Stat(ctx, key)
		return err
	})
	return info, err
}

// List implements blobstore.Store. It holds no slot, as fn may call the store again.
func (s *Store) List(ctx context.Context, prefix, after string, fn func(blobstore.Info) error) error {
	return s.next.List(ctx, prefix, after, fn)
}

// Delete implements blobstore.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	return within(ctx, s.l.writes, "delete", key, func() error { return s.next.Delete(ctx, key) })
}

// Copy implements blobstore.Copier. Its bytes stay inside the store and are not counted.
func (s *Store) Copy(ctx context.Context, from, to string) error {
	return within(ctx, s.l.writes, "copy", to, func() error { return blobstore.Copy(ctx, s.next, from, to) })
}

// Capacity implements blobstore.Store. It needs no slot, so that a busy store can be watched.
func (s *Store) Capacity(ctx context.Context) (blobstore.Capacity, error) {
	return s.next.Capacity(ctx)
}
