package machine

import (
	"slices"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

const creationField = "properties.creationData"

func snapshotPut(e *entry, c *command.SnapshotPut) (*gallery.Snapshot, error) {
	row := c.Snapshot
	name := row.Ref.String()
	old := e.Snapshot(row.Ref)
	var etag uint64
	if old != nil {
		etag = old.ETag
	}
	if err := check(c.If, name, etag); err != nil {
		return nil, err
	}
	var err error
	if old != nil {
		err = e.changedSnapshot(&row, old)
	} else {
		err = e.newSnapshot(&row)
	}
	if err != nil {
		return nil, named(err, name)
	}
	row.Operation = e.operationID()
	if row.State == gallery.SnapshotCreating {
		e.waitForSnapshot(&row)
	}
	row.ETag, row.Updated, row.UpdatedBy = e.Index(), e.Now(), e.Principal
	state.Put(e.Tx, &row)
	if old == nil && row.Disk != "" {
		e.plan(row.Disk)
	}
	return e.Snapshot(row.Ref), nil // its copy may have failed already
}

// newSnapshot checks and completes a snapshot that is created.
func (e *entry) newSnapshot(row *gallery.Snapshot) error {
	s := e.Subscription(row.Ref.Subscription)
	if s == nil {
		return notFound("subscription", row.Ref.Subscription)
	}
	if s.Tenant != row.Tenant {
		return invalid("", "tenant", "the subscription's, %s", s.Tenant)
	}
	if e.Region(row.Location) == nil {
		return invalid("", "location", "no region %q in this cluster", row.Location)
	}
	if _, err := gallery.Slots(row.Target(), e.storesOf(row.Location)); err != nil {
		return invalid("", "location", "region %q has no standard store for it", row.Location)
	}
	g, err := e.needGroup(row.Ref.GroupRef, row.Location, row.Ref.String())
	if err != nil {
		return err
	}
	if len(e.Snapshots(row.Ref.GroupRef)) >= gallery.MaxSnapshots {
		return fail(gallery.ErrQuota, "", "a resource group holds at most %d snapshots", gallery.MaxSnapshots)
	}
	row.Ref.GroupRef = g.Ref
	row.Size, row.Access = 0, nil
	row.Created, row.CreatedBy = e.Now(), e.Principal
	if row.Import != nil {
		row.Import, row.State = fresh(row.Import), gallery.SnapshotCreating
		return e.checkImport(row.Import, gallery.ContentDisk, creationField)
	}
	row.State = gallery.SnapshotCreating
	d := e.Disk(row.Disk)
	if d == nil || d.Domain != row.Domain() || d.Kind != gallery.ContentDisk {
		return invalid("", creationField, "no disk %s", row.Disk)
	}
	if e.wholeIn(row.Disk, row.Location) {
		row.State = gallery.SnapshotSucceeded
	}
	row.Size = d.Size
	return nil
}

// wholeIn says whether a region has a whole copy of a disk.
func (e *entry) wholeIn(disk gallery.DiskID, at gallery.RegionName) bool {
	return slices.ContainsFunc(e.ReplicasOfDisk(disk), func(r *gallery.Replica) bool { return r.Key.Region == at && r.Whole() })
}

// settleSnapshot ends the making of a snapshot whose copy has come, or cannot come by waiting. One that has succeeded stays so: the
// copy's own state tells of a loss.
func (e *entry) settleSnapshot(s *gallery.Snapshot) {
	if s.State == gallery.SnapshotSucceeded {
		return
	}
	row := *s
	if e.wholeIn(s.Disk, s.Location) {
		row.State = gallery.SnapshotSucceeded
		state.Put(e.Tx, &row)
		e.succeed(e.OperationsOfSnapshot(row.Ref))
		return
	}
	r := e.Replica(gallery.ReplicaKey{Disk: s.Disk, Region: s.Location, Slot: gallery.FirstSlot(gallery.ClassStandard)})
	if r == nil || !incurable(*r) {
		return
	}
	if s.State != gallery.SnapshotFailed {
		row.State = gallery.SnapshotFailed
		state.Put(e.Tx, &row)
	}
	message, details := undone([]gallery.RegionStatus{{Region: s.Location, State: r.State, Replicas: []gallery.Replica{*r}}})
	e.end(e.OperationsOfSnapshot(row.Ref), func(o *gallery.Operation) { o.Fail(e.Now(), gallery.CodeReplicationJobs, message, details...) })
}

// checkImport checks that the source of an import, where it is a disk of ours, is there.
func (e *entry) checkImport(i *gallery.Import, kind gallery.ContentKind, field string) error {
	if i.Source == "" {
		return nil
	}
	if d := e.Disk(i.Source); d == nil || d.Kind != kind {
		return invalid("", field, "no such source")
	}
	return nil
}

// changedSnapshot checks and completes a snapshot that follows old: disk, state and links are kept.
func (e *entry) changedSnapshot(row, old *gallery.Snapshot) error {
	if err := e.checkGroup(old.Ref.GroupRef); err != nil {
		return err
	}
	given := row.Import
	if row.Disk == "" {
		row.Disk = old.Disk
	}
	if row.Import == nil || old.Import == nil && old.Disk != "" {
		row.Import = old.Import
	}
	if err := row.CheckUpdate(old); err != nil {
		return err
	}
	row.Import, row.State, row.Size, row.Access, row.UniqueID = old.Import, old.State, old.Size, old.Access, old.UniqueID
	if again(old.Import, given) {
		row.Import, row.State = fresh(given), gallery.SnapshotCreating
	}
	row.Ref, row.Created, row.CreatedBy = old.Ref, old.Created, old.CreatedBy
	return nil
}

// fresh is an import that nobody has tried.
func fresh(i *gallery.Import) *gallery.Import {
	c := *i
	c.Reason, c.Message = "", ""
	return &c
}

// again says whether an import that failed is asked for once more.
func again(old, given *gallery.Import) bool {
	return old != nil && given != nil && old.Failed() && given.ID != old.ID && given.Same(old)
}

// imported returns the disk of a completed upload that is to be the disk of an import.
func (e *entry) imported(id gallery.UploadID, domain gallery.Domain, at gallery.RegionName, kind gallery.ContentKind) (*gallery.Disk, error) {
	u := e.Upload(id)
	if u == nil {
		return nil, notFound("upload", id)
	}
	if u.State != gallery.UploadCompleted {
		return nil, fail(gallery.ErrConflict, string(id), "the upload is %s", u.State)
	}
	d := e.Disk(u.Disk)
	if d == nil || d.Domain != domain || d.Kind != kind || u.Region != at {
		return nil, invalid(string(id), "upload", "it made no %s for this in region %q", kind, at)
	}
	return d, nil
}

func staleImport(resource string, id gallery.ImportID) error {
	return fail(gallery.ErrStaleClaim, resource, "import %s is not under way", id)
}

// importing returns the snapshot whose import is under way and has the id.
func (e *entry) importing(ref gallery.SnapshotRef, id gallery.ImportID) (*gallery.Snapshot, error) {
	s := e.Snapshot(ref)
	if s == nil {
		return nil, notFound("snapshot", ref)
	}
	if !s.Importing() || s.Import.ID != id {
		return nil, staleImport(ref.String(), id)
	}
	return s, nil
}

func snapshotComplete(e *entry, c *command.SnapshotComplete) (*gallery.Snapshot, error) {
	s, err := e.importing(c.Ref, c.Import)
	if err != nil {
		return nil, err
	}
	d, err := e.imported(c.Upload, s.Domain(), s.Location, gallery.ContentDisk)
	if err != nil {
		return nil, err
	}
	row := *s
	row.Disk, row.Size, row.Import = d.ID, d.Size, nil
	state.Put(e.Tx, &row)
	e.plan(d.ID)
	return e.Snapshot(row.Ref), nil
}

func snapshotFail(e *entry, c *command.SnapshotFail) (*gallery.Snapshot, error) {
	s, err := e.importing(c.Ref, c.Import)
	if err != nil {
		return nil, err
	}
	row, i := *s, *s.Import
	i.Reason, i.Message = c.Reason, c.Message
	row.Import, row.State = &i, gallery.SnapshotFailed
	state.Put(e.Tx, &row)
	e.end(e.OperationsOfSnapshot(row.Ref), func(o *gallery.Operation) {
		o.Fail(e.Now(), gallery.CodeImportFailed, importText(&i), gallery.OperationDetail{Code: string(i.Reason), Message: i.Message, Target: creationField})
	})
	return &row, nil
}

func snapshotDelete(e *entry, c *command.SnapshotDelete) (*none, error) {
	row := e.Snapshot(c.Ref)
	if row == nil {
		return nil, notFound("snapshot", c.Ref)
	}
	if err := check(c.If, c.Ref.String(), row.ETag); err != nil {
		return nil, err
	}
	e.removeSnapshot(row)
	return nil, nil
}

// removeSnapshot takes a snapshot away and what only it needed.
func (e *entry) removeSnapshot(row *gallery.Snapshot) {
	state.Delete(e.Tx, row)
	if row.Disk != "" {
		e.release(row.Disk)
	}
	e.gone(e.OperationsOfSnapshot(row.Ref))
	e.dropGrants(row.Scope())
}

// changeAccess writes a snapshot with other links; ended ones go. Links move no etag: they are nothing that a person writes.
func (e *entry) changeAccess(ref gallery.SnapshotRef, change func(*gallery.Snapshot) error) (*gallery.Snapshot, error) {
	s := e.Snapshot(ref)
	if s == nil {
		return nil, notFound("snapshot", ref)
	}
	row := *s
	row.Access = slices.DeleteFunc(slices.Clone(s.Access), func(a gallery.Access) bool { return !e.Now().Before(a.Expires) })
	if err := change(&row); err != nil {
		return nil, named(err, ref.String())
	}
	if len(row.Access) == 0 {
		row.Access = nil
	}
	state.Put(e.Tx, &row)
	return &row, nil
}

func snapshotGrant(e *entry, c *command.SnapshotGrant) (*gallery.Snapshot, error) {
	return e.changeAccess(c.Ref, func(row *gallery.Snapshot) error {
		if row.State != gallery.SnapshotSucceeded {
			return fail(gallery.ErrConflict, "", "it is %s: its bytes are not here", row.State)
		}
		if slices.ContainsFunc(row.Access, func(a gallery.Access) bool { return a.ID == c.Access }) {
			return fail(gallery.ErrConflict, "", "a link with this id is live")
		}
		if len(row.Access) >= gallery.MaxAccess {
			return fail(gallery.ErrQuota, "", "it has %d live links: revoke some", gallery.MaxAccess)
		}
		row.Access = append(row.Access, gallery.Access{ID: c.Access, Expires: e.Now().Add(c.Life)})
		return nil
	})
}

func snapshotRevoke(e *entry, c *command.SnapshotRevoke) (*gallery.Snapshot, error) {
	return e.changeAccess(c.Ref, func(row *gallery.Snapshot) error {
		row.Access = slices.DeleteFunc(row.Access, func(a gallery.Access) bool { return c.Access == "" || a.ID == c.Access })
		return nil
	})
}

// importOf returns the version whose import has the id and is under way, and its place among the imports.
func (e *entry) importOf(ref gallery.VersionRef, id gallery.ImportID) (*gallery.ImageVersion, int, error) {
	v := e.Version(ref)
	if v == nil {
		return nil, 0, notFound("version", ref)
	}
	i := slices.IndexFunc(v.Imports, func(m gallery.DiskImport) bool { return m.ID == id && !m.Failed() })
	if i < 0 {
		return nil, 0, staleImport(ref.String(), id)
	}
	return v, i, nil
}

func versionImported(e *entry, c *command.VersionImported) (*gallery.ImageVersion, error) {
	v, i, err := e.importOf(c.Ref, c.Import)
	if err != nil {
		return nil, err
	}
	g := e.Gallery(v.Ref.GalleryRef)
	if g == nil {
		return nil, notFound("gallery", v.Ref.GalleryRef)
	}
	d, err := e.imported(c.Upload, g.Domain(), v.Location, v.Ref.Content())
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(v.Disks, func(x gallery.VersionDisk) bool { return x.Disk == d.ID }) {
		return nil, fail(gallery.ErrConflict, c.Ref.String(), "it has disk %s already", d.ID)
	}
	row, lun := *v, v.Imports[i]
	disk := gallery.VersionDisk{LUN: lun.LUN, Disk: d.ID, HostCaching: lun.HostCaching}
	if err := e.fillDisk(row.Ref, &disk, g.Domain()); err != nil {
		return nil, named(err, c.Ref.String())
	}
	row.Imports = slices.Delete(slices.Clone(v.Imports), i, i+1)
	row.Disks = append(slices.Clone(v.Disks), disk)
	slices.SortFunc(row.Disks, func(a, b gallery.VersionDisk) int { return a.LUN - b.LUN })
	e.putVersion(&row)
	return &row, nil
}

func versionImportFailed(e *entry, c *command.VersionImportFailed) (*gallery.ImageVersion, error) {
	v, i, err := e.importOf(c.Ref, c.Import)
	if err != nil {
		return nil, err
	}
	row := *v
	row.Imports = slices.Clone(v.Imports)
	row.Imports[i].Reason, row.Imports[i].Message = c.Reason, c.Message
	e.putVersion(&row)
	return &row, nil
}

// putVersion puts a version in place, wants its replicas once it has all its disks, and looks at its operations.
func (e *entry) putVersion(row *gallery.ImageVersion) {
	if len(row.Imports) == 0 {
		row.Imports = nil
	}
	state.Put(e.Tx, row)
	for _, d := range row.Disks {
		e.plan(d.Disk)
	}
	e.progress(row)
}

// checkImports checks the disks that are to be imported. Nobody has tried them.
func (e *entry) checkImports(row *gallery.ImageVersion) error {
	row.Imports = slices.Clone(row.Imports)
	for i := range row.Imports {
		m := &row.Imports[i]
		m.Import = *fresh(&m.Import)
		if err := e.checkImport(&m.Import, row.Ref.Content(), row.Ref.DiskField(m.LUN)); err != nil {
			return err
		}
		if slices.ContainsFunc(row.Imports[:i], func(x gallery.DiskImport) bool { return x.ID == m.ID }) {
			return invalid("", row.Ref.DiskField(m.LUN), "import %s is named twice", m.ID)
		}
	}
	return nil
}
