package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"loggia/api/azure"
	"loggia/api/links"
	"loggia/api/peer"
	"loggia/blobstore"
	"loggia/blobstore/metrics"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/node/arm"
	"loggia/node/checking"
	"loggia/node/collection"
	"loggia/node/depot"
	"loggia/node/front"
	"loggia/node/imports"
	"loggia/node/joining"
	"loggia/node/live"
	"loggia/node/reading"
	"loggia/node/reads"
	"loggia/node/replication"
	"loggia/node/seeding"
	"loggia/node/service"
	"loggia/node/sources"
	"loggia/node/status"
	"loggia/node/steering"
	"loggia/node/stores"
	"loggia/node/turns"
	"loggia/node/upkeep"
	"loggia/node/uploads"
	"loggia/transfer/buffer"
	"loggia/transfer/codec"
	"loggia/transfer/collect"
	"loggia/transfer/frame"
	"loggia/transfer/replicate"
	"loggia/transfer/serve"
)

// memory is the node's budget for transfers, dealt out once: packs being filled, frames that arrive, and what
// is read from stores to be sent. They are three pools, and waiting goes one way only: who holds an arriving
// frame may wait for a pack, or for another node that reads; who reads waits for nobody.
type memory struct {
	packs, scratch, reads *buffer.Pool
	enc                   *codec.Encoder
	dec                   *codec.Decoder
}

// The shares in the budget, and the codecs' workers: more than cores do not help.
const (
	packShare    = 0.5
	readShare    = 0.3
	codecWorkers = 2

	// importBuffers is the memory of imports, in bytes, taken while one runs. It is no part of the pools that uploads use: who publishes waits
	// for who takes in, in this process as over the network.
	importBuffers = 32 << 20
)

func newMemory(budget int64) (*memory, error) {
	packs, reads := int64(float64(budget)*packShare), int64(float64(budget)*readShare)
	m := &memory{packs: buffer.New(packs), reads: buffer.New(reads), scratch: buffer.New(budget - packs - reads)}
	var err error
	if m.enc, err = codec.NewEncoder(codecWorkers, frame.MaxPlain); err != nil {
		return nil, err
	}
	m.dec, err = codec.NewDecoder(codecWorkers)
	return m, err
}

// assemble makes the parts that stand on log, port and gossip, and lets them go.
func (n *Node) assemble(ctx context.Context, local joining.Local) error {
	mem, err := newMemory(int64(n.opts.Memory.Buffers))
	if err != nil {
		return err
	}
	store := depot.New(depot.Options{Cache: n.dir.Cache(), Pool: mem.reads, Decoder: mem.dec})
	n.life.after("stores", func(context.Context) error { return store.Close() })
	counted, err := metrics.New(n.reg)
	if err != nil {
		return err
	}
	n.reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	settled := reads.New(n.id.Node, n.raft, n.peers, time.Now)
	who, rights, sts := n.access(settled)
	svc := service.New(service.Options{NewSigningKey: n.newSigningKey, Allowed: rights.Allowed, Disk: rights.Disk, State: n.m.View, Log: n.reports, Settle: settled.Settle, Now: time.Now,
		Cluster: group{r: n.raft, gossip: n.gossip, ca: n.caHash()}})

	ups := uploads.New(uploads.Options{Rights: rights, Self: n.id.Node, Region: n.id.Region, State: n.m.View, Reports: n.reports, Depot: store, Find: svc.Find,
		Pool: mem.packs, Scratch: mem.scratch, Decoder: mem.dec, Encoder: mem.enc, TempDir: n.dir.Temp(), Now: time.Now, Log: n.log.With("component", "uploads")})
	serving := serve.Options{Pool: mem.reads, Decoder: mem.dec, Encoder: mem.enc,
		Damaged: func(err error) { n.log.Error("stored bytes are damaged or lost", "component", "reading", "error", err) }}
	seeds := seeding.New()
	var keeper *stores.Keeper // made below, before anybody reads
	reader := reading.New(reading.Options{Linked: func(id gallery.StoreID) bool { return keeper.Linked(id) }, Seeds: seeds, Region: n.id.Region, State: n.m.View, Depot: store, Find: svc.Find, Serve: serving, All: rights.All,
		Settle: func(ctx context.Context) error { _, _, err := settled.Settle(ctx, ""); return err }})
	registry := live.New(time.Now)
	steer := steering.New(steering.Options{Self: n.id.Node, Region: n.id.Region, Watched: n.m.Watched, State: n.m.View, Peers: n.peers, Now: time.Now,
		Log: n.log.With("component", "steering")})
	n.peers.Steering = steer
	finder := &sources.Finder{Self: n.id.Node, Region: n.id.Region, Depot: store, Peers: n.peers, Scratch: mem.scratch, Serve: serving,
		Alive: func(id gallery.NodeID) bool { return n.gossip.State(string(id)) != "dead" }}
	strong := func(ctx context.Context) error { _, _, err := settled.Settle(ctx, "strong"); return err }
	claims := &turns.Claims{Self: n.id.Node, Lease: replication.Lease, Reports: n.reports, Version: n.clusterVersion}
	collector := collection.New(collection.Options{Self: n.id.Node, Region: n.id.Region, Watched: n.m.Watched, State: n.m.View, Reports: n.reports,
		Claims: claims, Settle: strong, Depot: store, Pool: mem.packs, Encoder: mem.enc,
		TempDir: n.dir.Temp(), Period: n.opts.Collection.Period, Grace: n.opts.Collection.Grace,
		Rates: collect.Rates{Requests: n.opts.Collection.Requests, Bytes: int64(n.opts.Collection.Bytes)}, Now: n.clock.Now, Log: n.log.With("component", "collection")})
	checker := checking.New(checking.Options{Self: n.id.Node, Region: n.id.Region, Watched: n.m.Watched, State: n.m.View, Reports: n.reports, Claims: claims,
		Settle: strong, Depot: store, Pool: mem.packs, Encoder: mem.enc, TempDir: n.dir.Temp(),
		Asked:  collect.Rates{Requests: n.opts.Collection.Requests, Bytes: int64(n.opts.Collection.Bytes)},
		Own:    collect.Rates{Requests: n.opts.Checks.Requests, Bytes: int64(n.opts.Checks.Bytes)},
		Period: n.opts.Checks.Period, Quick: n.opts.Checks.Quick, Repair: n.opts.Checks.Repair, Now: n.clock.Now, Log: n.log.With("component", "checking")})
	loop := replication.New(replication.Options{Self: n.id.Node, Region: n.id.Region, Watched: n.m.Watched, State: n.m.View, Reports: n.reports,
		Sources: finder, Seeds: seeds, Speeds: replicate.NewSpeeds(), Depot: store, Live: registry, Pool: mem.packs, Scratch: mem.scratch, Decoder: mem.dec, Encoder: mem.enc,
		TempDir: n.dir.Temp(), Patience: steer.Patience, Alive: finder.Alive, Holding: func() bool { return ups.Active() > 0 || claims.Active() }, Now: n.clock.Now, Log: n.log.With("component", "replication")})
	keeper = stores.New(stores.Options{Region: n.id.Region, Stores: n.opts.Stores, State: n.m.View, Reports: n.reports, Metrics: counted,
		Ready: func(id gallery.StoreID, s blobstore.Store) {
			store.Add(id, s)
			loop.Poke()
			collector.Poke()
			checker.Poke()
		}, Now: time.Now, Log: n.log.With("component", "stores")})
	web, err := imports.NewWeb(n.opts.Imports, n.defaultSubscription)
	if err != nil {
		return err
	}
	n.life.after("imports", func(context.Context) error { return web.Close() })
	importing := imports.New(imports.Options{Self: n.id.Node, Region: n.id.Region, Watched: n.m.Watched, State: n.m.View,
		Alive: func(id gallery.NodeID) bool { return n.gossip.State(string(id)) != "dead" }, Uploads: ups, Reports: n.reports, Fetch: web,
		Disk: func(ctx context.Context, id gallery.DiskID) (imports.File, error) { return reader.Disk(ctx, id) },
		Pool: buffer.New(importBuffers), Zstd: mem.dec, TempDir: n.dir.Temp(), MaxSize: int64(n.opts.Imports.MaxSize), Now: time.Now,
		Log: n.log.With("component", "imports")})
	n.serving, n.caughtUp = keeper.Faults, settled.CaughtUp
	n.reg.MustRegister(&gauges{view: n.m.View, leading: n.raft.IsLeader, caughtUp: settled.CaughtUp, region: n.id.Region, live: registry, uploads: ups.Active})
	board := status.New(status.Options{Self: n.id.Node, Region: n.id.Region, Version: local.Version, Watched: n.m.Watched, State: n.m.View,
		Metadata: svc, Leader: n.raft.Leader, Own: func() []peer.Live { return ownLive(registry) }, Peers: n.peers, Ready: n.Ready, Now: n.clock.Now})

	door := &joining.Door{Propose: n.reports.Propose, Authority: n.cred.Authority, Identity: n.id, Now: time.Now, Log: n.log,
		Seat: func(id gallery.TokenID) gallery.Seat { return seatOf(n.m.View(), id) }}
	signer, err := links.NewSigner(n.id.Secret)
	if err != nil {
		return err
	}
	shown := links.Handler(signer, reading.Links{Reader: reader, Now: n.clock.Now}, n.clock.Now, n.log.With("component", "links"))
	resources := arm.New(arm.Options{State: n.m.View, Log: n.reports, Settle: settled.Settle, Link: signer.Sign, Notes: board.Notes, Now: time.Now})
	n.front = front.New(front.Options{Links: shown, Azure: azure.Options{Service: resources, Access: who, Verifier: who, Now: time.Now}, URL: n.opts.API.URL, Self: n.id.Node, Region: n.id.Region, Leader: n.raft, Peers: n.peers, Service: svc, Access: who, Names: rights.Names, Tokens: sts, Own: n.ownOrigin, CaughtUp: settled.CaughtUp, Status: board,
		Uploads: ups, Disks: reader, Check: checker, Nodes: n.nodesIn, Metrics: promhttp.HandlerFor(n.reg, promhttp.HandlerOpts{}), Join: door, Log: n.log.With("component", "api")})
	n.serve(peer.Handler(&peerService{n: n, reader: reader, seeds: seeds, live: registry, steer: steer}, peerOf, n.log.With("component", "peers")))

	leader := upkeep.New(upkeep.Options{Self: n.id.Node, Watched: n.m.Watched, Log: n.reports, Raft: seats{n.raft}, Lease: replication.Lease,
		Understands: n.understands, Now: n.clock.Now, Logger: n.log.With("component", "upkeep")})
	n.background(map[string]func(context.Context) error{
		"uploads": ups.Run, "stores": n.afterFounding(keeper.Run), "catching up": n.afterFounding(settled.CatchUp), "replication": n.afterFounding(loop.Run), "imports": n.afterFounding(importing.Run), "collection": n.afterFounding(collector.Run), "checks": n.afterFounding(checker.Run), "certificate": n.cred.Run,
		"steering": n.afterFounding(steer.Run), "gossip": n.mingle, "warm": n.keepWarm, "founding": n.found, "hash": n.compare,
		"upkeep": func(ctx context.Context) error {
			return n.raft.raft.Lead(ctx, func(ctx context.Context) error {
				g, ctx := errgroup.WithContext(ctx)
				g.Go(func() error { return leader.Lead(upkeep.Since(ctx, n.clock.Now())) })
				g.Go(func() error { return n.rotator().Run(ctx) })
				return g.Wait()
			})
		},
	})
	return nil
}

func (n *Node) defaultSubscription() gallery.SubscriptionID {
	if c := n.m.View().Cluster(); c != nil {
		return c.Subscription
	}
	return ""
}

// nodesIn lists the nodes of a region; those that gossip thinks dead come last.
func (n *Node) nodesIn(region gallery.RegionName) []gallery.NodeID {
	var alive, dead []gallery.NodeID
	for _, row := range n.m.View().Nodes(region) {
		if n.gossip.State(string(row.ID)) == "dead" {
			dead = append(dead, row.ID)
		} else {
			alive = append(alive, row.ID)
		}
	}
	return append(alive, dead...)
}

// seatOf is the seat that a join token names; what the log does not know it refuses anyhow.
func seatOf(v *state.View, id gallery.TokenID) gallery.Seat {
	if t := v.JoinToken(id); t != nil {
		return t.Seat
	}
	return gallery.SeatStandby
}

// afterFounding lets a loop begin when this node knows of its cluster and is a member.
func (n *Node) afterFounding(loop func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			v, watch := n.m.Watched()
			if v.Cluster() != nil && v.Node(n.id.Node) != nil {
				return loop(ctx)
			}
			if err := watch.Wait(ctx); err != nil {
				return nil
			}
		}
	}
}

// found puts a new cluster into its log. Every step may be repeated: a crash in between is made good
// by the next start.
func (n *Node) found(ctx context.Context) error {
	if !n.id.Bootstrap {
		return nil
	}
	for {
		err := n.foundOnce(ctx)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		n.log.Debug("the cluster is not founded yet", "error", err)
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil
		}
	}
}

func (n *Node) foundOnce(ctx context.Context) error {
	leader, err := n.raft.WaitLeader(ctx)
	if err != nil {
		return err
	}
	if leader != n.id.Node {
		return nil // the cluster has grown beyond its founder
	}
	propose := func(c command.Command) error {
		res, err := n.reports.Propose(ctx, command.Header{Principal: "founder", Time: time.Now()}, c)
		if err != nil {
			return err
		}
		return res.Failure()
	}
	if n.m.View().Cluster() == nil {
		c, err := n.newCluster()
		if err != nil {
			return err
		}
		if err := propose(&command.ClusterInit{Cluster: c}); err != nil && !errors.Is(err, gallery.ErrConflict) {
			return err
		}
	}
	v := n.m.View()
	if v.Node(n.id.Node) == nil {
		self := gallery.Node{ID: n.id.Node, Region: n.id.Region, Zone: n.opts.Zone, Address: n.opts.Advertise,
			GossipAddress: n.opts.Gossip.Advertise, Seat: gallery.SeatVoter, Version: n.version}
		if err := propose(&command.NodeJoin{Node: self}); err != nil {
			return err
		}
	}
	if len(v.AccessTokens()) > 0 {
		return nil
	}
	return n.firstToken(propose)
}

func (n *Node) newCluster() (gallery.Cluster, error) {
	sealed, err := n.dir.Sealed()
	if err != nil {
		return gallery.Cluster{}, fmt.Errorf("sealed CA key: %w", err)
	}
	_, _, ca, err := n.dir.Keys()
	if err != nil {
		return gallery.Cluster{}, err
	}
	return gallery.Cluster{ID: n.id.Cluster, Tenant: gallery.TenantID(newUUID()), Subscription: gallery.SubscriptionID(newUUID()),
		CACert: ca, CAKey: sealed, Generation: n.id.Generation, Version: command.CurrentVersion}, nil
}
