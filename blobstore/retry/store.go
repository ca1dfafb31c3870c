package retry

import (
	"context"
	"fmt"
	"io"

	"loggia/blobstore"
)

// Store repeats the calls of the store below.
type Store struct {
	next blobstore.Store
	o    Options
}

// New decorates next.
func New(next blobstore.Store, o Options) *Store { return &Store{next: next, o: o} }

// Unwrap returns the store below.
func (s *Store) Unwrap() blobstore.Store { return s.next }

// repeat calls until it succeeds, or the budget says no.
func (s *Store) repeat(ctx context.Context, op, key string, call func() error) error {
	b := s.o.budget(op, key)
	for {
		err := call()
		if err == nil {
			return nil
		}
		if err := b.again(ctx, op, err); err != nil {
			return err
		}
	}
}

// Put implements blobstore.Store. A put whose answer was lost is sent again, which is harmless.
func (s *Store) Put(ctx context.Context, key string, data []byte) error {
	return s.repeat(ctx, "put", key, func() error { return s.next.Put(ctx, key, data) })
}

// Stat implements blobstore.Store.
func (s *Store) Stat(ctx context.Context, key string) (info blobstore.Info, err error) {
	err = s.repeat(ctx, "stat", key, func() error {
		info, err = s.next.Stat(ctx, key)
		return err
	})
	return info, err
}

// Delete implements blobstore.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	return s.repeat(ctx, "delete", key, func() error { return s.next.Delete(ctx, key) })
}

// Copy implements blobstore.Copier.
func (s *Store) Copy(ctx context.Context, from, to string) error {
	if !blobstore.CanCopy(s.next) {
		return blobstore.Copy(ctx, s.next, from, to) // for its error, once
	}
	return s.repeat(ctx, "copy", to, func() error { return blobstore.Copy(ctx, s.next, from, to) })
}

// Capacity implements blobstore.Store.
func (s *Store) Capacity(ctx context.Context) (c blobstore.Capacity, err error) {
	err = s.repeat(ctx, "capacity", "", func() error {
		c, err = s.next.Capacity(ctx)
		return err
	})
	return c, err
}

// List implements blobstore.Store. A listing that failed half-way goes on behind the last key
// that fn saw; errors of fn are not repeated.
func (s *Store) List(ctx context.Context, prefix, after string, fn func(blobstore.Info) error) error {
	b := s.o.budget("list", prefix)
	for {
		var stopped error
		err := s.next.List(ctx, prefix, after, func(i blobstore.Info) error {
			if stopped = fn(i); stopped == nil {
				after = i.Key
			}
			return stopped
		})
		if err == nil || stopped != nil {
			return err
		}
		if err := b.again(ctx, "list", err); err != nil {
			return err
		}
	}
}

// Get implements blobstore.Store. A body that breaks is opened again where it broke, within the
// same budget.
func (s *Store) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	r := &reader{s: s, ctx: ctx, key: key, off: off, left: n, budget: s.o.budget("get", key)}
	if err := r.open(); err != nil {
		return nil, err
	}
	return r, nil
}

// reader is a body that goes on. Objects never change, so the rest of another answer fits.
type reader struct {
	s      *Store
	ctx    context.Context
	key    string
	off    int64 // of the next byte
	left   int64 // bytes due; below 0: to the end
	budget *budget
	body   io.ReadCloser // nil after it broke and was closed
	err    error         // what every later Read answers
}

func (r *reader) open() error {
	for {
		body, err := r.s.next.Get(r.ctx, r.key, r.off, r.left)
		if err == nil {
			r.body = body
			return nil
		}
		if err := r.budget.again(r.ctx, "get", err); err != nil {
			return err
		}
	}
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for r.err == nil {
		n, err := r.body.Read(p)
		r.off += int64(n)
		if r.left > 0 {
			r.left -= int64(n)
		}
		if err == nil {
			return n, nil
		}
		r.err = r.recover(err)
		if n > 0 {
			return n, nil // the error, if any, comes with the next Read
		}
	}
	return 0, r.err
}

// recover opens the body again, or returns the error to answer with. With all bytes given there
// is nothing to open: an error then means that the store sent more than it should have.
func (r *reader) recover(err error) error {
	if err == io.EOF || r.left == 0 {
		return err
	}
	if err := r.budget.again(r.ctx, "read", err); err != nil {
		return err
	}
	_ = r.body.Close() // broken already
	r.body = nil
	if err := r.open(); err != nil {
		return fmt.Errorf("read on at %d: %w", r.off, err)
	}
	return nil
}

// Close implements io.Closer.
func (r *reader) Close() error {
	if r.err == nil {
		r.err = io.ErrClosedPipe
	}
	if r.body == nil {
		return nil
	}
	return r.body.Close()
}
