// Package depot keeps this node's stores open and lends views of the repositories in them.
package depot

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"loggia/blobstore"
	"loggia/gallery"
	"loggia/transfer/buffer"
	"loggia/transfer/collect"
	"loggia/transfer/frame"
	"loggia/transfer/repository"
)

// Options is what a Depot needs.
type Options struct {
	Cache   string             // directory of index segments; can be lost
	Pool    *buffer.Pool       // for reads
	Decoder frame.Decompressor //
}

// Depot is safe for use by many goroutines.
type Depot struct {
	o Options

	mu     sync.Mutex
	stores map[gallery.StoreID]blobstore.Store
	repos  map[gallery.RepositoryKey]*repo
}

// repo is an open repository and the view of its newest index that was asked for.
type repo struct {
	*repository.Repository
	turn chan struct{} // holds one while a view is opened; taken before Depot.mu
	view *shared
}

// shared is a view that several borrow. It is closed when nobody has it and a newer one took its place.
type shared struct {
	view  *repository.View
	ids   string // of its segments, in order
	users int
	old   bool
}

// New returns an empty depot.
func New(o Options) *Depot {
	return &Depot{o: o, stores: map[gallery.StoreID]blobstore.Store{}, repos: map[gallery.RepositoryKey]*repo{}}
}

// Add makes a store known, or takes the place of the one with its id.
func (d *Depot) Add(id gallery.StoreID, s blobstore.Store) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stores[id] = s
}

// Has says whether this node can reach a store.
func (d *Depot) Has(id gallery.StoreID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stores[id] != nil
}

// Repository opens a repository of a store that this node has.
func (d *Depot) Repository(k gallery.RepositoryKey) (*repository.Repository, error) {
	r, err := d.repo(k)
	if err != nil {
		return nil, err
	}
	return r.Repository, nil
}

func (d *Depot) repo(k gallery.RepositoryKey) (*repo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r, ok := d.repos[k]; ok {
		return r, nil
	}
	s, ok := d.stores[k.Store]
	if !ok {
		return nil, &gallery.Error{Kind: gallery.ErrUnavailable, Op: "open repository", Resource: string(k.Store), Message: "this node does not have the store"}
	}
	keys, err := repository.NewKeys(string(k.Domain), k.Slot)
	if err != nil {
		return nil, err
	}
	made, err := repository.New(repository.Options{Store: s, Keys: keys, Pool: d.o.Pool, Decoder: d.o.Decoder,
		Cache: filepath.Join(d.o.Cache, string(k.Store), string(k.Domain), strconv.Itoa(k.Slot))})
	if err != nil {
		return nil, err
	}
	r := &repo{Repository: made, turn: make(chan struct{}, 1)}
	d.repos[k] = r
	return r, nil
}

// Condemned says which keys of a repository a collector has condemned: they count as absent for whoever adopts. nil: none.
func (d *Depot) Condemned(ctx context.Context, row *gallery.Repository) (func(key string) bool, error) {
	if row.Condemned == nil {
		return nil, nil
	}
	r, err := d.Repository(row.Key)
	if err != nil {
		return nil, err
	}
	list, err := collect.ReadList(ctx, r, row.Condemned.Claim, row.Condemned.List)
	if err != nil {
		return nil, err
	}
	prefix := r.Keys.Prefix()
	return func(key string) bool { return list.Contains(strings.TrimPrefix(key, prefix)) }, nil
}

// Lease is a borrowed view; Release gives it back.
type Lease struct {
	*repository.View
	d *Depot
	s *shared
}

// Open lends a view of the repository with exactly the live segments of row. Views are shared; who needs one that another is opening waits for it, until
// ctx ends.
func (d *Depot) Open(ctx context.Context, row *gallery.Repository) (*Lease, error) {
	r, err := d.repo(row.Key)
	if err != nil {
		return nil, err
	}
	ids := names(row.Segments)
	if l := d.borrow(r, ids); l != nil {
		return l, nil
	}
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the index of repository %s slot %d: %w", row.Key.Store, row.Key.Slot, ctx.Err())
	}
	if l := d.borrow(r, ids); l != nil {
		return l, nil
	}
	v, err := r.Open(ctx, Refs(row.Segments))
	if err != nil {
		return nil, fmt.Errorf("repository %s slot %d: %w", row.Key.Store, row.Key.Slot, err)
	}
	s := &shared{view: v, ids: ids, users: 1}
	d.mu.Lock()
	before := r.view
	r.view = s
	idle := before != nil && before.users == 0
	if before != nil {
		before.old = true
	}
	d.mu.Unlock()
	if idle {
		_ = before.view.Close() // a file that was only read
	}
	return &Lease{v, d, s}, nil
}

func (d *Depot) borrow(r *repo, ids string) *Lease {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.view == nil || r.view.ids != ids {
		return nil
	}
	r.view.users++
	return &Lease{r.view.view, d, r.view}
}

// Release gives the view back. Call it once.
func (l *Lease) Release() {
	l.d.mu.Lock()
	l.s.users--
	last := l.s.users == 0 && l.s.old
	l.d.mu.Unlock()
	if last {
		_ = l.s.view.Close() // a file that was only read
	}
}

// Close closes the views; nobody has one any more.
func (d *Depot) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, r := range d.repos {
		if r.view != nil {
			errs = append(errs, r.view.view.Close())
			r.view = nil
		}
	}
	for _, s := range d.stores {
		if c, ok := s.(interface{ Close() error }); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

func names(segments []gallery.Segment) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString(s.ID.String())
	}
	return b.String()
}

// Refs turns the log's segments into the repository's.
func Refs(segments []gallery.Segment) []repository.SegmentRef {
	out := make([]repository.SegmentRef, 0, len(segments))
	for i := len(segments) - 1; i >= 0; i-- { // the newest first
		s := segments[i]
		out = append(out, repository.SegmentRef{Epoch: s.Epoch, ID: s.ID, Size: s.Size, Chunks: s.Chunks})
	}
	return out
}

// Segments turns the repository's segments into the log's.
func Segments(refs []repository.SegmentRef) []gallery.Segment {
	out := make([]gallery.Segment, 0, len(refs))
	for _, s := range refs {
		out = append(out, gallery.Segment{Epoch: s.Epoch, ID: s.ID, Size: s.Size, Chunks: s.Chunks})
	}
	return out
}
