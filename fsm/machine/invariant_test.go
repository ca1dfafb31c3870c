package machine_test

import (
	"slices"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/internal/digest"
)

type digestID = digest.Digest

// check holds a step to the invariants, computed the dumb way from the rows.
func (c *chaos) check(before, after *state.View, cmd command.Command) {
	c.t.Helper()
	for _, d := range after.Disks() {
		c.checkDisk(after, d)
		c.checkLast(before, after, d.ID, cmd)
	}
	c.checkResources(after)
	c.checkCollector(before, after, cmd)
	epochs := map[uint64]bool{}
	for _, name := range modelRegions {
		for _, r := range after.ReplicasOfRegion(name) {
			c.checkReplica(before, after, r)
			if r.Claim != nil {
				c.must(!epochs[r.Claim.Epoch], "two claims of epoch %d", r.Claim.Epoch)
				epochs[r.Claim.Epoch] = true
			}
		}
	}
}

func (c *chaos) must(ok bool, format string, args ...any) {
	c.t.Helper()
	if !ok {
		c.t.Fatalf("entry %d: "+format, append([]any{c.index}, args...)...)
	}
}

// checkDisk compares the rows of a disk with what its versions and snapshots want.
func (c *chaos) checkDisk(v *state.View, d *gallery.Disk) {
	versions, rows := v.VersionsOfDisk(d.ID), v.ReplicasOfDisk(d.ID)
	snapshots := v.SnapshotsOfDisk(d.ID)
	if len(versions)+len(snapshots) == 0 {
		owned := slices.ContainsFunc(v.Uploads(), func(u *gallery.Upload) bool { return u.Disk == d.ID })
		c.must(owned, "disk %s belongs to nothing", d.ID)
		return
	}
	want := map[gallery.ReplicaKey]bool{}
	for _, s := range snapshots {
		want[gallery.ReplicaKey{Disk: d.ID, Region: s.Location, Slot: 1}] = true
	}
	for _, x := range versions {
		if len(x.Imports) > 0 {
			continue
		}
		for _, t := range x.Publishing.Targets() {
			for _, n := range gallery.SlotNumbers(t.StorageClass, t.ReplicaCount) {
				want[gallery.ReplicaKey{Disk: d.ID, Region: t.Region, Slot: n}] = true
			}
		}
	}
	whole := slices.ContainsFunc(rows, (*gallery.Replica).Whole)
	completed := slices.ContainsFunc(rows, func(r *gallery.Replica) bool { return r.State == gallery.ReplicaCompleted })
	for _, r := range rows {
		c.must(want[r.Key] != (r.State == gallery.ReplicaRetiring), "%s is %s and wanted %t", r.Key, r.State, want[r.Key])
		c.must(r.State != gallery.ReplicaRetiring || !completed, "%s still retires beside a completed one", r.Key)
		c.must(!whole || r.Reason != gallery.ReasonNoSource, "%s says NoSource and there is one", r.Key)
		c.must(whole || r.Claim != nil || r.Reason == gallery.ReasonNoSource, "%s does not say NoSource, but %q", r.Key, r.Reason)
		delete(want, r.Key)
	}
	c.must(len(want) == 0, "wanted without a row: %v", want)
}

// checkLast holds D11: what had a whole copy keeps one, but for losses.
func (c *chaos) checkLast(before, after *state.View, d gallery.DiskID, cmd command.Command) {
	switch x := cmd.(type) {
	case *command.ReplicaMarkLost:
		if !x.Spare {
			return
		}
	case *command.StoreRemove:
		if x.Lost {
			return
		}
	}
	had := slices.ContainsFunc(before.ReplicasOfDisk(d), (*gallery.Replica).Whole)
	has := slices.ContainsFunc(after.ReplicasOfDisk(d), (*gallery.Replica).Whole)
	c.must(!had || has, "%s took the last whole copy of %s", cmd.Kind(), d)
}

// most is the highest priority of the versions that want a replica, and of a snapshot, whose is normal.
func most(v *state.View, r *gallery.Replica) gallery.Priority {
	if r.State == gallery.ReplicaRetiring {
		return r.Priority // nobody wants it any more
	}
	var found []gallery.Priority
	for _, x := range v.VersionsOfDisk(r.Key.Disk) {
		t, ok := x.Publishing.Target(r.Key.Region)
		if ok && len(x.Imports) == 0 && slices.Contains(gallery.SlotNumbers(t.StorageClass, gallery.MaxReplicas), r.Key.Slot) {
			found = append(found, t.Priority)
		}
	}
	for _, s := range v.SnapshotsOfDisk(r.Key.Disk) {
		if s.Location == r.Key.Region && slices.Contains(gallery.SlotNumbers(gallery.StandardLRS, gallery.MaxReplicas), r.Key.Slot) {
			found = append(found, "")
		}
	}
	out := gallery.PriorityLow
	for _, p := range found {
		if p.Rank() > out.Rank() {
			out = p
		}
	}
	if out == gallery.PriorityNormal || len(found) == 0 {
		out = ""
	}
	return out
}

func (c *chaos) checkReplica(before, after *state.View, r *gallery.Replica) {
	c.must(after.Disk(r.Key.Disk) != nil, "%s has no disk", r.Key)
	c.must(r.Store == "" || after.Store(r.Store) != nil && after.Store(r.Store).Region == r.Key.Region, "%s lies in no store of its region", r.Key)
	c.must(r.Store != "" || !r.Whole() && r.Claim == nil, "%s is %s without a store", r.Key, r.State)
	c.must((r.State == gallery.ReplicaReplicating) == (r.Claim != nil), "%s is %s, claim %v", r.Key, r.State, r.Claim)
	c.must(r.Priority == most(after, r), "%s has the priority %q", r.Key, r.Priority)
	c.must(r.Paused == nil || !r.Whole(), "%s is whole and paused", r.Key)
	if r.Claim == nil {
		return
	}
	if was := before.Replica(r.Key); was != nil && was.Paused != nil && r.Paused != nil {
		c.must(was.Claim != nil && was.Claim.Epoch == r.Claim.Epoch, "%s was claimed while it is paused", r.Key)
	}
	n := after.Node(r.Claim.Node)
	c.must(n != nil && n.Region == r.Key.Region, "%s is claimed from elsewhere", r.Key)
	c.must(!slices.Contains(r.Claim.Predecessors, r.Claim.Epoch), "%s: a claim is its own predecessor", r.Key)
	if was := before.Replica(r.Key); was != nil && was.Claim != nil && was.Claim.Epoch == r.Claim.Epoch {
		p, q := was.Progress, r.Progress
		c.must(q.Sent >= p.Sent && q.Total >= p.Total && (p.Total != q.Total || q.Left <= p.Left), "%s: progress %v after %v", r.Key, q, p)
	}
}

// checkCollector holds what makes it safe to delete (D2, D5): a list is committed only over a state in which everything completed was
// marked, and its keys go only after what is older has ended.
func (c *chaos) checkCollector(before, after *state.View, cmd command.Command) {
	switch x := cmd.(type) {
	case *command.RepositoryCondemn:
		was := before.Repository(x.Repository)
		c.must(was.Claim != nil && was.Claim.Epoch == x.Claim, "condemned under claim %d, the live one is %v", x.Claim, was.Claim)
		c.must(was.Changed <= x.Marked, "condemned with a mark of %d, changed at %d", x.Marked, was.Changed)
		c.must(!before.Cluster().CollectionOff, "condemned while collection is off")
	case *command.RepositorySweep:
		r := after.Repository(x.Repository)
		c.must(!after.Meta().Time.Before(r.Condemned.Time.Add(x.Grace)), "swept within the grace time")
		for _, p := range after.ReplicasOfStore(r.Key.Store) {
			c.must(p.Repository() != r.Key || p.Claim == nil || p.Claim.Epoch > x.Epoch || after.Meta().Time.After(p.Claim.Deadline), "%s is older than what is swept", p.Key)
		}
	case *command.ReplicaComplete:
		r := after.Replica(x.Replica)
		c.must(x.RepositoryEpoch == before.Repository(r.Repository()).Epoch, "%s completed over an old epoch", x.Replica)
		c.must(after.Repository(r.Repository()).Changed == c.index, "%s completed and its repository has not changed", x.Replica)
	}
}
