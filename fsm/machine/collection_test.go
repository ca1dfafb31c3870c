package machine_test

import (
	"testing"
	"time"

	"loggia/fsm/command"
	"loggia/gallery"
)

func home(at int) gallery.RepositoryKey {
	return gallery.RepositoryKey{Store: store(at), Slot: 1, Domain: gallery.DomainOf(tenant)}
}

// collector claims a repository for a node and returns the epoch.
func (r *rig) collector(k gallery.RepositoryKey, by int) uint64 {
	r.t.Helper()
	return r.do(&command.RepositoryClaim{Repository: k, Node: node(by), Lease: lease}).Value.(*gallery.Repository).Claim.Epoch
}

func (r *rig) repository(k gallery.RepositoryKey) *gallery.Repository {
	return r.m.View().Repository(k)
}

// second adds another node to region b.
func (r *rig) second(n int) {
	r.t.Helper()
	r.do(&command.JoinTokenPut{Token: gallery.JoinToken{ID: id[gallery.TokenID](9, n), Hash: root(n), Region: "b", Seat: gallery.SeatStandby, Expires: r.now.Add(life), Uses: 1}})
	r.do(&command.NodeJoin{Node: gallery.Node{ID: node(n), Region: "b", Address: "127.0.0.1:2", Seat: gallery.SeatStandby}, Token: id[gallery.TokenID](9, n), Hash: root(n)})
}

func TestCollectorIsOne(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	r.second(9)
	k := home(2)
	first := r.collector(k, 2)
	r.refuse(gallery.ErrClaimed, &command.RepositoryClaim{Repository: k, Node: node(9), Lease: lease})
	r.refuse(gallery.ErrInvalid, &command.RepositoryClaim{Repository: k, Node: node(1), Lease: lease})
	again := r.collector(k, 2) // the node has restarted
	if again == first {
		t.Fatal("a restart must supersede")
	}
	r.refuse(gallery.ErrStaleClaim, &command.RepositoryCondemn{Repository: k, List: root(1), Claim: first, Marked: r.index})
	r.refuse(gallery.ErrStaleClaim, &command.RepositoryRelease{Repository: k, Claim: first})
	// The node's checkpoint renews it; without one the leader expires it, and the other node takes over.
	r.now = r.now.Add(lease - 1)
	r.do(&command.ReplicaCheckpoint{Node: node(2), Lease: lease})
	r.now = r.now.Add(lease - 1)
	if n := r.do(&command.ExpireClaims{}).Value.(*command.Expired).Count; n != 0 {
		t.Fatalf("%d claims expired early", n)
	}
	r.now = r.now.Add(1)
	if n := r.do(&command.ExpireClaims{}).Value.(*command.Expired).Count; n != 1 {
		t.Fatalf("%d claims expired, want 1", n)
	}
	r.collector(k, 9)
	r.do(&command.NodeRemove{ID: node(9)})
	if r.repository(k).Claim != nil {
		t.Fatal("a removed node still collects")
	}
}

func TestCondemnFollowsTheMark(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	d := r.publish(1, 1)
	k := home(1)
	claim := r.collector(k, 1)
	marked := r.index
	e := r.publish(2, 1) // completed after the mark: it may rely on anything
	condemn := &command.RepositoryCondemn{Repository: k, List: root(9), Claim: claim, Marked: marked, Began: marked}
	r.refuse(gallery.ErrStaleRepository, condemn)
	condemn.Marked = r.index
	condemn.Add, condemn.Remove = []gallery.Segment{segment(claim, 70)}, []digestID{segment(0, 1).ID}
	r.do(&command.ClusterSetCollection{Off: true})
	r.refuse(gallery.ErrNotAllowed, condemn)
	r.do(&command.ClusterSetCollection{})
	r.do(&command.VersionPut{Version: version(1, d, "a", "a")})
	r.do(&command.VersionDelete{Ref: versionRef(1)}) // a delete after the mark changes nothing, and stays to be accounted for
	r.do(condemn)
	row := r.repository(k)
	if row.Epoch != r.index || row.Condemned == nil || row.Condemned.Began != marked || len(row.Segments) != 2 || row.Segments[1].ID != segment(claim, 70).ID {
		t.Fatalf("after the condemn: %+v", row)
	}
	r.refuse(gallery.ErrConflict, &command.RepositorySwept{Repository: k, Epoch: row.Epoch, Claim: claim})
	r.do(&command.RepositorySweep{Repository: k, Claim: claim, Epoch: row.Epoch})
	r.do(&command.RepositorySwept{Repository: k, Epoch: row.Epoch, Claim: claim})
	if n := len(r.m.View().Tombstones(k)); n != 1 {
		t.Fatalf("%d tombstones are left, want that of the delete after the mark", n)
	}
	if tomb := r.m.View().Tombstones(k)[0]; tomb.Root != root(1) || tomb.Table != root(1) {
		t.Fatalf("tombstone %+v", tomb)
	}
	r.wantState(key(e, "a", 1), gallery.ReplicaCompleted)
}

func TestSweepWaits(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	d := r.publish(1, 1)
	r.do(&command.VersionPut{Version: version(0, d, "a", "a", "b")})
	k := home(2)
	older := r.claim(key(d, "b", 1), 2).Replica.Claim
	claim := r.collector(k, 2)
	r.do(&command.RepositoryCondemn{Repository: k, List: root(9), Claim: claim, Marked: r.index})
	sweep := &command.RepositorySweep{Repository: k, Claim: claim, Epoch: r.index, Grace: time.Hour}
	r.refuse(gallery.ErrUnavailable, sweep)
	r.now = r.now.Add(time.Hour)
	r.do(&command.ReplicaCheckpoint{Node: node(2), Lease: lease})
	r.refuse(gallery.ErrUnavailable, sweep)
	r.refuse(gallery.ErrStaleRepository, &command.ReplicaComplete{Replica: key(d, "b", 1), Epoch: older.Epoch, Root: root(1), Table: root(1)})
	r.do(&command.ReplicaRelease{Replica: key(d, "b", 1), Epoch: older.Epoch})
	r.claim(key(d, "b", 1), 2) // one from after the Condemn is no hindrance
	r.do(sweep)
	if !r.repository(k).Condemned.Sweeping {
		t.Fatal("not sweeping")
	}
}

func TestCollectionIsOffAfterRecovery(t *testing.T) {
	r := newRig(t)
	r.found("a")
	k := home(1)
	claim := r.collector(k, 1)
	r.do(&command.RepositoryCondemn{Repository: k, List: root(9), Claim: claim, Marked: r.index})
	r.do(&command.ClusterSetGeneration{Generation: 1})
	r.refuse(gallery.ErrNotAllowed, &command.RepositorySweep{Repository: k, Claim: claim, Epoch: r.repository(k).Epoch})
	r.do(&command.ClusterSetCollection{})
	r.do(&command.RepositorySweep{Repository: k, Claim: claim, Epoch: r.repository(k).Epoch})
}

func TestOperatorAsks(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	r.publish(1, 1)
	r.refuse(gallery.ErrNotFound, &command.RepositoryAsk{Region: "z"})
	r.refuse(gallery.ErrNotFound, &command.RepositoryAsk{Region: "a", Store: store(2)})
	out := r.do(&command.RepositoryAsk{Region: "a", DryRun: true}).Value.(*command.RepositoriesAsked)
	row := r.repository(home(1))
	if out.Count != 1 || !row.Due() || row.Asked.Index != out.Index || !row.Asked.DryRun {
		t.Fatalf("asked %+v, row %+v", out, row)
	}
	claim := r.collector(home(1), 1)
	r.do(&command.RepositoryRelease{Repository: home(1), Claim: claim, Report: &gallery.Collection{State: gallery.CollectionDryRun, Asked: out.Index}})
	if row = r.repository(home(1)); row.Due() || row.Claim != nil || row.Last.Ended.IsZero() {
		t.Fatalf("after the run %+v", row)
	}
}

// TestBeforeTheCollector holds that entries from before cluster version 3 mean what they meant.
func TestBeforeTheCollector(t *testing.T) {
	r := newRig(t)
	r.do(&command.ClusterInit{Cluster: gallery.Cluster{ID: id[gallery.ClusterID](1, 1), Tenant: tenant, Subscription: sub, Version: 2}})
	r.do(&command.NodeJoin{Node: gallery.Node{ID: node(1), Region: "a", Address: "127.0.0.1:1", Seat: gallery.SeatVoter}})
	r.do(&command.StorePut{Store: gallery.Store{ID: store(1), Region: "a", Name: "main", Zone: "1", Class: gallery.ClassStandard, Kind: gallery.KindFilesystem}})
	r.publish(1, 1)
	k := home(1)
	if r.repository(k).Changed != 0 {
		t.Fatal("a row of version 2 has a field of version 3")
	}
	r.do(&command.RepositoryCompact{Repository: k, Add: []gallery.Segment{segment(1, 50)}, Remove: []digestID{segment(0, 1).ID}})
	r.do(&command.RepositoryCondemn{Repository: k, List: root(9), Claim: 4})
	r.do(&command.RepositorySwept{Repository: k, Epoch: r.index})
	r.do(&command.ClusterSetGeneration{Generation: 1})
	if r.m.View().Cluster().CollectionOff {
		t.Fatal("a row of version 2 has a field of version 3")
	}
}
