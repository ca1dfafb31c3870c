// Package reading hands out what this node's region holds: trees and frames, to clients and to other nodes.
package reading

import (
	"context"
	"errors"
	"fmt"
	"time"

	"loggia/api/data"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/node/depot"
	"loggia/node/seeding"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
	"loggia/transfer/replicate"
	"loggia/transfer/repository"
	"loggia/transfer/serve"
	"loggia/transfer/wire"
)

// Options is what a Reader needs.
type Options struct {
	Region gallery.RegionName
	State  func() *state.View
	Settle func(ctx context.Context) error // brings the state up to date, for a bounded time
	Depot  *depot.Depot
	Find   func(v *state.View, g, i, number string, region gallery.RegionName) (*gallery.ImageVersion, error)
	Serve  serve.Options
	Seeds  *seeding.Registry // copies in the making
	// All says whether who asks may read everything in a domain. Who may not gets no frame that holds a chunk which is not of the disk: another
	// version's that shared the rest of it, or, once packs were compacted, anybody's.
	All    func(ctx context.Context, d gallery.Domain) bool
	Linked func(id gallery.StoreID, clients bool) bool // whether links to a store's objects are given to clients, or to other regions
}

// The bounds of what is sent to other nodes. Each answer under way reads through some MiB of the pool; more of them
// at once than that would wait for each other with their connections idle.
const (
	maxSending = 24
	busyFor    = 300 * time.Millisecond
)

// Reader is safe for use by many goroutines.
type Reader struct {
	o       Options
	sending chan struct{} // holds one element for each answer to a node
}

// New returns a Reader.
func New(o Options) *Reader { return &Reader{o: o, sending: make(chan struct{}, maxSending)} }

// Tree implements data.Disks.
func (r *Reader) Tree(ctx context.Context, d data.Version, w *wire.Writer) error {
	disk, err := r.find(ctx, d)
	if err != nil {
		return err
	}
	view, err := r.view(ctx, disk)
	if err != nil {
		return err
	}
	defer view.Release()
	return damaged(serve.Tree(ctx, view.View, disk.Root, w))
}

// Frames implements data.Disks.
func (r *Reader) Frames(ctx context.Context, d data.Version, asks []data.Ask, unchecked bool, w *wire.Writer) error {
	disk, err := r.find(ctx, d)
	if err != nil {
		return err
	}
	view, err := r.view(ctx, disk)
	if err != nil {
		return err
	}
	defer view.Release()
	root, err := manifest.Open(ctx, view.View, disk.Root)
	if err != nil {
		return damaged(err)
	}
	ids, may, err := serve.Wanted(ctx, view.View, root, asked(asks))
	if errors.Is(err, serve.ErrNotInDisk) {
		return &gallery.Error{Kind: gallery.ErrInvalid, Field: "chunks", Err: err}
	}
	if err != nil {
		return damaged(err)
	}
	o := r.o.Serve
	o.Unchecked = unchecked
	if !r.o.All(ctx, disk.Domain) {
		o.Whole = serve.OnlyThose(may)
	}
	return r.send(ctx, view, ids, o, w)
}

func asked(asks []data.Ask) []serve.Ask {
	out := make([]serve.Ask, 0, len(asks))
	for _, a := range asks {
		out = append(out, serve.Ask{Span: a.Span, IDs: a.IDs})
	}
	return out
}

// DiskFrames writes frames for another node, which may read all of the domain. Of a copy that is being made here it
// sends what is there, and so of one that is no longer whole. Where the other node can follow links, it gets such
// to what it can read from the store. The error is a *replicate.Busy, and nothing was written, where too many are sent to already.
func (r *Reader) DiskFrames(ctx context.Context, id gallery.DiskID, want []chunk.ID, links bool, w *wire.Writer) error {
	disk := r.o.State().Disk(id)
	if disk == nil {
		return &gallery.Error{Kind: gallery.ErrNotFound, Op: "read disk", Resource: string(id)}
	}
	select {
	case r.sending <- struct{}{}:
		defer func() { <-r.sending }()
	default:
		return &replicate.Busy{After: busyFor}
	}
	view, store, err := r.whole(ctx, disk)
	if err != nil {
		if seed := r.o.Seeds.Of(id); seed != nil {
			return r.sendSeed(ctx, seed, want, w)
		}
		left := r.remains(ctx, disk)
		if left == nil {
			return err
		}
		defer left.Release()
		o := r.o.Serve
		o.Damaged = nil // that it is not whole is known
		return r.send(ctx, left, want, o, w)
	}
	defer view.Release()
	if want, err = serve.Beginning(ctx, view.View, disk.Root, disk.Table, want, r.o.Serve, w); err != nil || len(want) == 0 {
		return damaged(err)
	}
	if links && r.o.Linked(store, false) {
		return r.sendLinked(ctx, view, want, w)
	}
	return r.send(ctx, view, want, r.o.Serve, w)
}

// sendSeed sends from a copy that is being made: that it ends meanwhile is no damage.
func (r *Reader) sendSeed(ctx context.Context, seed *seeding.Seed, want []chunk.ID, w *wire.Writer) error {
	o := r.o.Serve
	o.Damaged = nil
	_, err := serve.Frames(ctx, seed, want, o, w)
	return damaged(err)
}

func (r *Reader) send(ctx context.Context, view *depot.Lease, ids []chunk.ID, o serve.Options, w *wire.Writer) error {
	_, err := serve.Frames(ctx, view.View, ids, o, w)
	return damaged(err)
}

// find resolves a disk of a version that this region holds.
func (r *Reader) find(ctx context.Context, d data.Version) (*gallery.Disk, error) {
	if err := r.o.Settle(ctx); err != nil {
		return nil, err
	}
	v := r.o.State()
	row, err := r.o.Find(v, d.Gallery, d.Image, d.Number, r.o.Region)
	if err != nil {
		return nil, err
	}
	for _, vd := range row.Disks {
		if vd.LUN != d.LUN {
			continue
		}
		if disk := v.Disk(vd.Disk); disk != nil {
			return disk, nil
		}
	}
	return nil, &gallery.Error{Kind: gallery.ErrNotFound, Op: "read disk", Resource: row.Ref.String(), Message: fmt.Sprintf("has no disk at LUN %d", d.LUN)}
}

// view opens the index of a repository of this node that holds the whole disk.
func (r *Reader) view(ctx context.Context, disk *gallery.Disk) (*depot.Lease, error) {
	view, _, err := r.whole(ctx, disk)
	return view, err
}

// whole is view that also says in which store the repository lies.
func (r *Reader) whole(ctx context.Context, disk *gallery.Disk) (*depot.Lease, gallery.StoreID, error) {
	v := r.o.State()
	var last error
	for _, row := range v.ReplicasOfDisk(disk.ID) {
		if row.Key.Region != r.o.Region || !row.Whole() || !r.o.Depot.Has(row.Store) {
			continue
		}
		view, err := r.o.Depot.Open(ctx, v.Repository(row.Repository()))
		if err == nil {
			return view, row.Store, nil
		}
		last = err
	}
	if last != nil {
		return nil, "", damaged(last)
	}
	return nil, "", &gallery.Error{Kind: gallery.ErrNotFound, Op: "read disk", Resource: string(disk.ID),
		Message: "region " + string(r.o.Region) + " has no whole copy; ask a region that is Completed"}
}

// remains opens the index of a repository of this node that has something left of a disk; nil: none has.
func (r *Reader) remains(ctx context.Context, disk *gallery.Disk) *depot.Lease {
	v := r.o.State()
	for _, row := range v.ReplicasOfDisk(disk.ID) {
		if row.Key.Region != r.o.Region || !row.Remains() || !r.o.Depot.Has(row.Store) {
			continue
		}
		if view, err := r.o.Depot.Open(ctx, v.Repository(row.Repository())); err == nil {
			return view
		}
	}
	return nil
}

// damaged gives errors of stored bytes their kind: what the region holds is not what it promised.
func damaged(err error) error {
	var g *gallery.Error
	if err == nil || errors.As(err, &g) || errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, repository.ErrDamaged) || errors.Is(err, repository.ErrMissing) || errors.Is(err, manifest.ErrDamaged) || errors.Is(err, manifest.ErrInvalid) {
		return &gallery.Error{Kind: gallery.ErrVerification, Op: "read disk", Err: err}
	}
	return &gallery.Error{Kind: gallery.ErrUnavailable, Op: "read disk", Err: err}
}
