// Package memory keeps objects in memory, for tests and simulations in virtual time.
package memory

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"loggia/blobstore"
)

// Store is a blobstore.Store and a blobstore.Copier. It starts no goroutine and never blocks.
type Store struct {
	now   func() time.Time
	total int64 // bytes; 0 means unlimited and unknown

	mu      sync.Mutex
	objects map[string]object // values are never changed in place
	used    int64             // bytes in objects
}

type object struct {
	data     []byte
	modified time.Time
}

// New returns an empty store that dates objects by now (nil means time.Now). A total above 0 is
// its capacity in bytes.
func New(now func() time.Time, total int64) *Store {
	if now == nil {
		now = time.Now
	}
	return &Store{now: now, total: total, objects: map[string]object{}}
}

// Put implements blobstore.Store.
func (s *Store) Put(ctx context.Context, key string, data []byte) error {
	if err := blobstore.CheckPut(key, len(data)); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	return s.set("put", key, bytes.Clone(data))
}

func (s *Store) set(op, key string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	used := s.used + int64(len(data)) - int64(len(s.objects[key].data))
	if s.total > 0 && used > s.total {
		return fmt.Errorf("%s %s: %w", op, key, blobstore.ErrFull)
	}
	s.objects[key] = object{data: data, modified: s.now()}
	s.used = used
	return nil
}

func (s *Store) find(ctx context.Context, op, key string) (object, error) {
	if err := blobstore.CheckKey(key); err != nil {
		return object{}, fmt.Errorf("%s: %w", op, err)
	}
	if err := ctx.Err(); err != nil {
		return object{}, fmt.Errorf("%s %s: %w", op, key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[key]
	if !ok {
		return object{}, fmt.Errorf("%s %s: %w", op, key, blobstore.ErrNotFound)
	}
	return o, nil
}

// Get implements blobstore.Store.
func (s *Store) Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error) {
	o, err := s.find(ctx, "get", key)
	if err != nil {
		return nil, err
	}
	n, err = blobstore.CheckRange(off, n, int64(len(o.data)))
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	return &body{ctx: ctx, r: bytes.NewReader(o.data[off : off+n])}, nil
}

// body stops when its context does.
type body struct {
	ctx context.Context
	r   *bytes.Reader
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.r.Read(p)
}

func (b *body) Close() error { return nil }

// Stat implements blobstore.Store.
func (s *Store) Stat(ctx context.Context, key string) (blobstore.Info, error) {
	o, err := s.find(ctx, "stat", key)
	if err != nil {
		return blobstore.Info{}, err
	}
	return info(key, o), nil
}

func info(key string, o object) blobstore.Info {
	return blobstore.Info{Key: key, Size: int64(len(o.data)), Modified: o.modified}
}

// List implements blobstore.Store, from the objects of one moment.
func (s *Store) List(ctx context.Context, prefix, after string, fn func(blobstore.Info) error) error {
	for _, i := range s.matching(prefix, after) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("list %s: %w", prefix, err)
		}
		if err := fn(i); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("list %s: %w", prefix, err)
	}
	return nil
}

func (s *Store) matching(prefix, after string) []blobstore.Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []blobstore.Info
	for key, o := range s.objects {
		if key > after && strings.HasPrefix(key, prefix) {
			found = append(found, info(key, o))
		}
	}
	slices.SortFunc(found, func(a, b blobstore.Info) int { return strings.Compare(a.Key, b.Key) })
	return found
}

// Delete implements blobstore.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := blobstore.CheckKey(key); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= int64(len(s.objects[key].data))
	delete(s.objects, key)
	return nil
}

// Copy implements blobstore.Copier.
func (s *Store) Copy(ctx context.Context, from, to string) error {
	if err := blobstore.CheckKey(to); err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	o, err := s.find(ctx, "copy", from)
	if err != nil {
		return err
	}
	return s.set("copy", to, o.data)
}

// Capacity implements blobstore.Store.
func (s *Store) Capacity(ctx context.Context) (blobstore.Capacity, error) {
	if err := ctx.Err(); err != nil {
		return blobstore.Capacity{}, fmt.Errorf("capacity: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total == 0 {
		return blobstore.Capacity{}, nil
	}
	return blobstore.Capacity{Known: true, Total: s.total, Free: s.total - s.used}, nil
}
