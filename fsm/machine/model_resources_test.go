package machine_test

import (
	"fmt"
	"slices"
	"time"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/gallery/rbac"
)

// header asks for an operation beside every second command, and sometimes lets hours pass.
func (c *chaos) header() command.Header {
	if c.rnd.IntN(400) == 0 {
		c.now = c.now.Add(13 * time.Hour)
	}
	if c.rnd.IntN(2) == 0 {
		return command.Header{}
	}
	c.operations++
	kind := gallery.OperationCreate
	if c.rnd.IntN(2) == 0 {
		kind = gallery.OperationUpdate
	}
	return command.Header{Operation: &gallery.OperationStart{ID: operationID(c.operations), Subscription: sub, Tenant: tenant, Location: "a", Kind: kind, Resource: sub.Scope()}}
}

// chooseResource is about what lies beside image versions, and about who may do what.
func (c *chaos) chooseResource(v *state.View) command.Command {
	switch n := c.rnd.IntN(100); {
	case n < 14:
		return c.chooseSnapshot(v)
	case n < 20:
		if s, ok := pick(c, v.SnapshotsOfSubscription("")); ok {
			return &command.SnapshotDelete{Ref: s.Ref}
		}
	case n < 30:
		return c.chooseImported(v)
	case n < 40:
		return c.chooseApplication(v)
	case n < 55:
		return c.chooseVersionImported(v)
	case n < 58:
		return &command.ExpireOperations{}
	case n < 62:
		return c.chooseGroup()
	case n < 70:
		return c.chooseAccess(v)
	}
	return c.chooseIdentity(v)
}

// source is a new import of one of few URIs, or of a disk.
func (c *chaos) source(v *state.View) gallery.Import {
	c.imports++
	i := gallery.Import{ID: importID(c.imports), URI: fmt.Sprint("https://store.example/", c.rnd.IntN(3))}
	if d, ok := pick(c, v.Disks()); ok && c.rnd.IntN(4) == 0 {
		i.URI, i.Source = "", d.ID
	}
	return i
}

func (c *chaos) chooseSnapshot(v *state.View) command.Command {
	s := snapshot(fmt.Sprint("s", c.rnd.IntN(6)), "")
	s.Location = modelRegions[c.rnd.IntN(len(modelRegions))]
	if c.rnd.IntN(4) == 0 {
		s.Ref.Group = gallery.DefaultGroup
	}
	if old := v.Snapshot(s.Ref); old != nil {
		s.Location = old.Location
		if old.Import != nil && c.rnd.IntN(2) == 0 {
			again := *old.Import
			c.imports++
			again.ID, again.Reason, again.Message = importID(c.imports), "", ""
			s.Import = &again
		}
		return &command.SnapshotPut{Snapshot: s}
	}
	if d, ok := pick(c, v.Disks()); ok && c.rnd.IntN(2) == 0 {
		s.Disk = d.ID
	} else {
		i := c.source(v)
		s.Import = &i
	}
	return &command.SnapshotPut{Snapshot: s}
}

// chooseImported reports, rightly or not, on the import of a snapshot.
func (c *chaos) chooseImported(v *state.View) command.Command {
	s, ok := pick(c, v.SnapshotsOfSubscription(""))
	if !ok {
		return nil
	}
	i := importID(1 + c.rnd.IntN(c.imports+1))
	if s.Import != nil && c.rnd.IntN(5) > 0 {
		i = s.Import.ID
	}
	if c.rnd.IntN(4) == 0 {
		return &command.SnapshotFail{Ref: s.Ref, Import: i, Reason: gallery.ReasonUnreachable}
	}
	return &command.SnapshotComplete{Ref: s.Ref, Import: i, Upload: c.someUpload(v, s.Location, gallery.ContentDisk)}
}

// someUpload prefers completed ones of a region and a kind.
func (c *chaos) someUpload(v *state.View, at gallery.RegionName, kind gallery.ContentKind) gallery.UploadID {
	var fit []*gallery.Upload
	for _, u := range v.Uploads() {
		if u.Region == at && u.State == gallery.UploadCompleted && u.Kind == kind {
			fit = append(fit, u)
		}
	}
	if u, ok := pick(c, fit); ok && c.rnd.IntN(5) > 0 {
		return u.ID
	}
	return upload(1 + c.rnd.IntN(c.uploads+1))
}

var modelApp = gallery.ImageRef{GalleryRef: galleryRef("p"), Image: "tool", Kind: gallery.ArtifactApplication}

// chooseApplication works on an application in the group that comes and goes.
func (c *chaos) chooseApplication(v *state.View) command.Command {
	if v.Gallery(modelApp.GalleryRef) == nil {
		return &command.GalleryPut{Gallery: gallery.Gallery{Ref: modelApp.GalleryRef, Tenant: tenant, ResourceGroup: string(rg.Group), Location: "a"}}
	}
	if v.Image(modelApp) == nil {
		i := application("tool")
		i.Ref, i.ResourceGroup = modelApp, string(rg.Group)
		return &command.ImagePut{Image: i}
	}
	row := appVersion(c.rnd.IntN(5), "a", modelRegions[c.rnd.IntN(len(modelRegions))])
	row.Ref.ImageRef, row.ResourceGroup = modelApp, string(rg.Group)
	row.Publishing.TargetRegions = row.Publishing.TargetRegions[:1+min(1, c.rnd.IntN(3))]
	if row.Publishing.TargetRegions[len(row.Publishing.TargetRegions)-1].Region == "a" {
		row.Publishing.TargetRegions = row.Publishing.TargetRegions[:1]
	}
	row.Safety.AllowDeletionOfReplicatedLocations = true
	if old := v.Version(row.Ref); old != nil {
		return c.rewrite(row, old)
	}
	if d, ok := pick(c, v.Disks()); ok && d.Kind == gallery.ContentBlob && c.rnd.IntN(2) == 0 {
		row.Disks = []gallery.VersionDisk{{LUN: gallery.LUNPackage, Disk: d.ID}}
	} else {
		row.Imports = []gallery.DiskImport{{LUN: gallery.LUNPackage, Import: c.source(v)}}
	}
	if c.rnd.IntN(2) == 0 {
		row.Imports = append(row.Imports, gallery.DiskImport{LUN: gallery.LUNConfig, Import: c.source(v)})
	}
	return &command.VersionPut{Version: row}
}

// rewrite puts a version that is there; half of the time it asks for its imports once more.
func (c *chaos) rewrite(row gallery.ImageVersion, old *gallery.ImageVersion) command.Command {
	switch c.rnd.IntN(6) {
	case 0:
		return &command.VersionDelete{Ref: old.Ref}
	case 1, 2:
		return &command.VersionPut{Version: row}
	}
	row.Disks = old.Disks
	for _, i := range old.Imports {
		c.imports++
		i.ID, i.Reason, i.Message = importID(c.imports), "", ""
		row.Imports = append(row.Imports, i)
	}
	return &command.VersionPut{Version: row}
}

func (c *chaos) chooseVersionImported(v *state.View) command.Command {
	var waiting []*gallery.ImageVersion
	for _, at := range modelRegions {
		waiting = append(waiting, v.VersionsImporting(at)...)
	}
	row, ok := pick(c, waiting)
	if !ok {
		return nil
	}
	i, _ := pick(c, row.Imports)
	if c.rnd.IntN(5) == 0 {
		return &command.VersionImportFailed{Ref: row.Ref, Import: i.ID, Reason: gallery.ReasonStoreFull}
	}
	return &command.VersionImported{Ref: row.Ref, Import: i.ID, Upload: c.someUpload(v, row.Location, row.Ref.Content())}
}

func (c *chaos) chooseGroup() command.Command {
	switch c.rnd.IntN(8) {
	case 0:
		return &command.GroupDelete{Ref: rg}
	case 1:
		return &command.GroupSweep{Ref: rg}
	}
	return &command.GroupPut{Group: gallery.ResourceGroup{Ref: rg, Location: "a", Tags: map[string]string{"n": fmt.Sprint(c.index)}}}
}

func (c *chaos) chooseAccess(v *state.View) command.Command {
	s, ok := pick(c, v.SnapshotsOfSubscription(""))
	if !ok {
		return nil
	}
	if c.rnd.IntN(3) == 0 {
		return &command.SnapshotRevoke{Ref: s.Ref, Access: accessID(c.rnd.IntN(20))}
	}
	return &command.SnapshotGrant{Ref: s.Ref, Access: accessID(c.rnd.IntN(20)), Life: time.Hour}
}

// chooseIdentity works on ten principals, the odd ones groups, and what they are assigned.
func (c *chaos) chooseIdentity(v *state.View) command.Command {
	n := c.rnd.IntN(10)
	p := user(n, fmt.Sprint("u", c.rnd.IntN(8)))
	if n%2 == 1 {
		p = groupOfPeople(n)
	}
	switch c.rnd.IntN(9) {
	case 0, 1, 2:
		return &command.PrincipalPut{Principal: p}
	case 3:
		return &command.PrincipalDelete{ID: p.ID}
	case 4:
		if g := principalID(c.rnd.IntN(10)); g != p.ID {
			return &command.PrincipalSetMember{ID: p.ID, Group: g, Member: c.rnd.IntN(3) > 0}
		}
	case 5:
		c.tokens++
		return &command.AccessTokenPut{Token: gallery.AccessToken{ID: id[gallery.TokenID](0x66, c.tokens), Hash: root(c.tokens), Name: "t", Owner: p.ID}}
	case 6:
		if a, ok := pick(c, v.AssignmentsUnder(gallery.RootScope)); ok {
			return &command.AssignmentDelete{Scope: a.Scope, ID: a.ID}
		}
	}
	scopes := []string{gallery.RootScope, sub.Scope(), rg.Scope(), rg.Scope() + "/providers/Microsoft.Compute/snapshots/S1"}
	roles := []string{rbac.Reader, rbac.Contributor}
	return &command.AssignmentPut{Assignment: assignment(c.rnd.IntN(20), p.ID, roles[c.rnd.IntN(2)], scopes[c.rnd.IntN(len(scopes))])}
}

// checkResources holds what must always be true of operations, snapshots, groups and identities.
func (c *chaos) checkResources(v *state.View) {
	c.t.Helper()
	for _, o := range v.OpenOperations() {
		c.checkOpen(v, o)
	}
	for _, s := range v.SnapshotsOfSubscription("") {
		c.must((s.Disk == "") == (s.Import != nil), "snapshot %s is %s, disk %q, import %v", s.Ref, s.State, s.Disk, s.Import)
		if s.Import != nil {
			c.must(s.State == map[bool]gallery.SnapshotState{true: gallery.SnapshotFailed, false: gallery.SnapshotCreating}[s.Import.Failed()],
				"snapshot %s is %s, import %v", s.Ref, s.State, s.Import)
		}
		if s.State != gallery.SnapshotSucceeded {
			c.must(!slices.ContainsFunc(v.ReplicasOfDisk(s.Disk), func(r *gallery.Replica) bool { return r.Key.Region == s.Location && r.Whole() }),
				"snapshot %s is %s and its copy is there", s.Ref, s.State)
		}
		c.must(s.Disk == "" || v.Disk(s.Disk) != nil && v.Disk(s.Disk).Domain == s.Domain(), "snapshot %s has no disk of its domain", s.Ref)
		c.must(v.Group(s.Ref.GroupRef) != nil, "snapshot %s has no group", s.Ref)
		c.must(len(s.Access) <= gallery.MaxAccess, "snapshot %s has %d links", s.Ref, len(s.Access))
	}
	for _, g := range v.Galleries("") {
		c.must(v.Group(g.Group()) != nil, "gallery %s has no group", g.Ref)
	}
	for _, x := range v.AllVersions() {
		c.must(v.Image(x.Ref.ImageRef) != nil, "version %s has no definition", x.Ref)
		c.must(x.Validate() == nil, "version %s: %v", x.Ref, x.Validate())
		for _, d := range x.Disks {
			c.must(v.Disk(d.Disk) != nil && v.Disk(d.Disk).Kind == x.Ref.Content(), "version %s misses disk %s", x.Ref, d.Disk)
		}
	}
	c.checkIdentities(v)
}

// checkOpen holds that an open operation waits for something that is there and not done, and that waiting may help.
func (c *chaos) checkOpen(v *state.View, o *gallery.Operation) {
	c.must(o.Ended.IsZero() && !o.Deadline.IsZero(), "operation %s is open, ended %s", o.ID, o.Ended)
	switch {
	case o.Version != nil:
		x := v.Version(*o.Version)
		c.must(x != nil, "operation %s waits for a version that is gone", o.ID)
		c.must(!x.ImportFailed(), "operation %s waits for an import that failed", o.ID)
		if x.Importing() {
			return
		}
		moving, done := false, true
		for _, r := range v.VersionStatus(x) {
			done = done && r.State == gallery.ReplicaCompleted
			curable := true
			for _, y := range r.Replicas {
				curable = curable && (y.State != gallery.ReplicaFailed || y.Reason.Curable())
			}
			moving = moving || r.State != gallery.ReplicaCompleted && (r.State != gallery.ReplicaFailed || curable)
		}
		c.must(!done, "operation %s waits for what is done", o.ID)
		c.must(moving, "operation %s waits for what cannot come", o.ID)
	case o.Snapshot != nil:
		s := v.Snapshot(*o.Snapshot)
		c.must(s != nil && s.State == gallery.SnapshotCreating, "operation %s waits for a snapshot that is %v", o.ID, s)
	default:
		c.must(o.Group != nil && v.Group(*o.Group) != nil && v.Group(*o.Group).Deleting, "operation %s waits for nothing", o.ID)
	}
}

func (c *chaos) checkIdentities(v *state.View) {
	grants := map[string]bool{}
	for _, a := range v.AssignmentsUnder(gallery.RootScope) {
		c.must(v.Principal(a.Principal) != nil, "assignment %s is of nobody", a.ID)
		k := fmt.Sprint(a.Principal, a.Role, gallery.FoldScope(a.Scope))
		c.must(!grants[k], "a grant stands twice: %s", k)
		grants[k] = true
		c.must(v.AssignmentOf(a.Principal, a.Role, a.Scope) == a, "assignment %s is not found by its grant", a.ID)
	}
	for _, t := range v.AccessTokens() {
		c.must(t.Owner == "" || v.Principal(t.Owner) != nil, "token %s is of nobody", t.ID)
	}
	names := map[string]bool{}
	for _, p := range v.Principals("") {
		for _, g := range p.Groups {
			c.must(v.Principal(g) != nil && v.Principal(g).Kind == gallery.KindGroup, "%s is in %s, which is no group", p.ID, g)
		}
		c.must(p.UserName == "" || !names[p.UserName], "two users are called %s", p.UserName)
		names[p.UserName] = true
		c.must(len(v.GroupsOf(p)) < 10, "%s is in more groups than there are", p.ID)
	}
}
