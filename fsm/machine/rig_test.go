package machine_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"loggia/fsm/command"
	"loggia/fsm/machine"
	"loggia/gallery"
	"loggia/internal/digest"
)

const (
	tenant = gallery.TenantID("aaaaaaaa-0000-4000-8000-000000000001")
	sub    = gallery.SubscriptionID("bbbbbbbb-0000-4000-8000-000000000001")
	lease  = time.Minute
	life   = time.Hour
)

var epoch0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// rig is a machine with a log: each do is one entry.
type rig struct {
	t     testing.TB
	m     *machine.Machine
	index uint64
	now   time.Time
	log   [][]byte
}

func newRig(t testing.TB) *rig { return &rig{t: t, m: machine.New(), now: epoch0} }

func id[T ~string](family, n int) T {
	return T(fmt.Sprintf("%08x-0000-4000-8000-%012x", family, n))
}

func store(n int) gallery.StoreID   { return id[gallery.StoreID](0x51, n) }
func node(n int) gallery.NodeID     { return id[gallery.NodeID](0x52, n) }
func disk(n int) gallery.DiskID     { return id[gallery.DiskID](0x53, n) }
func upload(n int) gallery.UploadID { return id[gallery.UploadID](0x54, n) }
func root(n int) digest.Digest      { return digest.Of([]byte(fmt.Sprint("root", n))) }
func segment(e uint64, n int) gallery.Segment {
	return gallery.Segment{Epoch: e, ID: digest.Of([]byte(fmt.Sprint("segment", n))), Size: 100, Chunks: 3}
}

// send applies a command as the next entry and returns its result.
func (r *rig) send(h command.Header, c command.Command) command.Result {
	r.t.Helper()
	h.Time = r.now
	b, err := command.Encode(h, c)
	if err != nil {
		r.t.Fatalf("encode %s: %v", c.Kind(), err)
	}
	return r.apply(b)
}

func (r *rig) apply(b []byte) command.Result {
	r.t.Helper()
	r.index++
	r.log = append(r.log, b)
	got := r.m.Apply(r.index, 1, b)
	res, ok := got.(command.Result)
	if !ok {
		r.t.Fatalf("entry %d: %v", r.index, got)
	}
	return res
}

// do applies a command that must succeed.
func (r *rig) do(c command.Command) command.Result {
	r.t.Helper()
	res := r.send(command.Header{Principal: "ops"}, c)
	if res.Err != nil {
		r.t.Fatalf("%s: %v", c.Kind(), res.Err)
	}
	return res
}

// refuse applies a command that must fail with a kind, and checks that nothing but time and index changed.
func (r *rig) refuse(kind gallery.Kind, c command.Command) *gallery.Error {
	r.t.Helper()
	before := r.m.View()
	res := r.send(command.Header{}, c)
	if !errors.Is(res.Failure(), kind) {
		r.t.Fatalf("%s: got %v, want %s", c.Kind(), res.Err, kind)
	}
	if before.Meta().Sum != r.m.View().Meta().Sum {
		r.t.Fatalf("%s was refused and changed the state", c.Kind())
	}
	return res.Err
}

// found makes a cluster of regions a, b, c... with one standard store and one node each: store(i), node(i).
func (r *rig) found(regions ...gallery.RegionName) {
	r.t.Helper()
	r.do(&command.ClusterInit{Cluster: gallery.Cluster{ID: id[gallery.ClusterID](1, 1), Tenant: tenant, Subscription: sub, Version: command.CurrentVersion}})
	for i, name := range regions {
		tok := gallery.TokenID("")
		if i > 0 {
			tok = id[gallery.TokenID](0x55, i)
			r.do(&command.JoinTokenPut{Token: gallery.JoinToken{ID: tok, Hash: root(i), Region: name, Seat: gallery.SeatVoter, Expires: r.now.Add(life), Uses: 1}})
		}
		r.do(&command.NodeJoin{Node: gallery.Node{ID: node(i + 1), Region: name, Address: "127.0.0.1:1", Seat: gallery.SeatVoter}, Token: tok, Hash: root(i)})
		r.do(&command.StorePut{Store: gallery.Store{ID: store(i + 1), Region: name, Name: "main", Zone: "1", Class: gallery.ClassStandard, Kind: gallery.KindFilesystem}})
	}
	r.do(&command.GalleryPut{Gallery: gallery.Gallery{Ref: galleryRef("g"), Tenant: tenant, ResourceGroup: gallery.DefaultGroup, Location: regions[0]}})
	r.do(&command.ImagePut{Image: image("debian", regions[0])})
}

func galleryRef(name string) gallery.GalleryRef {
	return gallery.GalleryRef{Subscription: sub, Gallery: gallery.GalleryName(name)}
}

func image(name string, at gallery.RegionName) gallery.Image {
	return gallery.Image{Ref: gallery.ImageRef{GalleryRef: galleryRef("g"), Image: gallery.ImageName(name)}, ResourceGroup: gallery.DefaultGroup,
		Location: at, OSType: gallery.OSLinux, OSState: gallery.StateGeneralized, HyperVGeneration: gallery.GenerationV2, Architecture: gallery.ArchX64,
		Identifier: gallery.Identifier{Publisher: "acme", Offer: "os", SKU: name}}
}

func versionRef(patch int) gallery.VersionRef {
	return gallery.VersionRef{ImageRef: image("debian", "a").Ref, Version: gallery.Version{Major: 1, Patch: uint32(patch)}}
}

func version(patch int, d gallery.DiskID, at gallery.RegionName, targets ...gallery.RegionName) gallery.ImageVersion {
	v := gallery.ImageVersion{Ref: versionRef(patch), ResourceGroup: gallery.DefaultGroup, Location: at,
		Disks: []gallery.VersionDisk{{LUN: gallery.LUNOS, Disk: d}}}
	for _, t := range targets {
		v.Publishing.TargetRegions = append(v.Publishing.TargetRegions, gallery.TargetRegion{Region: t})
	}
	return v
}

// publish uploads disk n in the region of node at (its number) and returns the disk's id.
func (r *rig) publish(n, at int) gallery.DiskID {
	r.t.Helper()
	region := r.m.View().Node(node(at)).Region
	g := r.do(&command.UploadOpen{ID: upload(n), Domain: gallery.DomainOf(tenant), Region: region, Store: store(at), Node: node(at),
		Content: gallery.ContentDisk, Size: 1 << 20, Lease: lease, Life: life}).Value.(*command.UploadGranted)
	r.do(&command.UploadComplete{ID: upload(n), Epoch: g.Upload.Claim.Epoch, RepositoryEpoch: g.RepositoryEpoch, Disk: disk(n), Root: root(n), Table: root(n),
		Data: 4096, Stored: 1000, Add: []gallery.Segment{segment(g.Upload.Claim.Epoch, n)}})
	return disk(n)
}

func key(d gallery.DiskID, at gallery.RegionName, slot int) gallery.ReplicaKey {
	return gallery.ReplicaKey{Disk: d, Region: at, Slot: slot}
}

func (r *rig) claim(k gallery.ReplicaKey, n int) *command.ReplicaGranted {
	r.t.Helper()
	return r.do(&command.ReplicaClaim{Replica: k, Node: node(n), Lease: lease}).Value.(*command.ReplicaGranted)
}

// replicate claims and completes a replica of the disk made by publish(n, ...).
func (r *rig) replicate(n int, k gallery.ReplicaKey, by int) {
	r.t.Helper()
	g := r.claim(k, by)
	r.do(&command.ReplicaComplete{Replica: k, Epoch: g.Replica.Claim.Epoch, RepositoryEpoch: g.RepositoryEpoch, Root: root(n), Table: root(n), Stored: 10})
}

func (r *rig) state(k gallery.ReplicaKey) gallery.ReplicaState {
	if row := r.m.View().Replica(k); row != nil {
		return row.State
	}
	return ""
}

func (r *rig) wantState(k gallery.ReplicaKey, want gallery.ReplicaState) {
	r.t.Helper()
	if got := r.state(k); got != want {
		r.t.Fatalf("%s is %q, want %q", k, got, want)
	}
}

func (r *rig) snapshot() []byte {
	r.t.Helper()
	var b bytes.Buffer
	s := r.m.Snapshot()
	defer s.Release()
	if err := s.Write(&b); err != nil {
		r.t.Fatal(err)
	}
	return b.Bytes()
}
