package upkeep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"loggia/fsm/command"
	"loggia/fsm/machine"
	"loggia/gallery"
	"loggia/internal/digest"
)

// oneNode is a log of one machine.
type oneNode struct {
	t     *testing.T
	m     *machine.Machine
	index uint64
	now   time.Time
	knows map[gallery.NodeID]uint32 // what Understands answers; absent: an error
	sent  map[command.Kind]int
}

func newNode(t *testing.T, version uint32) (*oneNode, *Leader) {
	n := &oneNode{t: t, m: machine.New(), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), knows: map[gallery.NodeID]uint32{}, sent: map[command.Kind]int{}}
	n.do(&command.ClusterInit{Cluster: gallery.Cluster{ID: id[gallery.ClusterID](1), Tenant: id[gallery.TenantID](2), Subscription: id[gallery.SubscriptionID](3), Version: version}})
	n.do(&command.RegionPut{Region: gallery.Region{Name: "a"}})
	l := New(Options{Watched: n.m.Watched, Log: n, Now: func() time.Time { return n.now }, Logger: slog.New(slog.DiscardHandler),
		Understands: func(_ context.Context, id gallery.NodeID) (uint32, error) {
			if v, ok := n.knows[id]; ok {
				return v, nil
			}
			return 0, errors.New("no such route")
		}})
	return n, l
}

func id[T ~string](n int) T { return T(fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012x", n)) }

func (n *oneNode) Propose(_ context.Context, h command.Header, c command.Command) (command.Result, error) {
	b, err := command.Encode(h, c)
	if err != nil {
		return command.Result{}, err
	}
	n.index++
	n.sent[c.Kind()]++
	res, ok := n.m.Apply(n.index, 1, b).(command.Result)
	if !ok {
		n.t.Fatalf("entry %d was not applied", n.index)
	}
	return res, nil
}

func (n *oneNode) do(c command.Command) {
	n.t.Helper()
	n.start(c, nil)
}

func (n *oneNode) start(c command.Command, o *gallery.OperationStart) {
	n.t.Helper()
	res, err := n.Propose(n.t.Context(), command.Header{Time: n.now, Operation: o}, c)
	if err == nil {
		err = res.Failure()
	}
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *oneNode) join(number int) gallery.NodeID {
	n.t.Helper()
	tok := gallery.TokenID("")
	node := id[gallery.NodeID](100 + number)
	hash := digest.Of([]byte{byte(number)})
	if len(n.m.View().Nodes("")) > 0 {
		tok = id[gallery.TokenID](200 + number)
		n.do(&command.JoinTokenPut{Token: gallery.JoinToken{ID: tok, Hash: hash, Region: "a", Seat: gallery.SeatVoter, Expires: n.now.Add(time.Hour), Uses: 1}})
	}
	n.do(&command.NodeJoin{Node: gallery.Node{ID: node, Region: "a", Address: "127.0.0.1:1", Seat: gallery.SeatVoter}, Token: tok, Hash: hash})
	return node
}

// TestCollectorsClaimsRunOut holds that the claim of a collector whose node is gone ends, also where no copy is being made.
func TestCollectorsClaimsRunOut(t *testing.T) {
	n, l := newNode(t, command.CurrentVersion)
	dead, other := n.join(1), n.join(2)
	n.do(&command.StorePut{Store: gallery.Store{ID: id[gallery.StoreID](300), Region: "a", Name: "main", Class: gallery.ClassStandard, Kind: gallery.KindFilesystem}})
	k := gallery.RepositoryKey{Store: id[gallery.StoreID](300), Slot: 1, Domain: gallery.DomainOf(id[gallery.TenantID](2))}
	n.do(&command.RepositoryClaim{Repository: k, Node: dead, Lease: time.Minute})
	for _, age := range []time.Duration{time.Minute, time.Minute + time.Second} {
		n.now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(age)
		if err := l.claims(t.Context()); err != nil {
			t.Fatal(err)
		}
		if held := n.m.View().Repository(k).Claim != nil; held != (age <= time.Minute) {
			t.Errorf("after %s the claim is held: %v", age, held)
		}
	}
	n.do(&command.RepositoryClaim{Repository: k, Node: other, Lease: time.Minute})
}

// TestVersionWaitsForAll holds that the cluster version is raised when the last member understands it, and not before.
func TestVersionWaitsForAll(t *testing.T) {
	n, l := newNode(t, 1)
	first, second := n.join(1), n.join(2)
	want := func(version uint32) {
		t.Helper()
		if err := l.version(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := n.m.View().Cluster().Version; got != version {
			t.Fatalf("version %d, want %d", got, version)
		}
	}
	n.knows[first] = command.CurrentVersion
	want(1) // the second does not answer
	n.knows[second] = 1
	want(1)
	n.knows[second] = command.CurrentVersion + 7
	want(command.CurrentVersion)
	sent := n.index
	want(command.CurrentVersion)
	if n.index != sent {
		t.Error("proposed without need")
	}
}

func TestGroupsAreSwept(t *testing.T) {
	n, l := newNode(t, command.CurrentVersion)
	tenant, sub := id[gallery.TenantID](2), id[gallery.SubscriptionID](3)
	ref := gallery.GroupRef{Subscription: sub, Group: "rg"}
	n.do(&command.GroupPut{Group: gallery.ResourceGroup{Ref: ref, Location: "a"}})
	for i := range command.MaxGroupSweep * 2 / 90 {
		name := "g" + strconv.Itoa(i)
		g := gallery.GalleryRef{Subscription: sub, Gallery: gallery.GalleryName(name)}
		n.do(&command.GalleryPut{Gallery: gallery.Gallery{Ref: g, Tenant: tenant, ResourceGroup: "rg", Location: "a"}})
		for k := range 90 {
			n.do(&command.ImagePut{Image: gallery.Image{Ref: gallery.ImageRef{GalleryRef: g, Image: gallery.ImageName("i" + strconv.Itoa(k)), Kind: gallery.ArtifactApplication},
				ResourceGroup: "rg", Location: "a", OSType: gallery.OSLinux}})
		}
	}
	op := &gallery.OperationStart{ID: id[gallery.OperationID](9), Location: "a", Kind: gallery.OperationDelete, Resource: ref.Scope()}
	n.start(&command.GroupDelete{Ref: ref}, op)
	if n.m.View().Group(ref) == nil {
		t.Fatal("the group went at once: the test shows nothing")
	}
	if err := l.groups(t.Context()); err != nil {
		t.Fatal(err)
	}
	v := n.m.View()
	if v.Group(ref) != nil || len(v.Galleries(sub)) != 0 || v.Operation(op.ID).Status != gallery.OperationSucceeded {
		t.Errorf("left: group %v, %d galleries, operation %+v", v.Group(ref), len(v.Galleries(sub)), v.Operation(op.ID))
	}
	sent := n.index
	if err := l.groups(t.Context()); err != nil || n.index != sent {
		t.Errorf("proposed without need: %v", err)
	}
}

func TestOperationsAreForgotten(t *testing.T) {
	n, l := newNode(t, command.CurrentVersion)
	op := &gallery.OperationStart{ID: id[gallery.OperationID](9), Location: "a", Kind: gallery.OperationCreate, Resource: "/"}
	n.start(&command.RegionPut{Region: gallery.Region{Name: "b"}}, op)
	for _, x := range []struct {
		after time.Duration
		sent  int
		there bool
	}{{0, 0, true}, {gallery.OperationHistory - time.Second, 0, true}, {time.Second, 1, false}, {time.Hour, 1, false}} {
		n.now = n.now.Add(x.after)
		if err := l.operations(t.Context()); err != nil {
			t.Fatal(err)
		}
		if there := n.m.View().Operation(op.ID) != nil; there != x.there || n.sent[command.KindExpireOperations] != x.sent {
			t.Errorf("after %s more: there %t, proposed %d times", x.after, there, n.sent[command.KindExpireOperations])
		}
	}
}

// TestCollectorsClaimsExpire: one of a node that is gone keeps the region's other nodes from the repository until the leader ends it.
func TestCollectorsClaimsExpire(t *testing.T) {
	n, l := newNode(t, command.CurrentVersion)
	gone := n.join(1)
	store := id[gallery.StoreID](300)
	n.do(&command.StorePut{Store: gallery.Store{ID: store, Region: "a", Name: "main", Class: gallery.ClassStandard, Kind: gallery.KindFilesystem}})
	k := gallery.RepositoryKey{Store: store, Slot: 1, Domain: gallery.DomainOf(id[gallery.TenantID](2))}
	n.do(&command.RepositoryClaim{Repository: k, Node: gone, Lease: time.Minute})
	for _, x := range []struct {
		after time.Duration
		held  bool
	}{{0, true}, {time.Minute, true}, {time.Second, false}} {
		n.now = n.now.Add(x.after)
		if err := l.claims(t.Context()); err != nil {
			t.Fatal(err)
		}
		if held := n.m.View().Repository(k).Claim != nil; held != x.held {
			t.Errorf("after %s more: held %t", x.after, held)
		}
	}
}
