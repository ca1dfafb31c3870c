package machine

import (
	"cmp"
	"slices"

	"loggia/fsm/state"
	"loggia/gallery"
)

// plan makes the replica rows of a disk what its versions and snapshots want, the largest count of each region and class. New rows are Unknown.
// Rows that nobody wants any more go, but a whole one stays Retiring while no wanted one is whole (D11).
func (e *entry) plan(disk gallery.DiskID) {
	d := e.Disk(disk)
	if d == nil {
		return
	}
	wanted := make(map[gallery.ReplicaKey]bool)
	for _, t := range e.wants(disk) {
		for _, s := range e.slots(disk, t) {
			k := gallery.ReplicaKey{Disk: disk, Region: t.Region, Slot: s.Number}
			wanted[k] = true
			e.want(d, k, s.Store, t.Priority)
		}
	}
	for _, r := range e.ReplicasOfDisk(disk) {
		if wanted[r.Key] {
			continue
		}
		if !r.Whole() {
			e.remove(r)
		} else if r.State != gallery.ReplicaRetiring {
			row := *r
			row.State = gallery.ReplicaRetiring
			state.Put(e.Tx, &row)
		}
	}
	e.settle(disk)
}

// wants returns where a disk is wanted, by region and class: the union of the targets of its versions, but for those that wait
// for further disks, and of its snapshots.
func (e *entry) wants(disk gallery.DiskID) []gallery.TargetRegion {
	var all []gallery.TargetRegion
	for _, v := range e.VersionsOfDisk(disk) {
		if len(v.Imports) == 0 {
			all = append(all, v.Publishing.Targets()...)
		}
	}
	for _, s := range e.SnapshotsOfDisk(disk) {
		if e.Region(s.Location) != nil {
			all = append(all, s.Target())
		}
	}
	slices.SortFunc(all, func(a, b gallery.TargetRegion) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.StorageClass, b.StorageClass), cmp.Compare(b.ReplicaCount, a.ReplicaCount))
	})
	// The most urgent version decides for all slots of a region and class that share a disk.
	for i := range all {
		for _, t := range all {
			if t.Region == all[i].Region && t.StorageClass == all[i].StorageClass && t.Priority.Rank() > all[i].Priority.Rank() {
				all[i].Priority = t.Priority
			}
		}
	}
	return slices.CompactFunc(all, func(a, b gallery.TargetRegion) bool {
		return a.Region == b.Region && a.StorageClass == b.StorageClass // the first one has the largest count
	})
}

// slots places the replicas of one target, keeping the places they have. Slots for which the region has no store have none.
func (e *entry) slots(disk gallery.DiskID, t gallery.TargetRegion) []gallery.Slot {
	var kept []gallery.Slot
	for _, r := range e.ReplicasOfDisk(disk) {
		if r.Key.Region == t.Region && r.Store != "" {
			kept = append(kept, gallery.Slot{Number: r.Key.Slot, Store: r.Store})
		}
	}
	if placed, err := gallery.Slots(t, e.storesOf(t.Region), kept...); err == nil {
		return placed
	}
	var out []gallery.Slot
	for _, n := range gallery.SlotNumbers(t.StorageClass, t.ReplicaCount) {
		s := gallery.Slot{Number: n}
		if i := slices.IndexFunc(kept, func(k gallery.Slot) bool { return k.Number == n }); i >= 0 {
			s.Store = kept[i].Store
		}
		out = append(out, s)
	}
	return out
}

func (e *entry) storesOf(region gallery.RegionName) []gallery.Store {
	rows := e.Stores(region)
	out := make([]gallery.Store, 0, len(rows))
	for _, s := range rows {
		out = append(out, *s)
	}
	return out
}

// want makes sure that a wanted replica has a row, in a store if there is one.
func (e *entry) want(d *gallery.Disk, k gallery.ReplicaKey, store gallery.StoreID, p gallery.Priority) {
	if p == gallery.PriorityNormal {
		p = ""
	}
	old := e.Replica(k)
	if old != nil && old.Store != store && old.Store != "" {
		e.remove(old) // its store is no place for it any more
		old = nil
	}
	row := gallery.Replica{Key: k, Domain: d.Domain, State: gallery.ReplicaUnknown, Wanted: e.Now()}
	if old != nil {
		row = *old
	}
	row.Priority = p
	switch {
	case old != nil && old.Store == store && old.State != gallery.ReplicaRetiring:
		if old.Priority == p {
			return
		}
	case old != nil && old.Store == store:
		row.State = gallery.ReplicaCompleted
	case store == "":
		row.State, row.Reason = gallery.ReplicaFailed, gallery.ReasonNoStore
	case old != nil && old.Store == "":
		row.Store, row.State, row.Reason, row.NextRetry = store, gallery.ReplicaUnknown, "", zeroTime
	default:
		row.Store = store
	}
	state.Put(e.Tx, &row)
}

// settle ends what a disk's whole copies decide: Retiring rows go once another copy is Completed (D11); without any whole
// copy the others say NoSource, and with one they no longer do.
func (e *entry) settle(disk gallery.DiskID) {
	rows := e.ReplicasOfDisk(disk)
	completed := slices.ContainsFunc(rows, func(r *gallery.Replica) bool { return r.State == gallery.ReplicaCompleted })
	whole := slices.ContainsFunc(rows, (*gallery.Replica).Whole)
	for _, r := range rows {
		switch {
		case r.State == gallery.ReplicaRetiring && completed:
			e.remove(r)
		case !whole && r.Reason != gallery.ReasonNoSource:
			e.setNoSource(r)
		case whole && r.Reason == gallery.ReasonNoSource:
			row := *r
			row.Reason, row.NextRetry = "", zeroTime
			if row.Claim == nil {
				row.State = gallery.ReplicaUnknown
			}
			if row.Store == "" {
				row.State, row.Reason = gallery.ReplicaFailed, gallery.ReasonNoStore
			}
			state.Put(e.Tx, &row)
		}
	}
	e.progressOf(disk)
}

// retry makes the failed copies of a disk due at once: whoever writes the version again asks for that, and their operation waits
// for what comes of it. What no attempt can cure stays as it is.
func (e *entry) retry(disk gallery.DiskID) {
	for _, r := range e.ReplicasOfDisk(disk) {
		if r.State != gallery.ReplicaFailed || r.Reason == gallery.ReasonNoSource || r.Reason == gallery.ReasonNoStore {
			continue
		}
		row := *r
		row.State, row.Reason, row.NextRetry = gallery.ReplicaUnknown, "", zeroTime
		state.Put(e.Tx, &row)
	}
}

// setNoSource says that no region has the bytes. A worker that has claimed the replica may still hold
// them all, so its claim stands.
func (e *entry) setNoSource(r *gallery.Replica) {
	row := *r
	row.Reason = gallery.ReasonNoSource
	if row.Claim == nil {
		row.State = gallery.ReplicaFailed
	}
	state.Put(e.Tx, &row)
}

// remove takes a replica's row away and tells the collector of what may lie in its store.
func (e *entry) remove(r *gallery.Replica) {
	held := r.Whole() || !r.Table.IsZero() // whole, or what is left of a whole one
	if r.Store != "" && (held || r.Claim != nil || len(r.Tried) > 0) {
		t := &gallery.Tombstone{Repository: r.Repository(), Index: e.Index(), Disk: r.Key.Disk, Time: e.Now()}
		if d := e.Disk(r.Key.Disk); d != nil && held {
			t.Root = d.Root
			if e.knows(3) {
				t.Table = r.Table
			}
		}
		state.Put(e.Tx, t)
	}
	state.Delete(e.Tx, r)
}

// release follows the removal of a version or a snapshot: a disk that none has goes with its replicas.
func (e *entry) release(disk gallery.DiskID) {
	if e.Referred(disk) {
		e.plan(disk)
		return
	}
	for _, r := range e.ReplicasOfDisk(disk) {
		e.remove(r)
	}
	if d := e.Disk(disk); d != nil {
		state.Delete(e.Tx, d)
	}
}
