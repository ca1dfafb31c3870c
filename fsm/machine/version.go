package machine

import (
	"fmt"
	"slices"
	"strings"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func versionPut(e *entry, c *command.VersionPut) (*gallery.ImageVersion, error) {
	row := c.Version
	name := row.Ref.String()
	image := e.Image(row.Ref.ImageRef)
	if image == nil {
		return nil, notFound(definition(row.Ref.ImageRef), row.Ref.ImageRef)
	}
	g := e.Gallery(image.Ref.GalleryRef)
	if g == nil {
		return nil, notFound("gallery", row.Ref.GalleryRef)
	}
	if err := e.checkGroup(g.Group()); err != nil {
		return nil, err
	}
	old := e.Version(row.Ref)
	var etag uint64
	if old != nil {
		etag = old.ETag
	}
	if err := check(c.If, name, etag); err != nil {
		return nil, err
	}
	row.Ref.ImageRef, row.ResourceGroup = image.Ref, image.ResourceGroup
	row.Publishing.EndOfLife = row.Publishing.EndOfLife.UTC()
	row.Disks = slices.Clone(row.Disks)
	prepare := func(row *gallery.ImageVersion) error { return e.newVersion(row, g) }
	if old != nil {
		prepare = func(row *gallery.ImageVersion) error { return e.changedVersion(row, old) }
	}
	if err := prepare(&row); err != nil {
		return nil, named(err, name)
	}
	if err := e.checkTargets(&row, old); err != nil {
		return nil, named(err, name)
	}
	if err := e.checkReplicas(&row, old); err != nil {
		return nil, named(err, name)
	}
	row.Operation = e.waitForVersion(&row)
	row.ETag, row.Updated, row.UpdatedBy = e.Index(), e.Now(), e.Principal
	e.putVersion(&row)
	if old != nil {
		for _, d := range row.Disks {
			e.retry(d.Disk)
		}
	}
	return &row, nil
}

// newVersion checks and completes a version that is created.
func (e *entry) newVersion(row *gallery.ImageVersion, g *gallery.Gallery) error {
	if len(row.Disks)+len(row.Imports) == 0 {
		return invalid("", "properties.storageProfile.osDiskImage", "required")
	}
	for i := range row.Disks {
		if err := e.fillDisk(row.Ref, &row.Disks[i], g.Domain()); err != nil {
			return err
		}
	}
	if err := e.checkImports(row); err != nil {
		return err
	}
	if len(row.Publishing.TargetRegions) == 0 {
		row.Publishing.TargetRegions = []gallery.TargetRegion{{Region: row.Location}}
	}
	row.Created, row.CreatedBy = e.Now(), e.Principal
	if !e.knows(2) {
		return nil
	}
	if row.Ref.Kind == gallery.ArtifactApplication && len(e.Versions(row.Ref.ImageRef)) >= gallery.MaxAppVersions {
		return fail(gallery.ErrQuota, "", "an application has at most %d versions", gallery.MaxAppVersions)
	}
	if e.VersionsIn(row.Ref.Subscription, row.Location) >= gallery.MaxVersions {
		return quota("", gallery.MaxVersions, "versions", row.Location)
	}
	return nil
}

// fillDisk takes over what the disk's row says. A disk of another domain is told like one that is not there (S2).
func (e *entry) fillDisk(ref gallery.VersionRef, d *gallery.VersionDisk, domain gallery.Domain) error {
	field := ref.DiskField(d.LUN)
	disk := e.Disk(d.Disk)
	if disk == nil || disk.Domain != domain {
		return invalid("", field, "no disk %s", d.Disk)
	}
	if disk.Kind != ref.Content() {
		return invalid("", field, "%s is no %s", d.Disk, ref.Content())
	}
	d.SizeBytes = disk.Size
	if ref.Kind == gallery.ArtifactApplication {
		d.HostCaching = ""
		return fitBlob(d, field)
	}
	if d.HostCaching == "" {
		d.HostCaching = gallery.CachingNone
	}
	return nil
}

// fitBlob checks the size of a package or of a configuration.
func fitBlob(d *gallery.VersionDisk, field string) error {
	limit := int64(gallery.MaxAppPackage)
	if d.LUN == gallery.LUNConfig {
		limit = gallery.MaxAppConfig
	}
	if d.SizeBytes > limit {
		return invalid("", field, "at most %d bytes", limit)
	}
	return nil
}

// changedVersion checks and completes a version that follows old: what is absent and may not change is kept.
func (e *entry) changedVersion(row, old *gallery.ImageVersion) error {
	if len(row.Disks) == 0 {
		row.Disks = slices.Clone(old.Disks)
	}
	if len(row.Imports) == 0 {
		row.Imports = old.Imports
	}
	row.Imports = slices.Clone(row.Imports)
	for i := range min(len(row.Disks), len(old.Disks)) {
		d, was := &row.Disks[i], old.Disks[i]
		d.SizeBytes = was.SizeBytes
		if d.HostCaching == "" {
			d.HostCaching = was.HostCaching
		}
	}
	if len(row.Publishing.TargetRegions) == 0 {
		row.Publishing.TargetRegions = old.Publishing.TargetRegions
	}
	keepPriorities(&row.Publishing, &old.Publishing)
	if err := row.CheckUpdate(old); err != nil {
		return err
	}
	for i := range row.Imports {
		if was := &old.Imports[i]; again(&was.Import, &row.Imports[i].Import) {
			row.Imports[i].Import = *fresh(&row.Imports[i].Import)
		} else {
			row.Imports[i] = *was
		}
	}
	row.Ref, row.Created, row.CreatedBy = old.Ref, old.Created, old.CreatedBy
	return e.checkDropped(row, old)
}

// keepPriorities takes over those that a write does not name: clients of Azure know nothing of them.
func keepPriorities(p, old *gallery.PublishingProfile) {
	if p.Priority == "" {
		p.Priority = old.Priority
	}
	p.TargetRegions = slices.Clone(p.TargetRegions)
	for i := range p.TargetRegions {
		t := &p.TargetRegions[i]
		for _, was := range old.TargetRegions {
			if was.Region == t.Region && t.Priority == "" {
				t.Priority = was.Priority
			}
		}
	}
}

const targetsField = "properties.publishingProfile.targetRegions"

// checkTargets checks the target regions against the cluster's regions and stores.
func (e *entry) checkTargets(row, old *gallery.ImageVersion) error {
	home := false
	for i, t := range row.Publishing.Targets() {
		home = home || t.Region == row.Location
		if e.Region(t.Region) == nil {
			return invalid("", fmt.Sprintf("%s[%d].name", targetsField, i), "no region %q in this cluster", t.Region)
		}
		if old != nil {
			if was, ok := old.Publishing.Target(t.Region); ok && was.StorageClass == t.StorageClass {
				continue // its places are kept
			}
		}
		if _, err := gallery.Slots(t, e.storesOf(t.Region)); err != nil {
			return inTarget(err, i)
		}
	}
	if !home && e.Region(row.Location) != nil {
		return invalid("", targetsField, "must contain the version's own location %q", row.Location)
	}
	if !home && old == nil {
		return invalid("", "location", "no region %q in this cluster", row.Location)
	}
	return nil
}

// checkReplicas bounds the copies of a version over all regions. One that had more before the bound came may keep them.
func (e *entry) checkReplicas(row, old *gallery.ImageVersion) error {
	n := copies(row)
	if !e.knows(2) || n <= gallery.MaxVersionReplicas || old != nil && n <= copies(old) {
		return nil
	}
	return &gallery.Error{Kind: gallery.ErrQuota, Field: targetsField,
		Message: fmt.Sprintf("a version has at most %d replicas over all regions, these are %d", gallery.MaxVersionReplicas, n)}
}

func copies(v *gallery.ImageVersion) int {
	n := 0
	for _, t := range v.Publishing.Targets() {
		n += t.ReplicaCount
	}
	return n
}

func inTarget(err error, i int) error {
	if e, ok := err.(*gallery.Error); ok {
		return invalid("", fmt.Sprintf("%s[%d].%s", targetsField, i, e.Field), "%s", e.Message)
	}
	return err
}

// checkDropped refuses to drop or thin out regions that have finished replicas, unless the safety profile allows it.
func (e *entry) checkDropped(row, old *gallery.ImageVersion) error {
	if row.Safety.AllowDeletionOfReplicatedLocations || old.Safety.AllowDeletionOfReplicatedLocations {
		return nil
	}
	var dropped []string
	for _, was := range old.Publishing.Targets() {
		keep := 0
		if t, ok := row.Publishing.Target(was.Region); ok {
			keep = t.ReplicaCount
		}
		if keep < was.ReplicaCount && e.finishedBeyond(old, was, keep) {
			dropped = append(dropped, string(was.Region))
		}
	}
	if len(dropped) == 0 {
		return nil
	}
	return &gallery.Error{Kind: gallery.ErrNotAllowed, Field: targetsField,
		Message: "finished replicas would be deleted in " + strings.Join(dropped, ", ") + "; set safetyProfile.allowDeletionOfReplicatedLocations to allow it"}
}

// finishedBeyond says whether a replica of v in target t, above the first keep ones, is whole.
func (e *entry) finishedBeyond(v *gallery.ImageVersion, t gallery.TargetRegion, keep int) bool {
	slots := gallery.SlotNumbers(t.StorageClass, t.ReplicaCount)[len(gallery.SlotNumbers(t.StorageClass, keep)):]
	for _, d := range v.Disks {
		for _, n := range slots {
			if r := e.Replica(gallery.ReplicaKey{Disk: d.Disk, Region: t.Region, Slot: n}); r != nil && r.State == gallery.ReplicaCompleted {
				return true
			}
		}
	}
	return false
}

func versionDelete(e *entry, c *command.VersionDelete) (*none, error) {
	row := e.Version(c.Ref)
	if row == nil {
		return nil, notFound("image version", c.Ref)
	}
	if err := check(c.If, c.Ref.String(), row.ETag); err != nil {
		return nil, err
	}
	if err := e.mayDelete(row); err != nil {
		return nil, err
	}
	e.removeVersion(row)
	return nil, nil
}

// mayDelete refuses to delete a version that is guarded until its end of life.
func (e *entry) mayDelete(row *gallery.ImageVersion) error {
	kind := gallery.ErrNotAllowed
	if e.knows(2) {
		kind = gallery.ErrBlockedBeforeEOL
	}
	if end := row.Publishing.EndOfLife; row.Safety.BlockDeletionBeforeEndOfLife && e.Now().Before(end) {
		return &gallery.Error{Kind: kind, Resource: row.Ref.String(), Field: "properties.safetyProfile.blockDeletionBeforeEndOfLife",
			Message: "it cannot be deleted before its end of life on " + end.Format("2006-01-02T15:04:05Z")}
	}
	return nil
}

// removeVersion takes a version away and what only it needed.
func (e *entry) removeVersion(row *gallery.ImageVersion) {
	state.Delete(e.Tx, row)
	for _, d := range row.Disks {
		e.release(d.Disk)
	}
	e.gone(e.OperationsOfVersion(row.Ref))
	e.dropGrants(row.Scope())
}
