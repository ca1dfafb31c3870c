package machine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"loggia/fsm/command"
	"loggia/gallery"
)

func operationID(n int) gallery.OperationID { return id[gallery.OperationID](0x71, n) }

// start applies a command that must succeed and asks for operation n.
func (r *rig) start(n int, kind gallery.OperationKind, c command.Command) command.Result {
	r.t.Helper()
	res := r.send(command.Header{Principal: "ops", Operation: &gallery.OperationStart{ID: operationID(n), Subscription: sub, Tenant: tenant, Location: "a",
		Kind: kind, Resource: sub.Scope()}}, c)
	if res.Err != nil {
		r.t.Fatalf("%s: %v", c.Kind(), res.Err)
	}
	return res
}

func (r *rig) wantOperation(n int, status gallery.OperationStatus, code string) *gallery.Operation {
	r.t.Helper()
	o := r.m.View().Operation(operationID(n))
	if o == nil || o.Status != status || o.Code != code {
		r.t.Fatalf("operation %d is %+v, want %s %q", n, o, status, code)
	}
	if o.Open() == !o.Ended.IsZero() || o.Open() == o.Deadline.IsZero() {
		r.t.Fatalf("operation %d is %s, ended %s, deadline %s", n, o.Status, o.Ended, o.Deadline)
	}
	return o
}

func TestOperationEndsWithItsEntry(t *testing.T) {
	r := newRig(t)
	r.found("a")
	r.start(1, gallery.OperationUpdate, &command.GalleryPut{Gallery: *r.m.View().Gallery(galleryRef("g"))})
	r.wantOperation(1, gallery.OperationSucceeded, "")
	before := r.m.View().Meta().Sum
	res := r.send(command.Header{Operation: &gallery.OperationStart{ID: operationID(2), Location: "a", Kind: gallery.OperationCreate, Resource: "/"}},
		&command.ImageDelete{Ref: image("none", "a").Ref})
	if res.Err == nil || r.m.View().Meta().Sum != before {
		t.Fatalf("a refused write leaves no operation: %v", res.Err)
	}
	res = r.send(command.Header{Operation: &gallery.OperationStart{ID: operationID(1), Location: "a", Kind: gallery.OperationCreate, Resource: "/"}},
		&command.RegionPut{Region: gallery.Region{Name: "z"}})
	if res.Err == nil || res.Err.Kind != gallery.ErrConflict {
		t.Fatalf("an id of an operation is used once, got %v", res.Err)
	}
}

// TestBadOperation holds that the machine refuses what no proposer would encode.
func TestBadOperation(t *testing.T) {
	r := newRig(t)
	r.found("a")
	b, err := command.Marshal(map[int]any{1: command.KindExpireClaims, 2: 1, 5: r.now, 6: map[int]int{},
		7: map[int]any{1: "x", 4: "a", 5: "create", 6: "/"}})
	if err != nil {
		t.Fatal(err)
	}
	before := r.m.View().Meta().Sum
	if res := r.apply(b); res.Err == nil || res.Err.Kind != gallery.ErrInvalid || r.m.View().Meta().Sum != before {
		t.Errorf("got %v", res.Err)
	}
}

func TestVersionOperation(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	d := r.publish(1, 1)
	res := r.start(1, gallery.OperationCreate, &command.VersionPut{Version: version(1, d, "a", "a", "b")})
	if v := res.Value.(*gallery.ImageVersion); v.Operation != operationID(1) {
		t.Errorf("the version names %q", v.Operation)
	}
	o := r.wantOperation(1, gallery.OperationInProgress, "")
	if fmt.Sprint(o.Targets) != "[a b]" || !o.Deadline.Equal(r.now.Add(gallery.OperationLife)) {
		t.Errorf("targets %v, deadline %s", o.Targets, o.Deadline)
	}
	g := r.claim(key(d, "b", 1), 2)
	r.do(&command.ReplicaFail{Replica: key(d, "b", 1), Epoch: g.Replica.Claim.Epoch, Reason: gallery.ReasonUnreachable})
	r.wantOperation(1, gallery.OperationInProgress, "") // waiting may cure it
	r.replicate(1, key(d, "b", 1), 2)
	r.wantOperation(1, gallery.OperationSucceeded, "")
	r.start(2, gallery.OperationUpdate, &command.VersionPut{Version: version(1, d, "a", "a", "b")})
	r.wantOperation(2, gallery.OperationSucceeded, "") // everything is there already
}

func TestVersionOperationFails(t *testing.T) {
	r := newRig(t)
	r.found("a", "b", "c")
	d := r.publish(1, 1)
	r.start(1, gallery.OperationCreate, &command.VersionPut{Version: version(1, d, "a", "a", "b", "c")})
	g := r.claim(key(d, "b", 1), 2)
	r.do(&command.ReplicaFail{Replica: key(d, "b", 1), Epoch: g.Replica.Claim.Epoch, Reason: gallery.ReasonStoreFull, Error: "no room"})
	r.wantOperation(1, gallery.OperationInProgress, "") // c is under way
	r.replicate(1, key(d, "c", 1), 3)
	o := r.wantOperation(1, gallery.OperationFailed, gallery.CodeReplicationJobs)
	if len(o.Details) != 1 || o.Details[0].Target != "b" || !strings.Contains(o.Details[0].Message, "StoreFull: no room") {
		t.Errorf("details %+v", o.Details)
	}
	// A later write tries again at once, fails again, and heals when there is room.
	r.start(2, gallery.OperationUpdate, &command.VersionPut{Version: version(1, d, "a", "a", "b", "c")})
	r.wantOperation(2, gallery.OperationInProgress, "")
	if row := r.m.View().Replica(key(d, "b", 1)); row.State != gallery.ReplicaUnknown || !row.NextRetry.IsZero() || row.LastError != "no room" {
		t.Errorf("the replica after the write: %+v", row)
	}
	g = r.claim(key(d, "b", 1), 2)
	r.do(&command.ReplicaFail{Replica: key(d, "b", 1), Epoch: g.Replica.Claim.Epoch, Reason: gallery.ReasonStoreFull, Error: "no room", NextRetry: r.now.Add(time.Hour)})
	r.wantOperation(2, gallery.OperationFailed, gallery.CodeReplicationJobs)
	r.replicate(1, key(d, "b", 1), 2)
	r.start(3, gallery.OperationUpdate, &command.VersionPut{Version: version(1, d, "a", "a", "b", "c")})
	r.wantOperation(3, gallery.OperationSucceeded, "")
}

// TestNewestWishCounts holds that the operation of an older write goes on with what the newest one wants.
func TestNewestWishCounts(t *testing.T) {
	r := newRig(t)
	r.found("a", "b", "c")
	d := r.publish(1, 1)
	v := version(1, d, "a", "a", "b")
	v.Safety.AllowDeletionOfReplicatedLocations = true
	r.start(1, gallery.OperationCreate, &command.VersionPut{Version: v})
	next := version(1, d, "a", "a", "c")
	r.start(2, gallery.OperationUpdate, &command.VersionPut{Version: next})
	r.replicate(1, key(d, "c", 1), 3)
	r.wantOperation(1, gallery.OperationSucceeded, "")
	r.wantOperation(2, gallery.OperationSucceeded, "")
}

func TestDeleteEndsOperations(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	d := r.publish(1, 1)
	r.start(1, gallery.OperationCreate, &command.VersionPut{Version: version(1, d, "a", "a", "b")})
	r.start(2, gallery.OperationDelete, &command.VersionDelete{Ref: versionRef(1)})
	r.wantOperation(1, gallery.OperationFailed, gallery.CodeResourceDeleted)
	r.wantOperation(2, gallery.OperationSucceeded, "")
}

func TestExpireOperations(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	d := r.publish(1, 1)
	r.start(1, gallery.OperationCreate, &command.VersionPut{Version: version(1, d, "a", "a", "b")})
	r.now = r.now.Add(gallery.OperationLife - time.Second)
	if out := r.do(&command.ExpireOperations{}).Value.(*command.Expired); out.Count != 0 {
		t.Fatalf("expired %d before the time", out.Count)
	}
	r.now = r.now.Add(time.Second)
	r.do(&command.ExpireOperations{})
	o := r.wantOperation(1, gallery.OperationFailed, gallery.CodeReplicationJobs)
	if len(o.Details) != 1 || o.Details[0].Target != "b" {
		t.Errorf("details %+v", o.Details)
	}
	r.now = r.now.Add(gallery.OperationHistory)
	r.do(&command.ExpireOperations{})
	if r.m.View().Operation(operationID(1)) != nil {
		t.Error("it is still remembered")
	}
}
