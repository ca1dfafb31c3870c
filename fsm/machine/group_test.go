package machine_test

import (
	"strconv"
	"testing"
	"time"

	"loggia/fsm/command"
	"loggia/gallery"
)

var rg = gallery.GroupRef{Subscription: sub, Group: "Prod"}

func (r *rig) group(ref gallery.GroupRef) *gallery.ResourceGroup {
	r.t.Helper()
	return r.do(&command.GroupPut{Group: gallery.ResourceGroup{Ref: ref, Location: "a"}}).Value.(*gallery.ResourceGroup)
}

func TestGroups(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	if d := r.m.View().Group(gallery.GroupRef{Subscription: sub, Group: "DEFAULT"}); d == nil || d.Location != "a" {
		t.Fatalf("the default group is made on first need, got %+v", d)
	}
	h := gallery.Gallery{Ref: galleryRef("h"), Tenant: tenant, ResourceGroup: "prod", Location: "a"}
	if e := r.refuse(gallery.ErrNoGroup, &command.GalleryPut{Gallery: h}); e.Field != "resourceGroup" {
		t.Errorf("at %q", e.Field)
	}
	row := r.group(rg)
	r.do(&command.GalleryPut{Gallery: h})
	if got := r.m.View().Gallery(h.Ref).ResourceGroup; got != "Prod" {
		t.Errorf("the gallery is in %q; the group was first written Prod", got)
	}
	moved := *row
	moved.Location = "b"
	r.refuse(gallery.ErrImmutable, &command.GroupPut{Group: moved})
	r.refuse(gallery.ErrInvalid, &command.GroupPut{Group: gallery.ResourceGroup{Ref: gallery.GroupRef{Subscription: sub, Group: "x"}, Location: "none"}})
	r.refuse(gallery.ErrNotFound, &command.GroupPut{Group: gallery.ResourceGroup{Ref: gallery.GroupRef{Subscription: gallery.SubscriptionID(otherTenant), Group: "x"}, Location: "a"}})
	r.refuse(gallery.ErrPrecondition, &command.GroupPut{Group: *row, If: command.Precondition{ETag: 1}})
	r.refuse(gallery.ErrNoGroup, &command.GroupDelete{Ref: gallery.GroupRef{Subscription: sub, Group: "none"}})
}

// fillGroup puts a gallery with n versions of one disk, and a snapshot, into the group.
func (r *rig) fillGroup(n int) gallery.DiskID {
	r.t.Helper()
	r.group(rg)
	r.do(&command.GalleryPut{Gallery: gallery.Gallery{Ref: galleryRef("p"), Tenant: tenant, ResourceGroup: "prod", Location: "a"}})
	i := image("x", "a")
	i.Ref.Gallery, i.ResourceGroup = "p", "prod"
	r.do(&command.ImagePut{Image: i})
	d := r.publish(1, 1)
	for k := range n {
		v := version(k, d, "a", "a")
		v.Ref.ImageRef, v.ResourceGroup = i.Ref, "prod"
		r.do(&command.VersionPut{Version: v})
	}
	r.do(&command.SnapshotPut{Snapshot: snapshot("s", d)})
	return d
}

func TestGroupDelete(t *testing.T) {
	r := newRig(t)
	r.found("a")
	d := r.fillGroup(3)
	out := r.start(1, gallery.OperationDelete, &command.GroupDelete{Ref: rg}).Value.(*command.GroupDeleted)
	if out.Count != 6 || out.More {
		t.Errorf("got %+v, want 3 versions, a definition, a gallery and a snapshot", out)
	}
	r.wantOperation(1, gallery.OperationSucceeded, "")
	v := r.m.View()
	if v.Group(rg) != nil || v.Gallery(galleryRef("p")) != nil || v.Disk(d) != nil || len(v.Snapshots(rg)) != 0 {
		t.Error("something is left")
	}
	if v.Gallery(galleryRef("g")) == nil {
		t.Error("another group's gallery went")
	}
}

func TestGroupDeleteGoesOn(t *testing.T) {
	r := newRig(t)
	r.found("a")
	r.fillGroup(command.MaxGroupSweep + 10)
	out := r.start(1, gallery.OperationDelete, &command.GroupDelete{Ref: rg}).Value.(*command.GroupDeleted)
	if out.Count != command.MaxGroupSweep || !out.More {
		t.Fatalf("got %+v", out)
	}
	r.wantOperation(1, gallery.OperationInProgress, "")
	if open := r.m.View().GroupsDeleting(); len(open) != 1 || open[0].Operation != operationID(1) {
		t.Fatalf("deleting: %+v", open)
	}
	r.refuse(gallery.ErrDeleting, &command.GroupPut{Group: gallery.ResourceGroup{Ref: rg, Location: "a"}})
	r.refuse(gallery.ErrDeleting, &command.GalleryPut{Gallery: gallery.Gallery{Ref: galleryRef("new"), Tenant: tenant, ResourceGroup: "prod", Location: "a"}})
	i := image("y", "a")
	i.Ref.Gallery, i.ResourceGroup = "p", "prod"
	r.refuse(gallery.ErrDeleting, &command.ImagePut{Image: i})
	r.refuse(gallery.ErrDeleting, &command.SnapshotPut{Snapshot: snapshot("t", disk(1))})
	r.start(2, gallery.OperationDelete, &command.GroupDelete{Ref: rg}) // a second wish waits for the same
	if out := r.do(&command.GroupSweep{Ref: rg}).Value.(*command.GroupDeleted); out.More {
		t.Fatalf("got %+v", out)
	}
	r.wantOperation(1, gallery.OperationSucceeded, "")
	r.wantOperation(2, gallery.OperationSucceeded, "")
	if out := r.do(&command.GroupSweep{Ref: rg}).Value.(*command.GroupDeleted); out.Count != 0 || out.More {
		t.Errorf("sweeping what is gone: %+v", out)
	}
}

func TestGroupDeleteIsGuarded(t *testing.T) {
	r := newRig(t)
	r.found("a")
	d := r.fillGroup(1)
	v := version(9, d, "a", "a")
	v.Ref.Gallery, v.Ref.Image, v.ResourceGroup = "p", "x", "prod"
	v.Safety.BlockDeletionBeforeEndOfLife, v.Publishing.EndOfLife = true, r.now.Add(time.Hour)
	r.do(&command.VersionPut{Version: v})
	r.refuse(gallery.ErrBlockedBeforeEOL, &command.GroupDelete{Ref: rg})
	r.refuse(gallery.ErrBlockedBeforeEOL, &command.VersionDelete{Ref: v.Ref})
	r.refuse(gallery.ErrNotAllowed, &command.VersionDelete{Ref: v.Ref})
	r.now = r.now.Add(2 * time.Hour)
	r.do(&command.GroupDelete{Ref: rg})
}

func TestQuotas(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	for n := 1; n < gallery.MaxGalleries; n++ {
		r.do(&command.GalleryPut{Gallery: gallery.Gallery{Ref: galleryRef("n" + strconv.Itoa(n)), Tenant: tenant, ResourceGroup: gallery.DefaultGroup, Location: "a"}})
	}
	more := gallery.Gallery{Ref: galleryRef("more"), Tenant: tenant, ResourceGroup: gallery.DefaultGroup, Location: "a"}
	r.refuse(gallery.ErrQuota, &command.GalleryPut{Gallery: more})
	more.Location = "b"
	r.do(&command.GalleryPut{Gallery: more})
}

func TestReplicasOfAVersionAreBounded(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	d := r.publish(1, 1)
	v := version(1, d, "a", "a", "b")
	v.Publishing.TargetRegions[0].ReplicaCount = 60
	v.Publishing.TargetRegions[1].ReplicaCount = 41
	if e := r.refuse(gallery.ErrQuota, &command.VersionPut{Version: v}); e.Field != "properties.publishingProfile.targetRegions" {
		t.Errorf("at %q", e.Field)
	}
	v.Publishing.TargetRegions[1].ReplicaCount = 40
	r.do(&command.VersionPut{Version: v})
}
