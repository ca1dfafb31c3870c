package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"loggia/api/peer"
	"loggia/cluster/consensus"
	"loggia/cluster/gossip"
	"loggia/cluster/port"
	"loggia/fsm/machine"
	"loggia/gallery"
	"loggia/internal/logbridge"
	"loggia/internal/steady"
	"loggia/node/asking"
	"loggia/node/config"
	"loggia/node/credentials"
	"loggia/node/debug"
	"loggia/node/front"
	"loggia/node/identity"
	"loggia/node/joining"
	"loggia/node/proposal"
)

// Node is a running region node.
type Node struct {
	opts  config.Options
	dir   identity.Dir
	id    identity.Identity
	log   *slog.Logger
	life  lifecycle
	fatal chan error
	halt  halted

	cred *credentials.Holder
	port *port.Port
	m    *machine.Machine

	// The log looks for addresses from its first moment, before the node is all there.
	starting sync.RWMutex // guards that raft and gossip are set
	raft     *raftlog
	gossip   *gossip.Gossip

	peers   *peer.Client
	reports *proposal.Proposer
	clock   *steady.Clock // of the log's times
	reg     *prometheus.Registry
	front   *front.Front
	version string                   // of the binary
	serving func() map[string]string // stores that are not in service, and why

	caughtUp func() bool
}

// Start brings a node up: it founds or joins its cluster where it has not before. When Start
// returns, the port is open; Ready says when the node can serve. A failed start ends what it began.
func Start(ctx context.Context, o config.Options, version string, log *slog.Logger) (*Node, error) {
	n := &Node{opts: o, version: version, dir: identity.Dir(o.Data), log: log, fatal: make(chan error, 1), reg: prometheus.NewRegistry()}
	n.life.log = log
	if err := n.start(ctx); err != nil {
		return nil, errors.Join(err, n.life.end())
	}
	return n, nil
}

func (n *Node) start(ctx context.Context) error {
	if err := n.dir.Make(); err != nil {
		return err
	}
	local := joining.Local{Dir: n.dir, Hosts: n.hosts(), Version: n.version, Now: time.Now, Log: n.log,
		Node: gallery.Node{Region: gallery.RegionName(n.opts.Region), Zone: n.opts.Zone, Address: n.opts.Advertise,
			GossipAddress: n.opts.Gossip.Advertise, Version: n.version}}
	var err error
	if n.id, err = n.who(ctx, local); err != nil {
		return err
	}
	n.log = n.log.With("node", string(n.id.Node)[:8], "region", n.opts.Region)
	for _, begin := range []func(context.Context) error{n.openDebug, n.openPort, n.openLog, n.openGossip} {
		if err := begin(ctx); err != nil {
			return err
		}
	}
	return n.assemble(ctx, local)
}

// who returns the node's identity, which it gets once.
func (n *Node) who(ctx context.Context, local joining.Local) (identity.Identity, error) {
	id, err := n.dir.Load()
	switch {
	case err == nil && string(id.Region) != n.opts.Region:
		return id, fmt.Errorf("region: %q: this directory is a node of region %s; a node never changes its region", n.opts.Region, id.Region)
	case err == nil || !errors.Is(err, identity.ErrNone):
		return id, err
	case n.opts.Cluster.Bootstrap:
		return joining.Found(local)
	case len(n.opts.Cluster.Join) == 0:
		return id, errors.New("cluster: the node has no state yet: give bootstrap, or join with a token")
	}
	token, err := n.opts.JoinToken()
	if err != nil {
		return id, err
	}
	return joining.Join(ctx, local, token, n.opts.Cluster.Join)
}

// hosts are the names in the node's certificate.
func (n *Node) hosts() []string {
	seen := map[string]bool{}
	var out []string
	for _, h := range append([]string{"localhost", "127.0.0.1", "::1"}, n.opts.Hosts...) {
		if !seen[h] {
			seen[h] = true
			out = append(out, h)
		}
	}
	for _, addr := range []string{n.opts.Advertise, n.opts.Listen} {
		if h, _, err := net.SplitHostPort(addr); err == nil && h != "" && h != "0.0.0.0" && h != "::" && !seen[h] {
			seen[h] = true
			out = append(out, h)
		}
	}
	return out
}

// openDebug opens the door for profiles where the operator asked for one.
func (n *Node) openDebug(ctx context.Context) error {
	if n.opts.Debug.Listen == "" {
		return nil
	}
	door, err := debug.Open(ctx, n.opts.Debug.Listen)
	if err != nil {
		return err
	}
	n.log.Warn("profiles of this process are open to whoever reaches this address", "address", n.opts.Debug.Listen)
	n.life.after("debug", func(context.Context) error { return door.Close() })
	return nil
}

func (n *Node) openPort(ctx context.Context) (err error) {
	n.m = machine.New()
	cluster := func() *gallery.Cluster { return n.m.View().Cluster() }
	if n.cred, err = credentials.Open(n.dir, n.id, n.hosts(), cluster, time.Now, n.log); err != nil {
		return err
	}
	n.port, err = port.Listen(ctx, n.opts.Listen, port.Options{Credentials: n.cred.Current, Now: time.Now, Log: n.log.With("component", "port")})
	if err != nil {
		return err
	}
	n.life.after("port", func(context.Context) error { return n.port.Close() })
	n.peers = peer.NewClient(n.dialPeer)
	n.peers.Log(n.log.With("component", "sources"))
	n.life.after("peer connections", func(context.Context) error { n.peers.Close(); return nil })
	return nil
}

// dialPeer connects to a node where the state says that it is.
func (n *Node) dialPeer(ctx context.Context, id gallery.NodeID) (net.Conn, error) {
	addr, ok := n.address(string(id))
	if !ok {
		return nil, &gallery.Error{Kind: gallery.ErrUnavailable, Op: "call node", Resource: string(id), Message: "its address is not known here"}
	}
	return n.port.Dial(ctx, port.ProtoPeer, addr, string(id))
}

// address finds a node: in the state, or by rumour, or in the raft configuration.
func (n *Node) address(id string) (string, bool) {
	if row := n.m.View().Node(gallery.NodeID(id)); row != nil {
		return row.Address, true
	}
	n.starting.RLock()
	rumours, log := n.gossip, n.raft
	n.starting.RUnlock()
	if rumours != nil {
		for _, m := range rumours.Members() {
			if m.ID == id && m.Meta.Address != "" {
				return m.Meta.Address, true
			}
		}
	}
	if log != nil {
		if all, err := log.servers(); err == nil {
			for _, s := range all {
				if s.ID == id {
					return s.Address, true
				}
			}
		}
	}
	return "", false
}

// openLog joins consensus. A node that founds its cluster is its first voter.
func (n *Node) openLog(ctx context.Context) error {
	dial := func(ctx context.Context, addr, id string) (net.Conn, error) {
		return n.port.Dial(ctx, port.ProtoRaft, addr, id)
	}
	raft, err := consensus.Open(ctx, consensus.Options{
		NodeID: string(n.id.Node), Address: n.opts.Advertise, Dir: n.dir.Raft(), RTT: n.opts.Cluster.RTT,
		Transport: consensus.StreamTransport(n.port.Raft(), dial), Machine: stateMachine{n.m}, Logger: n.log.With("component", "raft"),
		OnFatal: n.die, Addresses: n.address,
	})
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	n.life.after("log", raft.Close)
	n.starting.Lock()
	n.raft = &raftlog{self: n.id.Node, raft: raft, m: n.m, peers: n.peers}
	n.starting.Unlock()
	n.clock = steady.New(time.Now, steady.Count, func() time.Time { return n.m.View().Meta().Time })
	n.reports = &proposal.Proposer{Self: n.id.Node, Log: n.raft, Door: asking.Leader{Peers: n.peers}, Now: n.clock.Now, Version: n.clusterVersion}
	if has, err := raft.HasState(); err != nil || has || !n.id.Bootstrap {
		return err
	}
	return raft.Bootstrap()
}

func (n *Node) openGossip(context.Context) error {
	g, err := gossip.Start(gossip.Options{Node: string(n.id.Node), Cluster: string(n.id.Cluster), Bind: n.opts.Gossip.Listen,
		Advertise: n.opts.Gossip.Advertise, Key: n.id.Gossip, Meta: gossip.Meta{Region: n.opts.Region, Zone: n.opts.Zone, Address: n.opts.Advertise},
		Output: logbridge.Writer(n.log.With("component", "gossip")), OnFatal: n.die})
	if err != nil {
		return err
	}
	n.starting.Lock()
	n.gossip = g
	n.starting.Unlock()
	n.life.after("gossip", func(context.Context) error { return g.Stop() })
	return nil
}

// die says that the node must not go on (C1, C3, M4): whoever runs it ends the process.
func (n *Node) die(err error) {
	n.halt.set(err)
	n.log.Error("the node must stop", "error", err)
	select {
	case n.fatal <- err:
	default:
	}
}

// Fatal tells why the node must not go on.
func (n *Node) Fatal() <-chan error { return n.fatal }

// handOver bounds the wait for another leader in a planned stop.
const handOver = 3 * time.Second

// Stop ends the node. Leadership goes first, while this node can still pass requests on: then a
// planned stop costs writers about a round trip. After that the outside, and the log last.
func (n *Node) Stop() error {
	if n.raft.IsLeader() {
		ctx, cancel := context.WithTimeout(context.Background(), handOver)
		if err := n.raft.raft.TransferLeadership(ctx); err != nil {
			n.log.Info("leadership was not handed over", "error", err)
		}
		cancel()
	}
	return n.life.end()
}

// ID is the node's identity; Addr is where its port listens.
func (n *Node) ID() gallery.NodeID { return n.id.Node }
func (n *Node) Addr() string       { return n.port.Addr().String() }

// Dir is the node's directory.
func (n *Node) Dir() identity.Dir { return n.dir }

// Ready says why the node cannot serve; nil: it can.
func (n *Node) Ready() error {
	if err := n.halt.get(); err != nil {
		return err
	}
	v := n.m.View()
	switch {
	case v.Cluster() == nil:
		return errors.New("the cluster is not founded yet, or this node has not heard of it")
	case v.Node(n.id.Node) == nil:
		return errors.New("this node is no member yet")
	}
	if _, ok := n.raft.Leader(); !ok {
		return errors.New("no leader is known")
	}
	if !n.caughtUp() {
		return errors.New("this node is catching up with the cluster")
	}
	for name, why := range n.serving() {
		return fmt.Errorf("store %s is not in service: %s", name, why)
	}
	return nil
}

// serve runs HTTP servers for clients and for peers.
func (n *Node) serve(peers http.Handler) {
	run := func(name string, l net.Listener, h http.Handler) {
		s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 64 << 10, ConnContext: port.PeerContext,
			ErrorLog: slog.NewLogLogger(n.log.With("component", name).Handler(), slog.LevelDebug)}
		port.ConfigureHTTP(s)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := s.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
				n.log.Error("HTTP server ended", "server", name, "error", err)
			}
		}()
		n.life.after(name, func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
			defer cancel()
			// Streams do not end by themselves: what is left after a moment is cut.
			err := s.Shutdown(ctx)
			if errors.Is(err, context.DeadlineExceeded) {
				err = s.Close()
			}
			<-done
			return err
		})
	}
	run("peer server", n.port.Peers(), peers)
	run("client server", n.port.Clients(), n.front.Clients())
}

// peerOf tells which node sent a request over the peer port.
func peerOf(r *http.Request) (gallery.NodeID, error) {
	id, ok := port.PeerFrom(r.Context())
	if !ok {
		return "", &gallery.Error{Kind: gallery.ErrForbidden, Message: "not over the peer port"}
	}
	return gallery.NodeID(id), nil
}

// background runs the node's loops; they end together before anything that they use does.
func (n *Node) background(loops map[string]func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	for name, loop := range loops {
		g.Go(func() error {
			err := loop(ctx)
			if err != nil && ctx.Err() == nil {
				n.log.Error("a part of the node ended", "part", name, "error", err)
			}
			return nil
		})
	}
	n.life.after("loops", func(context.Context) error {
		cancel()
		return g.Wait()
	})
}
