package machine

import (
	"slices"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func regionPut(e *entry, c *command.RegionPut) (*gallery.Region, error) {
	row := c.Region
	row.Created = e.Now()
	if old := e.Region(row.Name); old != nil {
		row.Created = old.Created
	}
	state.Put(e.Tx, &row)
	return &row, nil
}

func regionRemove(e *entry, c *command.RegionRemove) (*command.RegionRemoved, error) {
	row := e.Region(c.Region)
	if row == nil {
		return nil, notFound("region", c.Region)
	}
	if !c.Lost {
		if err := e.regionFree(c.Region); err != nil {
			return nil, err
		}
	}
	out := &command.RegionRemoved{}
	e.dropTargets(c.Region, out)
	for _, n := range e.Nodes(c.Region) {
		e.dropLimits(func(k gallery.LimitKey) bool { return k.FromNode == n.ID || k.ToNode == n.ID })
		state.Delete(e.Tx, n)
		listed(&out.Nodes, n.ID, out)
	}
	for _, t := range e.JoinTokens() {
		if t.Region == c.Region {
			state.Delete(e.Tx, t)
		}
	}
	disks := e.dropReplicas(e.ReplicasOfRegion(c.Region), out)
	for _, s := range e.Stores(c.Region) {
		e.dropStore(s)
	}
	e.dropLimits(func(k gallery.LimitKey) bool { return k.From == c.Region || k.To == c.Region })
	e.dropDistances(c.Region)
	state.Delete(e.Tx, row)
	e.replan(disks, out)
	return out, nil
}

// regionFree says what still needs a region.
func (e *entry) regionFree(name gallery.RegionName) error {
	if v := e.VersionsOfRegion(name); len(v) > 0 {
		return fail(gallery.ErrInUse, string(name), "it is a target of %s", some(v, "version", versionName))
	}
	if n := e.Nodes(name); len(n) > 0 {
		return fail(gallery.ErrInUse, string(name), "it has %s", some(n, "node", func(n *gallery.Node) string { return string(n.ID) }))
	}
	for _, u := range e.Uploads() {
		if u.Region == name && u.State == gallery.UploadOpen {
			return fail(gallery.ErrInUse, string(name), "upload %s is open there", u.ID)
		}
	}
	for _, s := range e.SnapshotsOfSubscription("") {
		if s.Location == name {
			return fail(gallery.ErrInUse, string(name), "snapshot %s lies there", s.Ref)
		}
	}
	for _, r := range e.ReplicasOfRegion(name) {
		if r.Whole() && !e.wholeElsewhere(r) {
			return fail(gallery.ErrInUse, string(name), "it holds the last whole copy of disk %s", r.Key.Disk)
		}
	}
	return nil
}

// wholeElsewhere says whether another region has a whole copy of the replica's disk.
func (e *entry) wholeElsewhere(r *gallery.Replica) bool {
	return slices.ContainsFunc(e.ReplicasOfDisk(r.Key.Disk), func(o *gallery.Replica) bool {
		return o.Key.Region != r.Key.Region && o.Whole()
	})
}

// dropTargets takes a region out of the targets of all versions.
func (e *entry) dropTargets(name gallery.RegionName, out *command.RegionRemoved) {
	for _, v := range e.VersionsOfRegion(name) {
		row := *v
		row.Publishing.TargetRegions = slices.DeleteFunc(slices.Clone(v.Publishing.TargetRegions),
			func(t gallery.TargetRegion) bool { return t.Region == name })
		row.ETag, row.Updated, row.UpdatedBy = e.Index(), e.Now(), e.Principal
		state.Put(e.Tx, &row)
		listed(&out.Changed, row.Ref, out)
	}
}

// dropReplicas takes away rows whose store is gone or going, and returns their disks in order.
func (e *entry) dropReplicas(rows []*gallery.Replica, out *command.RegionRemoved) []gallery.DiskID {
	var disks []gallery.DiskID
	for _, r := range rows {
		state.Delete(e.Tx, r)
		disks = append(disks, r.Key.Disk)
		out.Replicas++
	}
	slices.Sort(disks)
	return slices.Compact(disks)
}

// dropStore takes away a store with all that is known of its inside.
func (e *entry) dropStore(s *gallery.Store) {
	for _, u := range e.Uploads() {
		if u.Store == s.ID && u.State == gallery.UploadOpen {
			row := *u
			row.State = gallery.UploadAbandoned
			state.Put(e.Tx, &row)
		}
	}
	for _, r := range e.RepositoriesOfStore(s.ID) {
		state.Delete(e.Tx, r)
	}
	for _, t := range e.TombstonesOfStore(s.ID) {
		state.Delete(e.Tx, t)
	}
	state.Delete(e.Tx, s)
}

// replan wants the disks' copies anew after some were lost, and lists the versions that have none left.
func (e *entry) replan(disks []gallery.DiskID, out *command.RegionRemoved) {
	for _, d := range disks {
		versions := e.VersionsOfDisk(d)
		if !e.Referred(d) {
			e.settle(d)
			if len(e.ReplicasOfDisk(d)) == 0 {
				e.release(d)
			}
			continue
		}
		e.plan(d)
		if slices.ContainsFunc(e.ReplicasOfDisk(d), (*gallery.Replica).Whole) {
			continue
		}
		for _, v := range versions {
			if !slices.Contains(out.NoSource, v.Ref) {
				listed(&out.NoSource, v.Ref, out)
			}
		}
	}
}

// listed adds to a bounded list of a result.
func listed[T any](list *[]T, x T, out *command.RegionRemoved) {
	if len(*list) == command.MaxListed {
		out.More = true
		return
	}
	*list = append(*list, x)
}
