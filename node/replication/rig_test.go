package replication

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"loggia/blobstore/memory"
	"loggia/fsm/command"
	"loggia/fsm/machine"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/internal/digest"
	"loggia/node/depot"
	"loggia/node/live"
	"loggia/node/seeding"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/codec"
	"loggia/transfer/replicate"
)

const (
	tenant = gallery.TenantID("aaaaaaaa-0000-4000-8000-000000000001")
	sub    = gallery.SubscriptionID("bbbbbbbb-0000-4000-8000-000000000001")
)

func id[T ~string](family, n int) T {
	return T(fmt.Sprintf("%08x-0000-4000-8000-%012x", family, n))
}

func node(n int) gallery.NodeID { return id[gallery.NodeID](0x52, n) }
func disk(n int) gallery.DiskID { return id[gallery.DiskID](0x53, n) }

// rig is a real machine: region a has published, and the nodes of region b, from 1, copy from a source that sends nothing. It lives in a bubble
// of synctest.
type rig struct {
	t      *testing.T
	m      *machine.Machine
	depot  *depot.Depot
	dec    *codec.Decoder
	asking atomic.Int64 // requests that are open
	fault  error        // of every request; nil: there is no answer
	dead   map[gallery.NodeID]bool
	loops  []*Loop
	end    []func()

	mu    sync.Mutex
	index uint64
}

func newRig(t *testing.T, nodes int) *rig {
	r := &rig{t: t, m: machine.New(), dead: map[gallery.NodeID]bool{}}
	var err error
	if r.dec, err = codec.NewDecoder(1); err != nil {
		t.Fatal(err)
	}
	r.depot = depot.New(depot.Options{Cache: t.TempDir(), Pool: buffer.New(8 << 20), Decoder: r.dec})
	r.depot.Add(id[gallery.StoreID](0x51, 2), memory.New(time.Now, 0))
	r.do(&command.ClusterInit{Cluster: gallery.Cluster{ID: id[gallery.ClusterID](1, 1), Tenant: tenant, Subscription: sub, Version: command.CurrentVersion}})
	r.join(100, "a", "")
	for n := range nodes {
		token := id[gallery.TokenID](0x55, n+1)
		r.do(&command.JoinTokenPut{Token: gallery.JoinToken{ID: token, Hash: digest.Of([]byte(token)), Region: "b", Seat: gallery.SeatVoter, Expires: time.Now().Add(time.Hour), Uses: 1}})
		r.join(n+1, "b", token)
	}
	for n, region := range []gallery.RegionName{"a", "b"} {
		r.do(&command.StorePut{Store: gallery.Store{ID: id[gallery.StoreID](0x51, n+1), Region: region, Name: "main", Class: gallery.ClassStandard, Kind: gallery.KindFilesystem}})
	}
	ref := gallery.GalleryRef{Subscription: sub, Gallery: "g"}
	r.do(&command.GalleryPut{Gallery: gallery.Gallery{Ref: ref, Tenant: tenant, ResourceGroup: gallery.DefaultGroup, Location: "a"}})
	r.do(&command.ImagePut{Image: gallery.Image{Ref: gallery.ImageRef{GalleryRef: ref, Image: "i"}, ResourceGroup: gallery.DefaultGroup, Location: "a", OSType: gallery.OSLinux,
		OSState: gallery.StateGeneralized, HyperVGeneration: gallery.GenerationV2, Architecture: gallery.ArchX64, Identifier: gallery.Identifier{Publisher: "p", Offer: "o", SKU: "s"}}})
	return r
}

func (r *rig) join(n int, region gallery.RegionName, token gallery.TokenID) {
	r.do(&command.NodeJoin{Node: gallery.Node{ID: node(n), Region: region, Address: "127.0.0.1:1", Seat: gallery.SeatVoter}, Token: token, Hash: digest.Of([]byte(token))})
}

// Report implements Reporter.
func (r *rig) Report(_ context.Context, c command.Command) (command.Result, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, err := command.Encode(command.Header{Time: time.Now()}, c)
	if err != nil {
		return command.Result{}, err
	}
	r.index++
	res, ok := r.m.Apply(r.index, 1, b).(command.Result)
	if !ok {
		return res, fmt.Errorf("entry %d is fatal", r.index)
	}
	return res, res.Failure()
}

func (r *rig) do(c command.Command) command.Result {
	r.t.Helper()
	res, err := r.Report(r.t.Context(), c)
	if err != nil {
		r.t.Fatalf("%s: %v", c.Kind(), err)
	}
	return res
}

func (r *rig) version(n int, p gallery.Priority) gallery.ImageVersion {
	return gallery.ImageVersion{Ref: gallery.VersionRef{ImageRef: gallery.ImageRef{GalleryRef: gallery.GalleryRef{Subscription: sub, Gallery: "g"}, Image: "i"}, Version: gallery.Version{Patch: uint32(n)}},
		ResourceGroup: gallery.DefaultGroup, Location: "a", Disks: []gallery.VersionDisk{{LUN: gallery.LUNOS, Disk: disk(n)}},
		Publishing: gallery.PublishingProfile{TargetRegions: []gallery.TargetRegion{{Region: "a"}, {Region: "b"}}, Priority: p}}
}

// publish makes version n of a disk of its own.
func (r *rig) publish(n int, p gallery.Priority) {
	r.t.Helper()
	up := id[gallery.UploadID](0x54, n)
	root := digest.Of([]byte{byte(n)})
	g := r.do(&command.UploadOpen{ID: up, Domain: gallery.DomainOf(tenant), Region: "a", Store: id[gallery.StoreID](0x51, 1), Node: node(100), Content: gallery.ContentDisk,
		Size: 1 << 20, Lease: time.Minute, Life: time.Hour}).Value.(*command.UploadGranted)
	r.do(&command.UploadComplete{ID: up, Epoch: g.Upload.Claim.Epoch, RepositoryEpoch: g.RepositoryEpoch, Disk: disk(n), Root: root, Table: root, Data: 1, Stored: 1,
		Add: []gallery.Segment{{Epoch: g.Upload.Claim.Epoch, ID: root, Size: 1, Chunks: 1}}})
	r.do(&command.VersionPut{Version: r.version(n, p)})
}

func (r *rig) replica(n int) *gallery.Replica {
	return r.m.View().Replica(gallery.ReplicaKey{Disk: disk(n), Region: "b", Slot: 1})
}

// wantClaims compares the versions whose copies a node of region b has claimed.
func (r *rig) wantClaims(n int, versions ...int) {
	r.t.Helper()
	var got []int
	for v := range 20 {
		if row := r.replica(v); row != nil && row.Claim != nil && row.Claim.Node == node(n) {
			got = append(got, v)
		}
	}
	if !slices.Equal(got, versions) {
		r.t.Fatalf("node %d has claimed %v, want %v", n, got, versions)
	}
}

// start runs the loop of a node of region b.
func (r *rig) start(n int) {
	dir := r.t.TempDir()
	l := New(Options{Self: node(n), Region: "b", Watched: func() (*state.View, *state.Watch) { return r.m.Watched() }, State: r.m.View, Reports: r, Sources: silent{r}, Seeds: seeding.New(), Depot: r.depot,
		Live: live.New(time.Now), Pool: buffer.New(64 << 20), Scratch: buffer.New(8 << 20), Decoder: r.dec, TempDir: dir, Holding: func() bool { return false }, Return: func(context.Context, *state.View) error { return nil },
		Patience: func() time.Duration { return 24 * time.Hour }, Alive: func(id gallery.NodeID) bool { return !r.dead[id] }, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := l.Run(ctx); err != nil {
			r.t.Error(err)
		}
	}()
	r.loops = append(r.loops, l)
	r.end = append(r.end, func() { cancel(); <-ended })
}

// stop ends the loops, as a planned stop does.
func (r *rig) stop() {
	for _, end := range r.end {
		end()
	}
	if err := r.depot.Close(); err != nil {
		r.t.Error(err)
	}
	r.dec.Close()
}

// silent is a source that answers nothing until it is not waited for any more, or fails at once.
type silent struct{ r *rig }

// Of implements Sources.
func (s silent) Of(*state.View, *gallery.Disk, gallery.ReplicaKey) []replicate.Source {
	return []replicate.Source{s}
}

// Name implements replicate.Source.
func (silent) Name() string { return "a" }

// Fetch implements replicate.Source.
func (s silent) Fetch(ctx context.Context, _ []chunk.ID, _ func([]replicate.Arrived) error) ([]chunk.ID, error) {
	s.r.asking.Add(1)
	defer s.r.asking.Add(-1)
	if s.r.fault != nil {
		return nil, s.r.fault
	}
	<-ctx.Done()
	return nil, ctx.Err()
}
