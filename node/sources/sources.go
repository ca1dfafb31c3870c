// Package sources finds the places from which a disk can be copied.
package sources

import (
	"cmp"
	"context"
	"slices"

	"loggia/api/peer"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/node/depot"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/replicate"
	"loggia/transfer/serve"
)

// Finder is safe for use by many goroutines.
type Finder struct {
	Self    gallery.NodeID
	Region  gallery.RegionName
	Depot   *depot.Depot
	Peers   *peer.Client
	Scratch *buffer.Pool
	Serve   serve.Options
	// Alive is gossip's hint: a node that is said to be dead is asked last.
	Alive func(gallery.NodeID) bool
}

// Of implements replication.Sources: another repository of this node first, then this region's other nodes,
// then one or more nodes of each other region that holds the whole disk.
func (f *Finder) Of(v *state.View, disk *gallery.Disk, but gallery.ReplicaKey) []replicate.Source {
	var local []replicate.Source
	var remote []*node
	seen := map[gallery.NodeID]bool{f.Self: true}
	for _, r := range v.ReplicasOfDisk(disk.ID) {
		if !r.Whole() || r.Key == but {
			continue
		}
		if r.Key.Region == f.Region && f.Depot.Has(r.Store) {
			local = append(local, &repository{f: f, row: v.Repository(r.Repository()), name: string(f.Region) + " slot"})
			continue
		}
		for _, n := range v.Nodes(r.Key.Region) {
			if !seen[n.ID] {
				seen[n.ID] = true
				remote = append(remote, &node{f: f, id: n.ID, region: n.Region, disk: disk.ID})
			}
		}
	}
	if len(local) > 0 {
		return local
	}
	rank := func(n *node) int {
		rank := 0
		if n.region != f.Region {
			rank++
		}
		if !f.Alive(n.id) {
			rank += 2
		}
		return rank
	}
	slices.SortStableFunc(remote, func(a, b *node) int { return cmp.Compare(rank(a), rank(b)) })
	var out []replicate.Source
	for _, n := range remote {
		// Those that are said to be dead are asked only where there is nobody else.
		if len(out) > 0 && !f.Alive(n.id) {
			break
		}
		out = append(out, n)
	}
	return out
}

// node is another node that holds the disk.
type node struct {
	f      *Finder
	id     gallery.NodeID
	region gallery.RegionName
	disk   gallery.DiskID
}

// Name implements replicate.Source.
func (n *node) Name() string { return string(n.region) }

// Fetch implements replicate.Source.
func (n *node) Fetch(ctx context.Context, want []chunk.ID, fn func(stored []byte, refs []chunk.Ref) error) ([]chunk.ID, error) {
	return n.f.Peers.Frames(ctx, n.id, n.disk, n.f.Scratch, want, fn)
}

// repository is another repository of this node.
type repository struct {
	f    *Finder
	row  *gallery.Repository
	name string
}

// Name implements replicate.Source.
func (r *repository) Name() string { return r.name }

// Fetch implements replicate.Source.
func (r *repository) Fetch(ctx context.Context, want []chunk.ID, fn func(stored []byte, refs []chunk.Ref) error) ([]chunk.ID, error) {
	view, err := r.f.Depot.Open(ctx, r.row)
	if err != nil {
		return nil, err
	}
	defer view.Release()
	return serve.Local{View: view.View, Options: r.f.Serve}.Fetch(ctx, want, fn)
}
