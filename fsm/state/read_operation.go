package state

import (
	"time"

	"loggia/gallery"
)

// Operation returns one operation.
func (v *View) Operation(id gallery.OperationID) *gallery.Operation {
	return find(v, operations, key(id))
}

// OpenOperations returns every operation that has not ended.
func (v *View) OpenOperations() []*gallery.Operation { return list(v, operations, "open", nil) }

// OperationsOfVersion returns the open operations that wait for a version.
func (v *View) OperationsOfVersion(ref gallery.VersionRef) []*gallery.Operation {
	return list(v, operations, "open", append([]byte{waitsForVersion}, versionKey(ref)...))
}

// OperationsOfSnapshot returns the open operations that wait for a snapshot.
func (v *View) OperationsOfSnapshot(ref gallery.SnapshotRef) []*gallery.Operation {
	return list(v, operations, "open", append([]byte{waitsForSnapshot}, snapshotKey(ref)...))
}

// OperationsOfGroup returns the open operations that wait for a resource group to go.
func (v *View) OperationsOfGroup(ref gallery.GroupRef) []*gallery.Operation {
	return list(v, operations, "open", append([]byte{waitsForGroup}, groupKey(ref)...))
}

// OperationsDue returns at most limit open operations whose deadline is at or before t, in order of it.
func (v *View) OperationsDue(t time.Time, limit int) []*gallery.Operation {
	return v.operationsUntil("deadline", t, limit, func(o *gallery.Operation) time.Time { return o.Deadline })
}

// OperationsEnded returns at most limit operations that ended at or before t, oldest first.
func (v *View) OperationsEnded(t time.Time, limit int) []*gallery.Operation {
	return v.operationsUntil("ended", t, limit, func(o *gallery.Operation) time.Time { return o.Ended })
}

func (v *View) operationsUntil(index string, t time.Time, limit int, at func(*gallery.Operation) time.Time) []*gallery.Operation {
	var out []*gallery.Operation
	for r := range v.iterate(operations.name, index, nil, false) {
		o := r.(*gallery.Operation)
		if at(o).After(t) || len(out) == limit {
			break
		}
		out = append(out, o)
	}
	return out
}

// Snapshot returns one snapshot.
func (v *View) Snapshot(ref gallery.SnapshotRef) *gallery.Snapshot {
	return find(v, snapshots, snapshotKey(ref))
}

// Snapshots returns the snapshots of a resource group.
func (v *View) Snapshots(ref gallery.GroupRef) []*gallery.Snapshot {
	return list(v, snapshots, "id", groupKey(ref))
}

// SnapshotsOfSubscription returns the snapshots of a subscription, by group; all for an empty one.
func (v *View) SnapshotsOfSubscription(sub gallery.SubscriptionID) []*gallery.Snapshot {
	if sub == "" {
		return list(v, snapshots, "id", nil)
	}
	return list(v, snapshots, "id", key(sub))
}

// SnapshotsOfDisk returns the snapshots that have a disk.
func (v *View) SnapshotsOfDisk(id gallery.DiskID) []*gallery.Snapshot {
	return list(v, snapshots, "disk", key(id))
}

// SnapshotsImporting returns the snapshots of a region that wait for a node to make their disk.
func (v *View) SnapshotsImporting(region gallery.RegionName) []*gallery.Snapshot {
	return list(v, snapshots, "importing", key(region))
}

// Referred says whether a version or a snapshot has the disk.
func (v *View) Referred(id gallery.DiskID) bool {
	return len(v.VersionsOfDisk(id)) > 0 || len(v.SnapshotsOfDisk(id)) > 0
}
