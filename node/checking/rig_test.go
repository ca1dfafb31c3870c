package checking

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"loggia/api/v1"
	"loggia/blobstore"
	"loggia/blobstore/memory"
	"loggia/fsm/command"
	"loggia/fsm/machine"
	"loggia/gallery"
	"loggia/internal/digest"
	"loggia/node/depot"
	"loggia/node/turns"
	"loggia/testing/faults"
	"loggia/transfer/intake"
	"loggia/transfer/repository"
	"loggia/transfer/serve/servetest"
)

const (
	tenant  = gallery.TenantID("aaaaaaaa-0000-4000-8000-000000000001")
	sub     = gallery.SubscriptionID("bbbbbbbb-0000-4000-8000-000000000001")
	cluster = gallery.ClusterID("cccccccc-0000-4000-8000-000000000001")
	lease   = time.Minute
)

func id[T ~string](family, n int) T {
	return T(fmt.Sprintf("%08x-0000-4000-8000-%012x", family, n))
}

func node(n int) gallery.NodeID   { return id[gallery.NodeID](0x52, n) }
func disk(n int) gallery.DiskID   { return id[gallery.DiskID](0x53, n) }
func store(n int) gallery.StoreID { return id[gallery.StoreID](0x51, n) }

// rig is a real machine and a real repository: region b has nodes 1 and 2 and a store in memory, region a has node 100, and copies of which only the
// log knows.
type rig struct {
	*servetest.Region
	t     *testing.T
	m     *machine.Machine
	index uint64
	now   time.Time
	depot *depot.Depot
	store *faults.Store
	key   gallery.RepositoryKey
	disks map[int]intake.Result
	seen  func(command.Command) // what is reported, before it is applied
	fail  error                 // of reports
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, m: machine.New(), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), disks: map[int]intake.Result{}, seen: func(command.Command) {}}
	r.store = faults.New(memory.New(time.Now, 0))
	r.key = gallery.RepositoryKey{Store: store(2), Slot: 1, Domain: gallery.DomainOf(tenant)}
	r.Region = servetest.In(t, r.store, string(r.key.Domain), r.key.Slot)
	r.depot = depot.New(depot.Options{Cache: t.TempDir(), Pool: r.Reads, Decoder: r.Decoder})
	r.depot.Add(store(2), r.store)
	t.Cleanup(func() { r.must(r.depot.Close()) })
	r.do(&command.ClusterInit{Cluster: gallery.Cluster{ID: cluster, Tenant: tenant, Subscription: sub, Generation: 1, Version: command.CurrentVersion}})
	r.join(100, "a", "")
	for n := 1; n <= 2; n++ {
		token := id[gallery.TokenID](0x55, n)
		r.do(&command.JoinTokenPut{Token: gallery.JoinToken{ID: token, Hash: digest.Of([]byte(token)), Region: "b", Seat: gallery.SeatVoter, Expires: r.now.Add(time.Hour), Uses: 1}})
		r.join(n, "b", token)
	}
	for n, region := range []gallery.RegionName{"a", "b"} {
		r.do(&command.StorePut{Store: gallery.Store{ID: store(n + 1), Region: region, Name: "main", Class: gallery.ClassStandard, Kind: gallery.KindFilesystem}})
	}
	r.must(repository.WriteIdentity(t.Context(), r.store, repository.Identity{Cluster: string(cluster), Generation: 1, Region: "b", Store: string(store(2))}))
	ref := gallery.GalleryRef{Subscription: sub, Gallery: "g"}
	r.do(&command.GalleryPut{Gallery: gallery.Gallery{Ref: ref, Tenant: tenant, ResourceGroup: gallery.DefaultGroup, Location: "a"}})
	r.do(&command.ImagePut{Image: gallery.Image{Ref: gallery.ImageRef{GalleryRef: ref, Image: "i"}, ResourceGroup: gallery.DefaultGroup, Location: "a", OSType: gallery.OSLinux,
		OSState: gallery.StateGeneralized, HyperVGeneration: gallery.GenerationV2, Architecture: gallery.ArchX64, Identifier: gallery.Identifier{Publisher: "p", Offer: "o", SKU: "s"}}})
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) join(n int, region gallery.RegionName, token gallery.TokenID) {
	r.do(&command.NodeJoin{Node: gallery.Node{ID: node(n), Region: region, Address: "127.0.0.1:1", Seat: gallery.SeatVoter}, Token: token, Hash: digest.Of([]byte(token))})
}

// Report implements turns.Reporter.
func (r *rig) Report(ctx context.Context, c command.Command) (command.Result, error) {
	r.seen(c)
	if r.fail != nil {
		return command.Result{}, r.fail
	}
	if err := ctx.Err(); err != nil {
		return command.Result{}, err
	}
	b, err := command.Encode(command.Header{Time: r.now}, c)
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

// publish puts a disk into region b, in packs that are there, and, where it is wanted there too, a whole copy into the log's region a.
func (r *rig) publish(n int, d servetest.Disk, elsewhere bool) {
	r.t.Helper()
	up := id[gallery.UploadID](0x54, n)
	g := r.do(&command.UploadOpen{ID: up, Domain: r.key.Domain, Region: "b", Store: store(2), Node: node(1), Content: gallery.ContentDisk,
		Size: d.Size(), Lease: lease, Life: time.Hour}).Value.(*command.UploadGranted)
	r.Epoch = g.Upload.Claim.Epoch - 1
	res := r.Publish(d, servetest.Params())
	r.disks[n] = res
	r.do(&command.UploadComplete{ID: up, Epoch: g.Upload.Claim.Epoch, RepositoryEpoch: g.RepositoryEpoch, Disk: disk(n), Root: res.Root, Table: res.Table, Data: 1, Stored: 1,
		Add: depot.Segments(res.Segments)})
	targets := []gallery.TargetRegion{{Region: "b"}}
	if elsewhere {
		targets = append(targets, gallery.TargetRegion{Region: "a"})
	}
	r.do(&command.VersionPut{Version: gallery.ImageVersion{Ref: gallery.VersionRef{ImageRef: gallery.ImageRef{GalleryRef: gallery.GalleryRef{Subscription: sub, Gallery: "g"}, Image: "i"},
		Version: gallery.Version{Patch: uint32(n)}}, ResourceGroup: gallery.DefaultGroup, Location: "b", Disks: []gallery.VersionDisk{{LUN: gallery.LUNOS, Disk: disk(n)}},
		Publishing: gallery.PublishingProfile{TargetRegions: targets}}})
	if elsewhere {
		r.copied(n)
	}
}

// copied puts a whole copy of a disk into the log's region a.
func (r *rig) copied(n int) {
	r.t.Helper()
	k := gallery.ReplicaKey{Disk: disk(n), Region: "a", Slot: 1}
	c := r.do(&command.ReplicaClaim{Replica: k, Node: node(100), Lease: lease}).Value.(*command.ReplicaGranted)
	r.do(&command.ReplicaComplete{Replica: k, Epoch: c.Replica.Claim.Epoch, RepositoryEpoch: c.RepositoryEpoch, Root: r.disks[n].Root, Table: r.disks[n].Table})
}

// checker is that of a node of region b which checks by itself: everything within 10 days, a turn a day.
func (r *rig) checker(n int) *Checker {
	claims := &turns.Claims{Self: node(n), Lease: lease, Reports: r, Version: func() uint32 { return r.m.View().Cluster().Version }}
	return New(Options{Self: node(n), Region: "b", Watched: r.m.Watched, State: r.m.View, Settle: func(context.Context) error { return r.fail }, Reports: r, Claims: claims,
		Depot: r.depot, Pool: r.Packs, Encoder: r.Encoder, TempDir: r.t.TempDir(), Period: 10 * day, Quick: day, Repair: true,
		Now: func() time.Time { return r.now }, Log: slog.New(slog.DiscardHandler)})
}

const day = 24 * time.Hour

func (r *rig) row() *gallery.Repository { return r.m.View().Repository(r.key) }

func (r *rig) replica(n int) *gallery.Replica {
	return r.m.View().Replica(gallery.ReplicaKey{Disk: disk(n), Region: "b", Slot: 1})
}

// check makes a check as an operator asks for it.
func (r *rig) check(c *Checker, q v1.CheckRequest) (found map[string]int, repaired int, err error) {
	r.t.Helper()
	found = map[string]int{}
	err = c.Check(r.t.Context(), "b", q, func(e v1.CheckEvent) error {
		if e.Finding != nil {
			found[e.Finding.Kind]++
		}
		if e.Type == "repaired" {
			repaired++
		}
		return nil
	})
	return found, repaired, err
}

// keys are those of a kind of objects of the repository.
func (r *rig) keys(kind string) (out []string) {
	r.t.Helper()
	r.must(r.store.List(context.Background(), r.Repo.Keys.Prefix()+kind, "", func(i blobstore.Info) error { out = append(out, i.Key); return nil }))
	if len(out) == 0 {
		r.t.Fatalf("no object %s", kind)
	}
	return out
}

func (r *rig) drop(key string) { r.must(r.store.Delete(context.Background(), key)) }

func (r *rig) put(key string, b []byte) { r.must(r.store.Put(context.Background(), key, b)) }

// flip changes a byte of an object.
func (r *rig) flip(key string) {
	r.t.Helper()
	body, err := r.store.Get(context.Background(), key, 0, -1)
	r.must(err)
	defer body.Close()
	b, err := io.ReadAll(body)
	r.must(err)
	b[100] ^= 1
	r.put(key, b)
}

// listed says whether a live segment lists a pack.
func (r *rig) listed(key string) bool {
	r.t.Helper()
	v, err := r.Repo.Open(context.Background(), depot.Refs(r.row().Segments))
	r.must(err)
	defer v.Close()
	found := false
	r.must(packsOf(v, func(k string) { found = found || k == key }))
	return found
}

func wantKind(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}
