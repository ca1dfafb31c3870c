package machine_test

import (
	"strings"
	"testing"
	"time"

	"loggia/fsm/command"
	"loggia/gallery"
)

func pair(from, to gallery.RegionName) gallery.LimitKey { return gallery.LimitKey{From: from, To: to} }

func TestLimits(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	set := func(k gallery.LimitKey, rate gallery.Rate) *command.LimitPut {
		return &command.LimitPut{Limit: gallery.Limit{Key: k, Rate: rate}}
	}
	got := r.do(set(pair("a", "b"), gallery.MinRate)).Value.(*gallery.Limit)
	if got.By != "ops" || !got.Updated.Equal(r.now) {
		t.Errorf("%+v", got)
	}
	r.do(set(pair("a", "b"), 2*gallery.MinRate))
	r.do(set(gallery.LimitKey{To: "b"}, gallery.MinRate))
	r.do(set(gallery.LimitKey{FromNode: node(2)}, gallery.MinRate))
	if all := r.m.View().Limits(); len(all) != 3 || r.m.View().Limit(pair("a", "b")).Rate != 2*gallery.MinRate {
		t.Errorf("%d limits", len(all))
	}
	r.refuse(gallery.ErrNotFound, set(pair("a", "nowhere"), gallery.MinRate))
	r.refuse(gallery.ErrNotFound, set(gallery.LimitKey{ToNode: node(9)}, gallery.MinRate))
	r.refuse(gallery.ErrNotFound, &command.LimitRemove{Key: pair("b", "a")})
	if _, err := command.Encode(command.Header{Time: r.now}, set(pair("a", "b"), 0)); gallery.KindOf(err) != gallery.ErrInvalid || !strings.Contains(err.Error(), "pause") {
		t.Errorf("a limit of 0: %v", err)
	}
	r.do(&command.RegionRemove{Region: "b", Lost: true})
	if all := r.m.View().Limits(); len(all) != 0 {
		t.Errorf("limits of a region that is no more: %v", all)
	}
}

func TestPauseAndResume(t *testing.T) {
	r := newRig(t)
	r.found("a", "b", "c")
	d := r.publish(1, 1)
	v := version(0, d, "a", "a", "b", "c")
	v.Publishing.Priority = gallery.PriorityLow
	v.Publishing.TargetRegions[2].Priority = gallery.PriorityHigh
	op := gallery.OperationStart{ID: "dddddddd-0000-4000-8000-000000000001", Subscription: sub, Tenant: tenant, Location: "a", Kind: gallery.OperationCreate, Resource: "/subscriptions/" + string(sub)}
	if res := r.send(command.Header{Principal: "ops", Operation: &op}, &command.VersionPut{Version: v}); res.Err != nil {
		t.Fatal(res.Err)
	}
	b, c := key(d, "b", 1), key(d, "c", 1)
	if p, q := r.m.View().Replica(b).Priority, r.m.View().Replica(c).Priority; p != gallery.PriorityLow || q != gallery.PriorityHigh {
		t.Errorf("priorities %q and %q", p, q)
	}
	g := r.claim(b, 2)
	if n := r.do(&command.TransferPause{Version: v.Ref, Regions: []gallery.RegionName{"b"}}).Value.(*command.Steered).Replicas; n != 1 {
		t.Errorf("paused %d replicas", n)
	}
	since := r.m.View().Replica(b).Paused.Since
	r.now = r.now.Add(time.Minute)
	r.do(&command.TransferPause{Version: v.Ref})
	if p := r.m.View().Replica(b).Paused; !p.Since.Equal(since) || p.By != "ops" || r.m.View().Replica(c).Paused == nil {
		t.Errorf("paused twice: %+v", p)
	}
	r.do(&command.ReplicaRelease{Replica: b, Epoch: g.Replica.Claim.Epoch})
	r.wantState(b, gallery.ReplicaUnknown)
	r.refuse(gallery.ErrConflict, &command.ReplicaClaim{Replica: b, Node: node(2), Lease: lease})
	if o := r.m.View().Operation(op.ID); !o.Open() {
		t.Errorf("the operation is %s", o.Status)
	}
	r.refuse(gallery.ErrInvalid, &command.TransferPause{Version: v.Ref, Regions: []gallery.RegionName{"d"}})
	r.refuse(gallery.ErrNotFound, &command.TransferResume{Version: versionRef(7)})
	if n := r.do(&command.TransferResume{Version: v.Ref}).Value.(*command.Steered).Replicas; n != 2 {
		t.Errorf("resumed %d replicas", n)
	}
	again := r.claim(b, 2)
	if tried := again.Replica.Tried; len(tried) != 1 || tried[0] != g.Replica.Claim.Epoch {
		t.Errorf("the packs of the paused claim are not adopted: %v", tried)
	}
	// A copy that was as good as done when the pause came is done.
	r.do(&command.TransferPause{Version: v.Ref, Regions: []gallery.RegionName{"b"}})
	r.do(&command.ReplicaComplete{Replica: b, Epoch: again.Replica.Claim.Epoch, RepositoryEpoch: again.RepositoryEpoch, Root: root(1), Table: root(1)})
	if r.m.View().Replica(b).Paused != nil {
		t.Error("a whole copy is paused")
	}
	r.replicate(1, c, 3)
	r.refuse(gallery.ErrConflict, &command.TransferPause{Version: v.Ref})
}

func TestPriorityFollowsVersions(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	d := r.publish(1, 1)
	low := version(0, d, "a", "a", "b")
	low.Publishing.Priority = gallery.PriorityLow
	r.do(&command.VersionPut{Version: low})
	g := r.claim(key(d, "b", 1), 2)
	high := version(1, d, "a", "a", "b")
	high.Publishing.TargetRegions[1].Priority = gallery.PriorityHigh
	r.do(&command.VersionPut{Version: high})
	if row := r.m.View().Replica(key(d, "b", 1)); row.Priority != gallery.PriorityHigh || row.Claim == nil || row.Claim.Epoch != g.Replica.Claim.Epoch {
		t.Errorf("%+v", row)
	}
	r.do(&command.VersionDelete{Ref: high.Ref})
	if p := r.m.View().Replica(key(d, "b", 1)).Priority; p != gallery.PriorityLow {
		t.Errorf("priority %q after the urgent version went", p)
	}
}
