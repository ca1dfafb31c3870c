package machine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"loggia/fsm/command"
	"loggia/gallery"
)

func TestGalleryRules(t *testing.T) {
	r := newRig(t)
	r.found("a")
	g := gallery.Gallery{Ref: galleryRef("G"), Tenant: tenant, ResourceGroup: "default", Location: "a", Description: "new"}
	r.refuse(gallery.ErrPrecondition, &command.GalleryPut{Gallery: g, If: command.Precondition{Absent: true}})
	etag := r.m.View().Gallery(g.Ref).ETag
	row := r.do(&command.GalleryPut{Gallery: g, If: command.Precondition{ETag: etag}}).Value.(*gallery.Gallery)
	if row.Ref.Gallery != "g" || row.ETag == etag || row.CreatedBy != "ops" {
		t.Fatalf("the first spelling stays and the etag moves: %+v", row)
	}
	r.refuse(gallery.ErrPrecondition, &command.GalleryPut{Gallery: g, If: command.Precondition{ETag: etag}})
	g.Location = "b"
	r.refuse(gallery.ErrImmutable, &command.GalleryPut{Gallery: g})
	g.Ref = galleryRef("other")
	if e := r.refuse(gallery.ErrInvalid, &command.GalleryPut{Gallery: g}); e.Field != "location" {
		t.Fatalf("field %q", e.Field)
	}
	r.refuse(gallery.ErrPrecondition, &command.GalleryPut{Gallery: g, If: command.Precondition{Exists: true}})
	if e := r.refuse(gallery.ErrInUse, &command.GalleryDelete{Ref: galleryRef("g")}); !strings.Contains(e.Message, "g/debian") {
		t.Fatalf("the message names no child: %s", e.Message)
	}
	r.do(&command.ImageDelete{Ref: image("debian", "a").Ref})
	r.do(&command.GalleryDelete{Ref: galleryRef("g")})
	r.refuse(gallery.ErrNotFound, &command.GalleryDelete{Ref: galleryRef("g")})
}

func TestImageRules(t *testing.T) {
	r := newRig(t)
	r.found("a")
	twin := image("other", "a")
	twin.Identifier = gallery.Identifier{Publisher: "ACME", Offer: "os", SKU: "debian"}
	if e := r.refuse(gallery.ErrConflict, &command.ImagePut{Image: twin}); e.Field != "properties.identifier" {
		t.Fatalf("field %q", e.Field)
	}
	twin.Identifier.SKU = "other"
	twin.EndOfLife = r.now
	r.refuse(gallery.ErrInvalid, &command.ImagePut{Image: twin})
	twin.EndOfLife = r.now.Add(time.Hour)
	r.do(&command.ImagePut{Image: twin})
	r.now = r.now.Add(2 * time.Hour)
	twin.Description = "past its end of life, and still to be changed"
	r.do(&command.ImagePut{Image: twin})
	twin.Identifier.Offer = "x"
	r.refuse(gallery.ErrImmutable, &command.ImagePut{Image: twin})
	lost := image("i", "a")
	lost.Ref.Gallery = "nosuch"
	r.refuse(gallery.ErrNotFound, &command.ImagePut{Image: lost})
	d := r.publish(1, 1)
	r.do(&command.VersionPut{Version: version(1, d, "a", "a")})
	r.refuse(gallery.ErrInUse, &command.ImageDelete{Ref: image("debian", "a").Ref})
}

func TestVersionRules(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	d := r.publish(1, 1)
	wantField := func(v gallery.ImageVersion, field string) {
		t.Helper()
		if e := r.refuse(gallery.ErrInvalid, &command.VersionPut{Version: v}); e.Field != field {
			t.Fatalf("field %q, want %q (%s)", e.Field, field, e.Message)
		}
	}
	wantField(version(1, disk(99), "a", "a"), "properties.storageProfile.osDiskImage.source")
	wantField(version(1, d, "a", "a", "z"), "properties.publishingProfile.targetRegions[1].name")
	wantField(version(1, d, "a", "b"), "properties.publishingProfile.targetRegions")
	bare := version(1, d, "a")
	bare.Disks = nil
	wantField(bare, "properties.storageProfile.osDiskImage")
	row := r.do(&command.VersionPut{Version: version(1, d, "a")}).Value.(*gallery.ImageVersion)
	if len(row.Publishing.TargetRegions) != 1 || row.Publishing.TargetRegions[0].Region != "a" || row.Disks[0].SizeBytes != 1<<20 {
		t.Fatalf("absent targets mean the location: %+v", row)
	}
	// Absent disks and targets are kept, an explicit other disk is refused.
	bare.Safety.AllowDeletionOfReplicatedLocations = true
	row = r.do(&command.VersionPut{Version: bare}).Value.(*gallery.ImageVersion)
	if len(row.Disks) != 1 || len(row.Publishing.TargetRegions) != 1 {
		t.Fatalf("kept: %+v", row)
	}
	d2 := r.publish(2, 1)
	r.refuse(gallery.ErrImmutable, &command.VersionPut{Version: version(1, d2, "a", "a")})
	v := version(1, d, "a", "a")
	v.Publishing.EndOfLife, v.Safety.BlockDeletionBeforeEndOfLife = r.now.Add(time.Hour), true
	r.do(&command.VersionPut{Version: v})
	r.refuse(gallery.ErrNotAllowed, &command.VersionDelete{Ref: v.Ref})
	r.now = r.now.Add(time.Hour)
	r.do(&command.VersionDelete{Ref: v.Ref})
	if n := len(r.m.View().Tombstones(gallery.RepositoryKey{Store: store(1), Slot: 1, Domain: gallery.DomainOf(tenant)})); n != 1 {
		t.Fatalf("%d tombstones", n)
	}
}

func TestUploads(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	open := &command.UploadOpen{ID: upload(1), Domain: gallery.DomainOf(tenant), Region: "a", Store: store(1), Node: node(1),
		Content: gallery.ContentDisk, Size: 512, Lease: lease, Life: life}
	first := r.do(open).Value.(*command.UploadGranted).Upload.Claim
	if again := r.do(open).Value.(*command.UploadGranted).Upload.Claim; again.Epoch != first.Epoch {
		t.Fatal("opened twice, granted twice")
	}
	other := *open
	other.Size = 1024
	r.refuse(gallery.ErrConflict, &other)
	r.refuse(gallery.ErrInvalid, &command.UploadReopen{ID: upload(1), Node: node(2), Lease: lease})
	second := r.do(&command.UploadReopen{ID: upload(1), Node: node(1), Lease: lease}).Value.(*command.UploadGranted).Upload.Claim
	if len(second.Predecessors) != 1 || second.Predecessors[0] != first.Epoch {
		t.Fatalf("predecessors %v", second.Predecessors)
	}
	complete := command.UploadComplete{ID: upload(1), Epoch: first.Epoch, Disk: disk(1), Root: root(1), Table: root(1)}
	r.refuse(gallery.ErrStaleClaim, &complete)
	r.refuse(gallery.ErrStaleClaim, &command.UploadRenew{ID: upload(1), Epoch: first.Epoch, Lease: lease})
	r.refuse(gallery.ErrStaleClaim, &command.UploadAbandon{ID: upload(1), Epoch: first.Epoch})
	complete.Epoch = second.Epoch
	complete.Remove = []digestID{root(77)}
	r.refuse(gallery.ErrStaleRepository, &complete)
	complete.Remove = nil
	r.do(&complete)
	r.do(&complete) // said again after a lost answer
	r.refuse(gallery.ErrConflict, &command.UploadAbandon{ID: upload(1)})
	r.now = r.now.Add(life)
	if n := r.do(&command.ExpireUploads{}).Value.(*command.Expired).Count; n != 1 {
		t.Fatalf("%d uploads expired", n)
	}
	if v := r.m.View(); v.Disk(disk(1)) != nil || v.Upload(upload(1)) != nil {
		t.Fatal("a disk that no version took stayed")
	}
	r.do(&command.StoreSetState{ID: store(1), State: gallery.StoreFull, Reason: "no room"})
	fresh := *open
	fresh.ID = upload(2)
	r.refuse(gallery.ErrUnavailable, &fresh)
}

func TestJoin(t *testing.T) {
	r := newRig(t)
	r.found("a")
	join := &command.NodeJoin{Node: gallery.Node{ID: node(5), Region: "b", Address: "h:1", Seat: gallery.SeatVoter}}
	r.refuse(gallery.ErrUnauthenticated, join)
	join.Token, join.Hash = id[gallery.TokenID](7, 7), root(7)
	r.refuse(gallery.ErrUnauthenticated, join)
	r.do(&command.JoinTokenPut{Token: gallery.JoinToken{ID: join.Token, Hash: root(7), Region: "b", Seat: gallery.SeatVoter, Expires: r.now.Add(life), Uses: 2}})
	wrong := *join
	wrong.Hash = root(8)
	r.refuse(gallery.ErrUnauthenticated, &wrong)
	seat := *join
	seat.Node.Seat = gallery.SeatStandby
	r.refuse(gallery.ErrForbidden, &seat)
	r.do(join)
	if r.m.View().Region("b") == nil || r.m.View().JoinToken(join.Token).Uses != 1 {
		t.Fatal("the join makes the region and takes one use")
	}
	r.refuse(gallery.ErrConflict, join)
	r.now = r.now.Add(life)
	late := *join
	late.Node.ID = node(6)
	r.refuse(gallery.ErrUnauthenticated, &late)
	update := join.Node
	update.Address = "h:2"
	r.do(&command.NodeUpdate{Node: update})
	update.Region = "a"
	r.refuse(gallery.ErrImmutable, &command.NodeUpdate{Node: update})
}

func TestRepositoryEpoch(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	d := r.publish(1, 1)
	r.do(&command.VersionPut{Version: version(1, d, "a", "a", "b")})
	g := r.claim(key(d, "b", 1), 2)
	repo := g.Replica.Repository()
	claim := r.collector(repo, 2)
	r.do(&command.RepositoryCondemn{Repository: repo, List: root(5), Claim: claim, Marked: r.index})
	done := command.ReplicaComplete{Replica: key(d, "b", 1), Epoch: g.Replica.Claim.Epoch, RepositoryEpoch: g.RepositoryEpoch, Root: root(1), Table: root(1)}
	r.refuse(gallery.ErrStaleRepository, &done)
	r.refuse(gallery.ErrConflict, &command.RepositoryCondemn{Repository: repo, Epoch: r.m.View().Repository(repo).Epoch, List: root(6)})
	done.RepositoryEpoch = r.m.View().Repository(repo).Epoch
	r.do(&done)
	// Merging segments: what is removed must be live.
	home := gallery.RepositoryKey{Store: store(1), Slot: 1, Domain: gallery.DomainOf(tenant)}
	old := r.m.View().Repository(home).Segments
	claim = r.collector(home, 1)
	r.refuse(gallery.ErrStaleClaim, &command.RepositoryCompact{Repository: home, Claim: claim - 1, Add: []gallery.Segment{segment(1, 50)}})
	r.refuse(gallery.ErrStaleRepository, &command.RepositoryCompact{Repository: home, Claim: claim, Add: []gallery.Segment{segment(1, 50)}, Remove: []digestID{root(1)}})
	r.do(&command.RepositoryCompact{Repository: home, Claim: claim, Add: []gallery.Segment{segment(1, 50)}, Remove: []digestID{old[0].ID}})
	if now := r.m.View().Repository(home).Segments; len(now) != 1 || now[0] != segment(1, 50) {
		t.Fatalf("segments %v", now)
	}
	// What a repair took out may be what somebody relies on: it looks again.
	if now := r.m.View().Repository(home).Epoch; now != r.index {
		t.Errorf("epoch %d, want %d", now, r.index)
	}
	r.do(&command.RepositoryCompact{Repository: home, Epoch: r.index, Claim: claim, Add: []gallery.Segment{segment(1, 51)}})
	if now := r.m.View().Repository(home).Epoch; now != r.index-1 {
		t.Errorf("epoch %d after segments were added, want %d", now, r.index-1)
	}
}

func TestClusterOnce(t *testing.T) {
	r := newRig(t)
	r.found("a")
	err := r.refuse(gallery.ErrConflict, &command.ClusterInit{Cluster: gallery.Cluster{ID: id[gallery.ClusterID](1, 2), Tenant: tenant, Subscription: sub}})
	if !errors.Is(err, gallery.ErrConflict) {
		t.Fatal(err)
	}
	r.do(&command.ClusterSetVersion{Version: command.CurrentVersion})
	r.refuse(gallery.ErrInvalid, &command.ClusterSetVersion{Version: command.CurrentVersion - 1})
	r.do(&command.ClusterSetGeneration{Generation: 1})
	r.refuse(gallery.ErrInvalid, &command.ClusterSetGeneration{Generation: 1})
}
