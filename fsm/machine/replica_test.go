package machine_test

import (
	"testing"
	"time"

	"loggia/fsm/command"
	"loggia/gallery"
)

func TestPublishAndReplicate(t *testing.T) {
	r := newRig(t)
	r.found("a", "b", "c")
	d := r.publish(1, 1)
	r.wantState(key(d, "a", 1), gallery.ReplicaCompleted)
	r.do(&command.VersionPut{Version: version(0, d, "a", "a", "b", "c")})
	r.wantState(key(d, "b", 1), gallery.ReplicaUnknown)
	v := r.m.View()
	if got := gallery.Aggregate(v.VersionStatus(v.Version(versionRef(0)))); got != gallery.AggregatedInProgress {
		t.Fatalf("aggregated %s", got)
	}
	if v.Latest("b", versionRef(0).ImageRef) != nil || v.Latest("a", versionRef(0).ImageRef) == nil {
		t.Fatal("latest must name the version in a only")
	}
	etag := v.Version(versionRef(0)).ETag
	r.replicate(1, key(d, "b", 1), 2)
	r.replicate(1, key(d, "c", 1), 3)
	v = r.m.View()
	if got := gallery.Aggregate(v.VersionStatus(v.Version(versionRef(0)))); got != gallery.AggregatedCompleted {
		t.Fatalf("aggregated %s", got)
	}
	if v.Latest("b", versionRef(0).ImageRef) == nil || v.Version(versionRef(0)).ETag != etag {
		t.Fatal("latest in b, with the etag as it was")
	}
}

func TestHomeNoTarget(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	d := r.publish(1, 1)
	r.do(&command.VersionPut{Version: version(0, d, "b", "b")})
	r.wantState(key(d, "a", 1), gallery.ReplicaRetiring)
	r.replicate(1, key(d, "b", 1), 2)
	r.wantState(key(d, "a", 1), "")
	r.wantState(key(d, "b", 1), gallery.ReplicaCompleted)
	if n := len(r.m.View().TombstonesOfStore(store(1))); n != 1 {
		t.Fatalf("%d tombstones in a, want 1", n)
	}
}

func TestTargetsChange(t *testing.T) {
	r := newRig(t)
	r.found("a", "b", "c")
	d := r.publish(1, 1)
	r.do(&command.VersionPut{Version: version(0, d, "a", "a", "b")})
	r.replicate(1, key(d, "b", 1), 2)
	// Dropping a finished region needs leave; an unfinished one does not.
	r.refuse(gallery.ErrNotAllowed, &command.VersionPut{Version: version(0, d, "a", "a")})
	v := version(0, d, "a", "a", "b", "c")
	v.Publishing.TargetRegions[1].ReplicaCount = 2
	r.do(&command.VersionPut{Version: v})
	r.wantState(key(d, "b", 2), gallery.ReplicaUnknown)
	r.wantState(key(d, "c", 1), gallery.ReplicaUnknown)
	r.do(&command.VersionPut{Version: version(0, d, "a", "a", "b")})
	r.wantState(key(d, "b", 2), "")
	r.wantState(key(d, "c", 1), "")
	v = version(0, d, "a", "a")
	v.Safety.AllowDeletionOfReplicatedLocations = true
	r.do(&command.VersionPut{Version: v})
	r.wantState(key(d, "b", 1), "")
}

func TestClaims(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	r.do(&command.JoinTokenPut{Token: gallery.JoinToken{ID: id[gallery.TokenID](9, 9), Hash: root(9), Region: "b", Seat: gallery.SeatStandby, Expires: r.now.Add(life), Uses: 1}})
	r.do(&command.NodeJoin{Node: gallery.Node{ID: node(9), Region: "b", Address: "127.0.0.1:2", Seat: gallery.SeatStandby}, Token: id[gallery.TokenID](9, 9), Hash: root(9)})
	d := r.publish(1, 1)
	r.do(&command.VersionPut{Version: version(0, d, "a", "a", "b")})
	k := key(d, "b", 1)
	first := r.claim(k, 2).Replica.Claim
	if first.Epoch != r.index {
		t.Fatalf("epoch %d, want the index %d", first.Epoch, r.index)
	}
	r.refuse(gallery.ErrClaimed, &command.ReplicaClaim{Replica: k, Node: node(9), Lease: lease})
	r.refuse(gallery.ErrInvalid, &command.ReplicaClaim{Replica: k, Node: node(1), Lease: lease})
	second := r.claim(k, 2).Replica.Claim
	if len(second.Predecessors) != 1 || second.Predecessors[0] != first.Epoch {
		t.Fatalf("predecessors %v, want %d", second.Predecessors, first.Epoch)
	}
	r.refuse(gallery.ErrStaleClaim, &command.ReplicaComplete{Replica: k, Epoch: first.Epoch, Root: root(1), Table: root(1)})
	r.refuse(gallery.ErrVerification, &command.ReplicaComplete{Replica: k, Epoch: second.Epoch, Root: root(2), Table: root(1)})
	r.refuse(gallery.ErrStaleRepository, &command.ReplicaComplete{Replica: k, Epoch: second.Epoch, RepositoryEpoch: 7, Root: root(1), Table: root(1)})
	c := r.do(&command.ReplicaCheckpoint{Node: node(2), Lease: lease, Claims: []command.ClaimProgress{
		{Epoch: second.Epoch, Progress: gallery.Progress{Total: 100, Sent: 40, Left: 60}}, {Epoch: first.Epoch}}}).Value.(*command.Checkpointed)
	if len(c.Stale) != 1 || c.Stale[0] != first.Epoch {
		t.Fatalf("stale %v", c.Stale)
	}
	r.do(&command.ReplicaCheckpoint{Node: node(2), Lease: lease, Claims: []command.ClaimProgress{
		{Epoch: second.Epoch, Progress: gallery.Progress{Total: 100, Sent: 30, Left: 70}}}})
	if p := r.m.View().Replica(k).Progress; p.Sent != 40 || p.Left != 60 {
		t.Fatalf("progress went backwards: %+v", p)
	}
	r.now = r.now.Add(lease / 2)
	if n := r.do(&command.ExpireClaims{}).Value.(*command.Expired).Count; n != 0 {
		t.Fatalf("%d claims expired early", n)
	}
	r.now = r.now.Add(lease)
	if n := r.do(&command.ExpireClaims{}).Value.(*command.Expired).Count; n != 1 {
		t.Fatalf("%d claims expired, want 1", n)
	}
	third := r.claim(k, 9).Replica.Claim
	if len(third.Predecessors) != 2 {
		t.Fatalf("predecessors %v, want both earlier claims", third.Predecessors)
	}
	r.do(&command.ReplicaFail{Replica: k, Epoch: third.Epoch, Reason: gallery.ReasonStoreFull, Error: "no room", NextRetry: r.now.Add(time.Minute)})
	if row := r.m.View().Replica(k); row.State != gallery.ReplicaFailed || row.Reason != gallery.ReasonStoreFull || row.Claim != nil {
		t.Fatalf("after the failure: %+v", row)
	}
	r.replicate(1, k, 9)
}

func TestRegionRemove(t *testing.T) {
	r := newRig(t)
	r.found("a", "b", "c")
	d1, d2 := r.publish(1, 1), r.publish(2, 1)
	r.do(&command.VersionPut{Version: version(1, d1, "a", "a", "b")})
	r.do(&command.VersionPut{Version: version(2, d2, "a", "a", "b")})
	r.replicate(1, key(d1, "b", 1), 2)
	r.refuse(gallery.ErrInUse, &command.RegionRemove{Region: "a"})
	out := r.do(&command.RegionRemove{Region: "a", Lost: true}).Value.(*command.RegionRemoved)
	if len(out.NoSource) != 1 || out.NoSource[0] != versionRef(2) || len(out.Changed) != 2 || len(out.Nodes) != 1 {
		t.Fatalf("removed: %+v", out)
	}
	if row := r.m.View().Replica(key(d2, "b", 1)); row.State != gallery.ReplicaFailed || row.Reason != gallery.ReasonNoSource {
		t.Fatalf("the second version in b: %+v", row)
	}
	r.wantState(key(d1, "b", 1), gallery.ReplicaCompleted)
	// The home is gone, and the version can still be changed.
	r.do(&command.VersionPut{Version: version(1, d1, "a", "b", "c")})
	r.replicate(1, key(d1, "c", 1), 3)
	r.do(&command.RegionRemove{Region: "c", Lost: true})
	r.refuse(gallery.ErrNotFound, &command.RegionRemove{Region: "c"})
}

func TestMarkLost(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	d := r.publish(1, 1)
	r.do(&command.VersionPut{Version: version(1, d, "a", "a", "b")})
	r.do(&command.ReplicaMarkLost{Replica: key(d, "a", 1), Reason: gallery.ReasonDamaged})
	if row := r.m.View().Replica(key(d, "b", 1)); row.Reason != gallery.ReasonNoSource {
		t.Fatalf("b has reason %q", row.Reason)
	}
	r.replicate(1, key(d, "a", 1), 1) // repaired from what is there
	if row := r.m.View().Replica(key(d, "b", 1)); row.Reason != "" || row.State != gallery.ReplicaUnknown {
		t.Fatalf("b after the repair: %+v", row)
	}
}

// TestMarkLostAtOnce: where two regions find their copies of a disk damaged at once, the second one keeps what it has, and the first is made whole
// from that and from what it has itself (D11).
func TestMarkLostAtOnce(t *testing.T) {
	r := newRig(t)
	r.found("a", "b", "c")
	d := r.publish(1, 1)
	r.do(&command.VersionPut{Version: version(1, d, "a", "a", "b", "c")})
	r.replicate(1, key(d, "b", 1), 2)
	lost := func(region gallery.RegionName) *command.ReplicaMarkLost {
		return &command.ReplicaMarkLost{Replica: key(d, region, 1), Reason: gallery.ReasonDamaged, Spare: true}
	}
	r.do(lost("a"))
	r.refuse(gallery.ErrNotAllowed, lost("b"))
	r.refuse(gallery.ErrConflict, lost("a"))
	r.wantState(key(d, "a", 1), gallery.ReplicaUnknown)
	r.wantState(key(d, "b", 1), gallery.ReplicaCompleted)
	if row := r.m.View().Replica(key(d, "c", 1)); row.Reason != "" {
		t.Fatalf("c has reason %q", row.Reason)
	}
	r.replicate(1, key(d, "a", 1), 1)
	r.do(lost("b")) // now there is another
	r.wantState(key(d, "b", 1), gallery.ReplicaUnknown)

	r.refuse(gallery.ErrNotAllowed, lost("a"))
	r.do(&command.ReplicaMarkLost{Replica: key(d, "a", 1), Reason: gallery.ReasonDamaged}) // a person decides
	for _, region := range []gallery.RegionName{"a", "b", "c"} {
		if row := r.m.View().Replica(key(d, region, 1)); row.Reason != gallery.ReasonNoSource {
			t.Errorf("%s has reason %q", region, row.Reason)
		}
	}
	// What is left of them is no whole copy, but something.
	if row := r.claim(key(d, "b", 1), 2).Replica; !row.Remains() || row.Reason != gallery.ReasonNoSource || row.State != gallery.ReplicaReplicating {
		t.Errorf("while it is made from what is left: %+v", row)
	}
	if row := r.m.View().Replica(key(d, "c", 1)); row.Remains() {
		t.Error("something is left of a copy that never was")
	}
}

// TestLostCopiesAreAccountedFor: what lies in the store of a copy that was given up, and is then no longer wanted, is garbage that the collector can
// explain.
func TestLostCopiesAreAccountedFor(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	d := r.publish(1, 1)
	r.do(&command.VersionPut{Version: version(1, d, "a", "a", "b")})
	r.replicate(1, key(d, "b", 1), 2)
	b := r.m.View().Replica(key(d, "b", 1))
	r.do(&command.ReplicaMarkLost{Replica: b.Key, Reason: gallery.ReasonDamaged, Spare: true})
	r.claim(b.Key, 2) // and the repair does not come to its end
	r.do(&command.VersionDelete{Ref: versionRef(1)})
	got := r.m.View().Tombstones(b.Repository())
	if len(got) != 1 || got[0].Root != root(1) || got[0].Table != b.Table || b.Table.IsZero() {
		t.Errorf("tombstones %+v, want one with root and table", got)
	}
}

// TestRetiringIsSpared: a copy that is no longer wanted is the last one until another is whole; nobody gives it up, as nothing would be left of it.
func TestRetiringIsSpared(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	d := r.publish(1, 1)
	r.do(&command.VersionPut{Version: version(1, d, "b", "b")})
	r.wantState(key(d, "a", 1), gallery.ReplicaRetiring)
	for _, spare := range []bool{true, false} {
		r.refuse(gallery.ErrNotAllowed, &command.ReplicaMarkLost{Replica: key(d, "a", 1), Reason: gallery.ReasonDamaged, Spare: spare})
	}
	r.wantState(key(d, "a", 1), gallery.ReplicaRetiring)
}

func TestStoreLost(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	d := r.publish(1, 1)
	r.do(&command.VersionPut{Version: version(1, d, "a", "a", "b")})
	r.replicate(1, key(d, "b", 1), 2)
	r.refuse(gallery.ErrInUse, &command.StoreRemove{ID: store(2)})
	r.do(&command.StoreRemove{ID: store(2), Lost: true})
	if row := r.m.View().Replica(key(d, "b", 1)); row == nil || row.Store != "" || row.Reason != gallery.ReasonNoStore {
		t.Fatalf("without a store: %+v", row)
	}
	r.refuse(gallery.ErrUnavailable, &command.ReplicaClaim{Replica: key(d, "b", 1), Node: node(2), Lease: lease})
	r.do(&command.StorePut{Store: gallery.Store{ID: store(8), Region: "b", Name: "new", Class: gallery.ClassStandard, Kind: gallery.KindS3}})
	if row := r.m.View().Replica(key(d, "b", 1)); row.Store != store(8) || row.State != gallery.ReplicaUnknown {
		t.Fatalf("with a new store: %+v", row)
	}
	r.replicate(1, key(d, "b", 1), 2)
}

func TestSharedDisk(t *testing.T) {
	r := newRig(t)
	r.found("a", "b", "c")
	d := r.publish(1, 1)
	r.do(&command.VersionPut{Version: version(1, d, "a", "a", "b")})
	r.do(&command.VersionPut{Version: version(2, d, "a", "a", "c")})
	r.replicate(1, key(d, "b", 1), 2)
	r.do(&command.VersionDelete{Ref: versionRef(1)})
	r.wantState(key(d, "b", 1), "")
	r.wantState(key(d, "a", 1), gallery.ReplicaCompleted)
	r.do(&command.VersionDelete{Ref: versionRef(2)})
	if v := r.m.View(); v.Disk(d) != nil || len(v.ReplicasOfDisk(d)) != 0 {
		t.Fatal("the disk stayed without a version")
	}
}

func TestClassesSideBySide(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	r.do(&command.StorePut{Store: gallery.Store{ID: store(7), Region: "a", Name: "fast", Zone: "2", Class: gallery.ClassPremium, Kind: gallery.KindS3}})
	d := r.publish(1, 1)
	v := version(1, d, "a", "a")
	v.Publishing.StorageClass = gallery.PremiumLRS
	r.do(&command.VersionPut{Version: v})
	r.wantState(key(d, "a", 1), gallery.ReplicaRetiring)
	if r.m.View().Latest("a", versionRef(1).ImageRef) == nil {
		t.Fatal("a whole copy in another class counts for latest")
	}
	r.replicate(1, key(d, "a", 101), 1)
	r.wantState(key(d, "a", 1), "")
	v = version(2, d, "a", "a")
	v.Publishing.StorageClass = gallery.StandardZRS
	if e := r.refuse(gallery.ErrInvalid, &command.VersionPut{Version: v}); e.Field != "properties.publishingProfile.targetRegions[0].storageAccountType" {
		t.Fatalf("field %q", e.Field)
	}
}
