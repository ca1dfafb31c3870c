package node

import (
	"context"
	"log/slog"
	"time"

	"loggia/blobstore"
	"loggia/blobstore/metrics"
	"loggia/gallery"
	"loggia/node/access"
	"loggia/node/checking"
	"loggia/node/collection"
	"loggia/node/depot"
	"loggia/node/imports"
	"loggia/node/live"
	"loggia/node/reading"
	"loggia/node/reads"
	"loggia/node/replication"
	"loggia/node/seeding"
	"loggia/node/service"
	"loggia/node/sources"
	"loggia/node/steering"
	"loggia/node/stores"
	"loggia/node/turns"
	"loggia/node/uploads"
	"loggia/transfer/buffer"
	"loggia/transfer/collect"
	"loggia/transfer/replicate"
	"loggia/transfer/serve"
)

// regional is the part of a node that holds its region's bytes and moves them: what takes in, hands out, copies, collects and checks.
type regional struct {
	n       *Node
	settled *reads.Reads
	svc     *service.Service

	mem     *memory
	depot   *depot.Depot
	serving serve.Options
	claims  *turns.Claims
	live    *live.Registry
	seeds   *seeding.Registry
	finder  *sources.Finder

	uploads   *uploads.Uploads
	reader    *reading.Reader
	steer     *steering.Steering
	collector *collection.Loop
	checker   *checking.Checker
	loop      *replication.Loop
	keeper    *stores.Keeper
	importing *imports.Loop
}

// newRegional makes the parts, each of those before it. Nothing runs yet.
func (n *Node) newRegional(settled *reads.Reads, rights access.Rights, svc *service.Service) (*regional, error) {
	r := &regional{n: n, settled: settled, svc: svc, live: live.New(time.Now), seeds: seeding.New()}
	var err error
	if r.mem, err = newMemory(int64(n.opts.Memory.Buffers)); err != nil {
		return nil, err
	}
	counted, err := metrics.New(n.reg)
	if err != nil {
		return nil, err
	}
	r.depot = depot.New(depot.Options{Cache: n.dir.Cache(), Pool: r.mem.reads, Decoder: r.mem.dec})
	n.life.after("stores", func(context.Context) error { return r.depot.Close() })
	r.serving = serve.Options{Pool: r.mem.reads, Decoder: r.mem.dec, Encoder: r.mem.enc,
		Damaged: func(err error) { n.log.Error("stored bytes are damaged or lost", "component", "reading", "error", err) }}
	r.doors(rights)
	r.between()
	r.duties()
	r.loop = r.replication()
	r.keeper = stores.New(stores.Options{Region: n.id.Region, Stores: n.opts.Stores, State: n.m.View, Reports: n.reports, Metrics: counted,
		Ready: r.ready, Now: time.Now, Log: r.log("stores")})
	r.importing, err = r.imports()
	return r, err
}

func (r *regional) log(component string) *slog.Logger { return r.n.log.With("component", component) }

// alive says what gossip thinks of a node.
func (r *regional) alive(id gallery.NodeID) bool { return r.n.gossip.State(string(id)) != "dead" }

// strong waits for the state of this moment.
func (r *regional) strong(ctx context.Context) error {
	_, _, err := r.settled.Settle(ctx, "strong")
	return err
}

// ready is told of each store that can be used.
func (r *regional) ready(id gallery.StoreID, s blobstore.Store) {
	r.depot.Add(id, s)
	r.loop.Poke()
	r.collector.Poke()
	r.checker.Poke()
}

// doors makes what clients send to and read from.
func (r *regional) doors(rights access.Rights) {
	n := r.n
	r.uploads = uploads.New(uploads.Options{Rights: rights, Self: n.id.Node, Region: n.id.Region, State: n.m.View, Reports: n.reports, Depot: r.depot, Find: r.svc.Find,
		Pool: r.mem.packs, Scratch: r.mem.scratch, Decoder: r.mem.dec, Encoder: r.mem.enc, TempDir: n.dir.Temp(), Now: time.Now, Log: r.log("uploads")})
	r.reader = reading.New(reading.Options{Region: n.id.Region, State: n.m.View, Depot: r.depot, Find: r.svc.Find, Serve: r.serving, Seeds: r.seeds, All: rights.All,
		Linked: func(id gallery.StoreID, clients bool) bool { return r.keeper.Linked(id, clients) }, // the keeper is made before anybody reads
		Settle: func(ctx context.Context) error { _, _, err := r.settled.Settle(ctx, ""); return err }})
}

// between makes what finds other regions and holds what goes to them below its limits.
func (r *regional) between() {
	n := r.n
	r.steer = steering.New(steering.Options{Self: n.id.Node, Region: n.id.Region, Watched: n.m.Watched, State: n.m.View, Peers: n.peers, Now: time.Now, Log: r.log("steering")})
	n.peers.Steering = r.steer
	r.finder = &sources.Finder{Self: n.id.Node, Region: n.id.Region, Depot: r.depot, Peers: n.peers, Scratch: r.mem.scratch, Serve: r.serving, Alive: r.alive}
}

// duties makes what looks after repositories in turns.
func (r *regional) duties() {
	n := r.n
	r.claims = &turns.Claims{Self: n.id.Node, Lease: replication.Lease, Reports: n.reports, Version: n.clusterVersion}
	asked := collect.Rates{Requests: n.opts.Collection.Requests, Bytes: int64(n.opts.Collection.Bytes)}
	r.collector = collection.New(collection.Options{Self: n.id.Node, Region: n.id.Region, Watched: n.m.Watched, State: n.m.View, Reports: n.reports,
		Claims: r.claims, Settle: r.strong, Depot: r.depot, Pool: r.mem.packs, Encoder: r.mem.enc, TempDir: n.dir.Temp(),
		Period: n.opts.Collection.Period, Grace: n.opts.Collection.Grace, Rates: asked, Now: n.clock.Now, Log: r.log("collection")})
	r.checker = checking.New(checking.Options{Self: n.id.Node, Region: n.id.Region, Watched: n.m.Watched, State: n.m.View, Reports: n.reports,
		Claims: r.claims, Settle: r.strong, Depot: r.depot, Pool: r.mem.packs, Encoder: r.mem.enc, TempDir: n.dir.Temp(),
		Asked: asked, Own: collect.Rates{Requests: n.opts.Checks.Requests, Bytes: int64(n.opts.Checks.Bytes)},
		Period: n.opts.Checks.Period, Quick: n.opts.Checks.Quick, Repair: n.opts.Checks.Repair, Now: n.clock.Now, Log: r.log("checking")})
}

func (r *regional) replication() *replication.Loop {
	n := r.n
	return replication.New(replication.Options{Self: n.id.Node, Region: n.id.Region, Watched: n.m.Watched, State: n.m.View, Reports: n.reports,
		Sources: r.finder, Seeds: r.seeds, Speeds: replicate.NewSpeeds(), Depot: r.depot, Live: r.live,
		Pool: r.mem.packs, Scratch: r.mem.scratch, Decoder: r.mem.dec, Encoder: r.mem.enc, TempDir: n.dir.Temp(),
		Patience: r.steer.Patience, Alive: r.finder.Alive, Holding: func() bool { return r.uploads.Active() > 0 || r.claims.Active() },
		Return: r.claims.Return, Now: n.clock.Now, Log: r.log("replication")})
}

func (r *regional) imports() (*imports.Loop, error) {
	n := r.n
	web, err := imports.NewWeb(n.opts.Imports, n.defaultSubscription)
	if err != nil {
		return nil, err
	}
	n.life.after("imports", func(context.Context) error { return web.Close() })
	return imports.New(imports.Options{Self: n.id.Node, Region: n.id.Region, Watched: n.m.Watched, State: n.m.View, Alive: r.alive, Uploads: r.uploads, Reports: n.reports, Fetch: web,
		Disk: func(ctx context.Context, id gallery.DiskID) (imports.File, error) { return r.reader.Disk(ctx, id) },
		Pool: buffer.New(importBuffers), Zstd: r.mem.dec, TempDir: n.dir.Temp(), MaxSize: int64(n.opts.Imports.MaxSize), Now: time.Now, Log: r.log("imports")}), nil
}

// loops are what runs in a member of a cluster.
func (r *regional) loops() map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"stores": r.keeper.Run, "catching up": r.settled.CatchUp, "replication": r.loop.Run, "imports": r.importing.Run, "collection": r.collector.Run,
		"checks": r.checker.Run, "steering": r.steer.Run,
	}
}
