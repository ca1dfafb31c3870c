package machine_test

import (
	"testing"
	"time"

	"loggia/fsm/command"
	"loggia/gallery"
)

func importID(n int) gallery.ImportID { return id[gallery.ImportID](0x72, n) }
func accessID(n int) gallery.AccessID { return id[gallery.AccessID](0x73, n) }

func snapshot(name string, d gallery.DiskID) gallery.Snapshot {
	return gallery.Snapshot{Ref: gallery.SnapshotRef{GroupRef: rg, Name: gallery.SnapshotName(name)}, Tenant: tenant, Location: "a", Disk: d}
}

func importing(name string, n int) gallery.Snapshot {
	s := snapshot(name, "")
	s.Import = &gallery.Import{ID: importID(n), URI: "https://store.example/disk.vhd"}
	return s
}

// uploadOf completes upload n in the region of node at, of a kind, and returns its disk.
func (r *rig) uploadOf(n, at int, kind gallery.ContentKind, domain gallery.Domain) gallery.DiskID {
	r.t.Helper()
	g := r.do(&command.UploadOpen{ID: upload(n), Domain: domain, Region: r.m.View().Node(node(at)).Region, Store: store(at), Node: node(at),
		Content: kind, Size: 1 << 20, Lease: lease, Life: life}).Value.(*command.UploadGranted)
	r.do(&command.UploadComplete{ID: upload(n), Epoch: g.Upload.Claim.Epoch, RepositoryEpoch: g.RepositoryEpoch, Disk: disk(n), Root: root(n), Table: root(n),
		Data: 4096, Stored: 1000, Add: []gallery.Segment{segment(g.Upload.Claim.Epoch, n)}})
	return disk(n)
}

func (r *rig) wantSnapshot(name string, want gallery.SnapshotState) {
	r.t.Helper()
	if s := r.m.View().Snapshot(snapshot(name, "").Ref); s == nil || s.State != want {
		r.t.Fatalf("snapshot %s is %+v, want %s", name, s, want)
	}
}

func TestSnapshotHoldsItsDisk(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	r.group(rg)
	r.refuse(gallery.ErrInvalid, &command.SnapshotPut{Snapshot: snapshot("s", disk(9))})
	d := r.publish(1, 2)
	r.start(1, gallery.OperationCreate, &command.SnapshotPut{Snapshot: snapshot("s", d)})
	r.wantOperation(1, gallery.OperationInProgress, "")
	r.wantState(key(d, "a", 1), gallery.ReplicaUnknown) // a copy is wanted where the snapshot lies
	r.wantState(key(d, "b", 1), gallery.ReplicaRetiring)
	r.refuse(gallery.ErrConflict, &command.SnapshotGrant{Ref: snapshot("s", d).Ref, Access: accessID(1), Life: time.Hour})
	g := r.claim(key(d, "a", 1), 1)
	r.do(&command.ReplicaFail{Replica: key(d, "a", 1), Epoch: g.Replica.Claim.Epoch, Reason: gallery.ReasonStoreFull})
	r.wantOperation(1, gallery.OperationFailed, gallery.CodeReplicationJobs)
	r.wantSnapshot("s", gallery.SnapshotFailed)
	r.replicate(1, key(d, "a", 1), 1)
	r.wantSnapshot("s", gallery.SnapshotSucceeded) // the loop went on
	r.start(2, gallery.OperationUpdate, &command.SnapshotPut{Snapshot: snapshot("s", "")})
	r.wantOperation(2, gallery.OperationSucceeded, "")
	r.wantState(key(d, "b", 1), "")
	r.now = r.now.Add(2 * life)
	r.do(&command.ExpireUploads{})
	r.do(&command.VersionPut{Version: version(1, d, "a", "a")})
	r.do(&command.VersionDelete{Ref: versionRef(1)})
	r.wantState(key(d, "a", 1), gallery.ReplicaCompleted)
	r.do(&command.SnapshotPut{Snapshot: snapshot("copy", d)})
	r.do(&command.SnapshotDelete{Ref: snapshot("s", "").Ref})
	r.wantState(key(d, "a", 1), gallery.ReplicaCompleted)
	r.do(&command.SnapshotDelete{Ref: snapshot("COPY", "").Ref})
	if r.m.View().Disk(d) != nil {
		t.Error("the disk outlived all that had it")
	}
	// The collector is told where its bytes lie, and what they are.
	for _, id := range []gallery.StoreID{store(1), store(2)} {
		if left := r.m.View().TombstonesOfStore(id); len(left) != 1 || left[0].Disk != d || left[0].Root.IsZero() {
			t.Errorf("tombstones in store %s: %+v", id, left)
		}
	}
}

func TestSnapshotKeeps(t *testing.T) {
	r := newRig(t)
	r.found("a")
	r.group(rg)
	d := r.publish(1, 1)
	made := r.do(&command.SnapshotPut{Snapshot: snapshot("S", d)}).Value.(*gallery.Snapshot)
	if made.Size != 1<<20 || made.State != gallery.SnapshotSucceeded {
		t.Errorf("got %+v", made)
	}
	change := snapshot("s", "")
	change.Tags = map[string]string{"a": "b"}
	got := r.do(&command.SnapshotPut{Snapshot: change, If: command.Precondition{ETag: made.ETag}}).Value.(*gallery.Snapshot)
	if got.Disk != d || got.Size != made.Size || got.Ref.Name != "S" || got.Tags["a"] != "b" {
		t.Errorf("got %+v", got)
	}
	other := r.publish(2, 1)
	r.refuse(gallery.ErrImmutable, &command.SnapshotPut{Snapshot: snapshot("s", other)})
	r.refuse(gallery.ErrPrecondition, &command.SnapshotPut{Snapshot: change, If: command.Precondition{ETag: made.ETag}})
}

func TestSnapshotImport(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	r.group(rg)
	r.start(1, gallery.OperationCreate, &command.SnapshotPut{Snapshot: importing("s", 1)})
	r.wantOperation(1, gallery.OperationInProgress, "")
	ref := importing("s", 1).Ref
	if list := r.m.View().SnapshotsImporting("a"); len(list) != 1 || list[0].State != gallery.SnapshotCreating {
		t.Fatalf("importing %v", list)
	}
	r.refuse(gallery.ErrConflict, &command.SnapshotGrant{Ref: ref, Access: accessID(1), Life: time.Hour})
	r.refuse(gallery.ErrNotFound, &command.SnapshotComplete{Ref: ref, Import: importID(1), Upload: upload(1)})
	r.uploadOf(1, 1, gallery.ContentBlob, gallery.DomainOf(tenant))
	r.uploadOf(2, 1, gallery.ContentDisk, gallery.DomainOf(otherTenant))
	r.uploadOf(3, 2, gallery.ContentDisk, gallery.DomainOf(tenant))
	for n := 1; n <= 3; n++ { // no disk, of another domain, elsewhere
		r.refuse(gallery.ErrInvalid, &command.SnapshotComplete{Ref: ref, Import: importID(1), Upload: upload(n)})
	}
	d := r.uploadOf(4, 1, gallery.ContentDisk, gallery.DomainOf(tenant))
	r.refuse(gallery.ErrStaleClaim, &command.SnapshotComplete{Ref: ref, Import: importID(2), Upload: upload(4)})
	before := r.m.View().Snapshot(ref).ETag
	r.do(&command.SnapshotComplete{Ref: ref, Import: importID(1), Upload: upload(4)})
	s := r.m.View().Snapshot(ref)
	if s.Disk != d || s.State != gallery.SnapshotSucceeded || s.Import != nil || s.ETag != before || len(r.m.View().SnapshotsImporting("a")) != 0 {
		t.Errorf("got %+v", s)
	}
	r.wantOperation(1, gallery.OperationSucceeded, "")
	r.refuse(gallery.ErrStaleClaim, &command.SnapshotComplete{Ref: ref, Import: importID(1), Upload: upload(4)})
}

func TestSnapshotImportFails(t *testing.T) {
	r := newRig(t)
	r.found("a")
	r.group(rg)
	ref := importing("s", 1).Ref
	r.start(1, gallery.OperationCreate, &command.SnapshotPut{Snapshot: importing("s", 1)})
	r.do(&command.SnapshotFail{Ref: ref, Import: importID(1), Reason: gallery.ReasonUnreachable, Message: "404"})
	o := r.wantOperation(1, gallery.OperationFailed, gallery.CodeImportFailed)
	if len(o.Details) != 1 || o.Details[0].Message != "404" {
		t.Errorf("details %+v", o.Details)
	}
	if s := r.m.View().Snapshot(ref); s.State != gallery.SnapshotFailed || len(r.m.View().SnapshotsImporting("a")) != 0 {
		t.Errorf("got %+v", s)
	}
	r.do(&command.SnapshotPut{Snapshot: snapshot("s", "")})
	if s := r.m.View().Snapshot(ref); s.State != gallery.SnapshotFailed || !s.Import.Failed() {
		t.Errorf("a write that names no import tries none: %+v", s)
	}
	elsewhere := importing("s", 2)
	elsewhere.Import.URI += "x"
	r.refuse(gallery.ErrImmutable, &command.SnapshotPut{Snapshot: elsewhere})
	r.start(2, gallery.OperationUpdate, &command.SnapshotPut{Snapshot: importing("s", 2)})
	if s := r.m.View().Snapshot(ref); s.State != gallery.SnapshotCreating || s.Import.ID != importID(2) {
		t.Errorf("got %+v", s)
	}
	r.start(3, gallery.OperationDelete, &command.SnapshotDelete{Ref: ref})
	r.wantOperation(2, gallery.OperationFailed, gallery.CodeResourceDeleted)
}

func TestSnapshotAccess(t *testing.T) {
	r := newRig(t)
	r.found("a")
	r.group(rg)
	d := r.publish(1, 1)
	ref := snapshot("s", d).Ref
	r.do(&command.SnapshotPut{Snapshot: snapshot("s", d)})
	for n := range gallery.MaxAccess {
		r.do(&command.SnapshotGrant{Ref: ref, Access: accessID(n), Life: time.Hour})
	}
	r.refuse(gallery.ErrQuota, &command.SnapshotGrant{Ref: ref, Access: accessID(99), Life: time.Hour})
	r.do(&command.SnapshotRevoke{Ref: ref, Access: accessID(0)})
	r.do(&command.SnapshotGrant{Ref: ref, Access: accessID(99), Life: 2 * time.Hour})
	s := r.m.View().Snapshot(ref)
	if s.Granted(accessID(0), r.now) || !s.Granted(accessID(1), r.now) || s.Granted(accessID(1), r.now.Add(time.Hour)) || !s.Granted(accessID(99), r.now.Add(time.Hour)) {
		t.Errorf("access %v", s.Access)
	}
	r.now = r.now.Add(time.Hour)
	r.do(&command.SnapshotGrant{Ref: ref, Access: accessID(100), Life: time.Hour})
	if n := len(r.m.View().Snapshot(ref).Access); n != 2 {
		t.Errorf("%d links, ended ones should go", n)
	}
	r.do(&command.SnapshotRevoke{Ref: ref})
	if n := len(r.m.View().Snapshot(ref).Access); n != 0 {
		t.Errorf("%d links after all were revoked", n)
	}
}

func application(name string) gallery.Image {
	return gallery.Image{Ref: gallery.ImageRef{GalleryRef: galleryRef("g"), Image: gallery.ImageName(name), Kind: gallery.ArtifactApplication},
		ResourceGroup: gallery.DefaultGroup, Location: "a", OSType: gallery.OSLinux}
}

func appVersion(patch int, targets ...gallery.RegionName) gallery.ImageVersion {
	v := version(patch, "", "a", targets...)
	v.Ref.ImageRef, v.Disks = application("debian").Ref, nil
	v.App = &gallery.AppVersion{Install: "./install", Remove: "./remove"}
	return v
}

// TestApplication holds that an application lives beside an image of the same name, with versions that replicate like any other.
func TestApplication(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	r.do(&command.ImagePut{Image: application("debian")})
	r.do(&command.ImagePut{Image: application("second")}) // no identifier to be unique
	told := application("second")
	told.EULA, told.PrivacyURI = "eula", "https://privacy.example"
	r.do(&command.ImagePut{Image: told})
	told.EULA = "" // unlike an image's
	r.do(&command.ImagePut{Image: told})
	told.OSType = gallery.OSWindows
	r.refuse(gallery.ErrImmutable, &command.ImagePut{Image: told})
	d := r.uploadOf(1, 1, gallery.ContentBlob, gallery.DomainOf(tenant))
	whole := r.publish(2, 1)
	v := appVersion(1, "a", "b")
	v.Disks = []gallery.VersionDisk{{LUN: gallery.LUNPackage, Disk: whole}}
	r.refuse(gallery.ErrInvalid, &command.VersionPut{Version: v})
	v.Disks[0].Disk = d
	r.start(1, gallery.OperationCreate, &command.VersionPut{Version: v})
	r.refuse(gallery.ErrInvalid, &command.VersionPut{Version: version(1, d, "a", "a")}) // a blob is no disk
	r.replicate(1, key(d, "b", 1), 2)
	r.wantOperation(1, gallery.OperationSucceeded, "")
	if latest := r.m.View().Latest("b", v.Ref.ImageRef); latest == nil || latest.Ref.Version != v.Ref.Version {
		t.Errorf("latest is %v", latest)
	}
	if r.m.View().Latest("b", image("debian", "a").Ref) != nil {
		t.Error("the image of that name has no version")
	}
	r.refuse(gallery.ErrInUse, &command.ImageDelete{Ref: v.Ref.ImageRef})
	r.do(&command.ImageDelete{Ref: image("debian", "a").Ref})
	r.refuse(gallery.ErrInUse, &command.GalleryDelete{Ref: galleryRef("g")})
	changed := v
	changed.App = &gallery.AppVersion{Install: "other", Remove: "./remove"}
	r.refuse(gallery.ErrImmutable, &command.VersionPut{Version: changed})
	r.do(&command.VersionDelete{Ref: v.Ref})
	r.do(&command.ImageDelete{Ref: v.Ref.ImageRef})
	r.do(&command.ImageDelete{Ref: application("second").Ref})
	r.do(&command.GalleryDelete{Ref: galleryRef("g")})
}

func blobImport(lun, n int, uri string) gallery.DiskImport {
	return gallery.DiskImport{LUN: lun, Import: gallery.Import{ID: importID(n), URI: "https://store.example/" + uri}}
}

func TestVersionImport(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	r.do(&command.ImagePut{Image: application("debian")})
	v := appVersion(1, "a", "b")
	v.Imports = []gallery.DiskImport{blobImport(gallery.LUNPackage, 1, "package"), blobImport(gallery.LUNConfig, 2, "config")}
	r.start(1, gallery.OperationCreate, &command.VersionPut{Version: v})
	r.wantOperation(1, gallery.OperationInProgress, "")
	if list := r.m.View().VersionsImporting("a"); len(list) != 1 {
		t.Fatalf("importing %v", list)
	}
	// The configuration comes first; nothing is wanted before the package is here, too.
	config := r.uploadOf(1, 1, gallery.ContentBlob, gallery.DomainOf(tenant))
	r.do(&command.VersionImported{Ref: v.Ref, Import: importID(2), Upload: upload(1)})
	r.wantState(key(config, "b", 1), "")
	r.refuse(gallery.ErrStaleClaim, &command.VersionImported{Ref: v.Ref, Import: importID(2), Upload: upload(1)})
	r.now = r.now.Add(2 * life)
	r.do(&command.ExpireUploads{})
	if r.m.View().Disk(config) == nil {
		t.Fatal("a disk that a version waits with was dropped")
	}
	r.do(&command.VersionImportFailed{Ref: v.Ref, Import: importID(1), Reason: gallery.ReasonUnreachable, Message: "no answer"})
	r.wantOperation(1, gallery.OperationFailed, gallery.CodeImportFailed)
	again := *r.m.View().Version(v.Ref)
	if again.Provisioning(r.m.View().VersionStatus(&again), nil) != gallery.ProvisioningFailed || len(r.m.View().VersionsImporting("a")) != 0 {
		t.Error("it is not given up")
	}
	again.Imports = []gallery.DiskImport{blobImport(gallery.LUNPackage, 3, "package")}
	r.start(2, gallery.OperationUpdate, &command.VersionPut{Version: again})
	pack := r.uploadOf(2, 1, gallery.ContentBlob, gallery.DomainOf(tenant))
	r.do(&command.VersionImported{Ref: v.Ref, Import: importID(3), Upload: upload(2)})
	row := r.m.View().Version(v.Ref)
	if len(row.Imports) != 0 || len(row.Disks) != 2 || row.Disks[0].Disk != pack || row.Disks[1].Disk != config {
		t.Fatalf("got %+v", row)
	}
	for n, d := range map[int]gallery.DiskID{2: pack, 1: config} {
		r.wantOperation(2, gallery.OperationInProgress, "")
		r.replicate(n, key(d, "b", 1), 2)
	}
	r.wantOperation(2, gallery.OperationSucceeded, "")
}

// TestImportOfAnotherDomain holds that a source of another domain may be named, and that its disk is not used itself.
func TestImportOfAnotherDomain(t *testing.T) {
	r := newRig(t)
	r.found("a")
	foreign := r.uploadOf(1, 1, gallery.ContentDisk, gallery.DomainOf(otherTenant))
	v := version(1, foreign, "a", "a")
	r.refuse(gallery.ErrInvalid, &command.VersionPut{Version: v})
	v.Disks = nil
	v.Imports = []gallery.DiskImport{{LUN: gallery.LUNOS, HostCaching: gallery.CachingReadOnly, Import: gallery.Import{ID: importID(1), Source: disk(9)}}}
	r.refuse(gallery.ErrInvalid, &command.VersionPut{Version: v})
	v.Imports[0].Source = foreign
	r.do(&command.VersionPut{Version: v})
	own := r.uploadOf(2, 1, gallery.ContentDisk, gallery.DomainOf(tenant))
	r.do(&command.VersionImported{Ref: v.Ref, Import: importID(1), Upload: upload(2)})
	got := r.m.View().Version(v.Ref)
	if got.Disks[0].Disk != own || got.Disks[0].HostCaching != gallery.CachingReadOnly || got.Disks[0].SizeBytes != 1<<20 {
		t.Errorf("got %+v", got.Disks)
	}
	r.wantState(key(own, "a", 1), gallery.ReplicaCompleted)
}

func TestRegionKeepsItsSnapshots(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	r.group(rg)
	d := r.publish(1, 2)
	s := snapshot("s", d)
	s.Location = "b"
	r.do(&command.SnapshotPut{Snapshot: s})
	r.do(&command.NodeRemove{ID: node(2)})
	if e := r.refuse(gallery.ErrInUse, &command.RegionRemove{Region: "b"}); e.Message != "snapshot Prod/s lies there" {
		t.Error(e.Message)
	}
	r.do(&command.RegionRemove{Region: "b", Lost: true})
	if len(r.m.View().ReplicasOfRegion("b")) != 0 {
		t.Error("a lost region wants copies")
	}
}
