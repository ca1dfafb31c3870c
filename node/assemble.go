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
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/node/arm"
	"loggia/node/front"
	"loggia/node/joining"
	"loggia/node/reading"
	"loggia/node/reads"
	"loggia/node/replication"
	"loggia/node/service"
	"loggia/node/status"
	"loggia/node/upkeep"
)

// assemble makes the parts that stand on log, port and gossip, and lets them go.
func (n *Node) assemble(ctx context.Context, local joining.Local) error {
	n.reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	settled := reads.New(n.id.Node, n.raft, n.peers, time.Now)
	who, rights, sts := n.access(settled)
	svc := service.New(service.Options{NewSigningKey: n.newSigningKey, Allowed: rights.Allowed, Disk: rights.Disk, State: n.m.View, Log: n.reports, Settle: settled.Settle, Now: time.Now,
		Cluster: group{r: n.raft, gossip: n.gossip, ca: n.caHash()}})
	r, err := n.newRegional(settled, rights, svc)
	if err != nil {
		return err
	}
	n.serving, n.caughtUp = r.keeper.Faults, settled.CaughtUp
	n.reg.MustRegister(&gauges{view: n.m.View, leading: n.raft.IsLeader, caughtUp: settled.CaughtUp, region: n.id.Region, live: r.live, uploads: r.uploads.Active},
		linked(n.peers.Linked))

	board := status.New(status.Options{Self: n.id.Node, Region: n.id.Region, Version: local.Version, Watched: n.m.Watched, State: n.m.View,
		Metadata: svc, Leader: n.raft.Leader, Own: func() []peer.Live { return ownLive(r.live) }, Peers: n.peers, Ready: n.Ready, Now: n.clock.Now})
	door := &joining.Door{Propose: n.reports.Propose, Authority: n.cred.Authority, Identity: n.id, Now: time.Now, Log: n.log,
		Seat: func(id gallery.TokenID) gallery.Seat { return seatOf(n.m.View(), id) }}
	signer, err := links.NewSigner(n.id.Secret)
	if err != nil {
		return err
	}
	shown := links.Handler(signer, reading.Links{Reader: r.reader, Now: n.clock.Now}, n.clock.Now, n.log.With("component", "links"))
	resources := arm.New(arm.Options{State: n.m.View, Log: n.reports, Settle: settled.Settle, Link: signer.Sign, Notes: board.Notes, Now: time.Now})
	n.front = front.New(front.Options{Links: shown, Azure: azure.Options{Service: resources, Access: who, Verifier: who, Now: time.Now}, URL: n.opts.API.URL, Self: n.id.Node, Region: n.id.Region,
		Leader: n.raft, Peers: n.peers, Service: svc, Access: who, Names: rights.Names, Tokens: sts, Own: n.ownOrigin, CaughtUp: settled.CaughtUp, Status: board,
		Uploads: r.uploads, Disks: r.reader, Check: r.checker, Nodes: n.nodesIn, Metrics: promhttp.HandlerFor(n.reg, promhttp.HandlerOpts{}), Join: door, Log: n.log.With("component", "api")})
	n.serve(peer.Handler(&peerService{n: n, reader: r.reader, seeds: r.seeds, live: r.live, steer: r.steer}, peerOf, n.log.With("component", "peers")))

	loops := map[string]func(context.Context) error{
		"uploads": r.uploads.Run, "certificate": n.cred.Run, "gossip": n.mingle, "warm": n.keepWarm, "founding": n.found, "hash": n.compare, "upkeep": n.lead,
	}
	for name, loop := range r.loops() {
		loops[name] = n.afterFounding(loop)
	}
	n.background(loops)
	return nil
}

// lead does what the leader does besides answering, while this node is it.
func (n *Node) lead(ctx context.Context) error {
	leader := upkeep.New(upkeep.Options{Self: n.id.Node, Watched: n.m.Watched, Log: n.reports, Raft: seats{n.raft}, Lease: replication.Lease,
		Understands: n.understands, Now: n.clock.Now, Logger: n.log.With("component", "upkeep")})
	return n.raft.raft.Lead(ctx, func(ctx context.Context) error {
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error { return leader.Lead(upkeep.Since(ctx, n.clock.Now())) })
		g.Go(func() error { return n.rotator().Run(ctx) })
		return g.Wait()
	})
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
