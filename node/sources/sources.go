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

// Of implements replication.Sources: another repository of this node, or else this region's other nodes,
// then nodes of each other region that holds the whole disk, and of each that makes a copy of it now. Where none holds the whole disk any more, it
// is those that have something left of it.
func (f *Finder) Of(v *state.View, disk *gallery.Disk, but gallery.ReplicaKey) []replicate.Source {
	var local []replicate.Source
	var remote []*node
	seen := map[gallery.NodeID]bool{f.Self: true}
	near := false // another node of this region holds the disk
	rows := slices.Clone(v.ReplicasOfDisk(disk.ID))
	// The newest copies first: the oldest has been asked most.
	slices.SortStableFunc(rows, func(a, b *gallery.Replica) int { return b.Finished.Compare(a.Finished) })
	for _, r := range rows {
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
				remote = append(remote, &node{f: f, id: n.ID, region: n.Region, disk: disk.ID, far: f.far(v, n.Region)})
				near = near || n.Region == f.Region
			}
		}
	}
	if len(local) > 0 {
		return local
	}
	if len(remote) == 0 {
		return f.remains(v, rows, but)
	}
	out := f.sorted(remote)
	if near || len(out) == 0 {
		return out
	}
	return append(out, f.members(v, rows, seen)...)
}

// remains finds where something is left of copies that were whole, where none is: together they may still have everything. Each sends what it has.
func (f *Finder) remains(v *state.View, rows []*gallery.Replica, but gallery.ReplicaKey) (out []replicate.Source) {
	var remote []*node
	seen := map[gallery.NodeID]bool{f.Self: true}
	for _, r := range rows {
		if !r.Remains() || r.Key == but {
			continue
		}
		if r.Key.Region == f.Region && f.Depot.Has(r.Store) {
			out = append(out, &repository{f: f, row: v.Repository(r.Repository()), name: string(f.Region) + " slot"})
			continue
		}
		for _, n := range v.Nodes(r.Key.Region) {
			if !seen[n.ID] {
				seen[n.ID] = true
				remote = append(remote, &node{f: f, id: n.ID, region: n.Region, disk: r.Key.Disk, far: f.far(v, n.Region)})
			}
		}
	}
	return append(out, f.sorted(remote)...)
}

// sorted puts this region's nodes first, and of others those that are alive, by distance.
func (f *Finder) sorted(remote []*node) (out []replicate.Source) {
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
	slices.SortStableFunc(remote, func(a, b *node) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), replicate.CompareDistance(a.far, b.far))
	})
	for _, n := range remote {
		// Those that are said to be dead are asked only where there is nobody else.
		if len(out) > 0 && !f.Alive(n.id) {
			break
		}
		out = append(out, n)
	}
	return out
}

// members finds a node of each other region that makes a copy now: the one that has the claim, or, where the claim is still to
// come, any; the nearest first. Copies inside a region are made from its first one: nobody else need hear of them.
func (f *Finder) members(v *state.View, rows []*gallery.Replica, but map[gallery.NodeID]bool) []replicate.Source {
	var found []*member
	done := map[gallery.RegionName]bool{f.Region: true}
	for _, r := range rows {
		done[r.Key.Region] = done[r.Key.Region] || r.Whole()
	}
	for _, claimed := range []bool{true, false} {
		for _, r := range rows {
			if done[r.Key.Region] || (r.Claim != nil) != claimed || !claimed && r.LastError != "" {
				continue
			}
			for _, n := range v.Nodes(r.Key.Region) {
				if (!claimed || r.Claim.Node == n.ID) && !but[n.ID] && f.Alive(n.ID) {
					done[r.Key.Region] = true
					found = append(found, &member{node{f: f, id: n.ID, region: n.Region, disk: r.Key.Disk, far: f.far(v, n.Region)}})
					break
				}
			}
		}
	}
	slices.SortStableFunc(found, func(a, b *member) int { return replicate.CompareDistance(a.far, b.far) })
	out := make([]replicate.Source, len(found))
	for i, m := range found {
		out[i] = m
	}
	return out
}

// far is the configured distance of a region, from 1 on; 0: nothing is said of it. This region is nearer than any other, where
// anything is said of one.
func (f *Finder) far(v *state.View, region gallery.RegionName) uint32 {
	if d := v.Distance(gallery.PairOf(f.Region, region)); d != nil {
		return 1 + d.Distance
	}
	if region == f.Region && slices.ContainsFunc(v.Distances(), func(d *gallery.Distance) bool { return d.Pair.A == region || d.Pair.B == region }) {
		return 1
	}
	return 0
}

// node is another node that holds the disk.
type node struct {
	f      *Finder
	id     gallery.NodeID
	region gallery.RegionName
	disk   gallery.DiskID
	far    uint32
}

// Distance implements replicate.Distant.
func (n *node) Distance() uint32 { return n.far }

// member is a node that makes a copy of the disk.
type member struct{ node }

// Region implements replicate.Member.
func (m *member) Region() string { return string(m.region) }

// Have implements replicate.Member.
func (m *member) Have(ctx context.Context, mark replicate.Mark) (replicate.Have, error) {
	return m.f.Peers.Have(ctx, m.id, m.disk, mark)
}

// Key implements replicate.Keyed: a region may have several nodes.
func (n *node) Key() string { return string(n.id) }

// Name implements replicate.Source.
func (n *node) Name() string { return string(n.region) }

// Fetch implements replicate.Source.
func (n *node) Fetch(ctx context.Context, want []chunk.ID, fn func(frames []replicate.Arrived) error) ([]chunk.ID, error) {
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
func (r *repository) Fetch(ctx context.Context, want []chunk.ID, fn func(frames []replicate.Arrived) error) ([]chunk.ID, error) {
	view, err := r.f.Depot.Open(ctx, r.row)
	if err != nil {
		return nil, err
	}
	defer view.Release()
	return replicate.OneByOne(serve.Local{View: view.View, Options: r.f.Serve}).Fetch(ctx, want, fn)
}
