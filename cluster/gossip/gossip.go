// Package gossip spreads where nodes are and whether they seem alive: a hint, on which nothing is decided (C6).
package gossip

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// Meta is what a node tells of itself. Encoded it has at most 512 bytes.
type Meta struct {
	Region  string `json:"r"`
	Zone    string `json:"z,omitempty"`
	Address string `json:"a"` // host:port of the node's TLS port
}

// Options is what gossip needs.
type Options struct {
	Node      string // UUID: the member's name
	Cluster   string // UUID: packets of others are dropped
	Bind      string // host:port
	Advertise string // host:port
	Key       []byte // 16, 24 or 32 bytes
	Meta      Meta
	Output    io.Writer   // memberlist's log
	OnFatal   func(error) // another node has this one's name: the process must end
	Transport memberlist.Transport
}

// Alive is what gossip has heard of a node.
type Alive string

// The rumours. memberlist tells nobody whom it merely suspects.
const (
	IsAlive   Alive = "alive"
	IsDead    Alive = "dead"
	IsUnknown Alive = "unknown"
)

// Member is a node that gossip has heard of.
type Member struct {
	ID    string
	Meta  Meta
	State Alive
}

// Gossip is a member of the cluster's gossip. It is safe for use by many goroutines.
type Gossip struct {
	list *memberlist.Memberlist
	meta []byte
	stop func() error // once: memberlist panics when it is told twice

	// What the delegate was told. memberlist must not be called from its own callbacks, so
	// they only write here.
	mu   sync.Mutex
	seen map[string]Member
}

// Start begins to gossip.
func Start(o Options) (*Gossip, error) {
	meta, err := json.Marshal(o.Meta)
	if err != nil {
		return nil, err
	}
	if len(meta) > memberlist.MetaMaxSize {
		return nil, fmt.Errorf("gossip: the node's description has %d bytes, at most %d are allowed", len(meta), memberlist.MetaMaxSize)
	}
	g := &Gossip{meta: meta, seen: map[string]Member{}}
	conf := memberlist.DefaultWANConfig()
	conf.Name, conf.Label, conf.SecretKey = o.Node, o.Cluster, o.Key
	conf.DeadNodeReclaimTime = 60 * time.Second
	conf.Delegate, conf.Events, conf.Conflict = g, g, conflict{o.OnFatal}
	conf.Logger = log.New(o.Output, "", 0)
	if o.Transport != nil {
		conf.Transport = o.Transport
	}
	if conf.BindAddr, conf.BindPort, err = split(o.Bind); err != nil {
		return nil, err
	}
	if conf.AdvertiseAddr, conf.AdvertisePort, err = split(o.Advertise); err != nil {
		return nil, err
	}
	if g.list, err = memberlist.Create(conf); err != nil {
		return nil, fmt.Errorf("start gossip: %w", err)
	}
	g.stop = sync.OnceValue(func() error {
		_ = g.list.Leave(leaveTime) // a courtesy: who does not hear of it finds out
		return g.list.Shutdown()
	})
	return g, nil
}

// leaveTime is how long a leave may take to spread.
const leaveTime = 2 * time.Second

func split(addr string) (string, int, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("gossip address: %w", err)
	}
	n, err := strconv.Atoi(port)
	return host, n, err
}

// Join contacts members at the addresses; one that answers is enough.
func (g *Gossip) Join(ctx context.Context, addrs []string) error {
	done := make(chan error, 1)
	go func() {
		n, err := g.list.Join(addrs)
		if n > 0 {
			err = nil
		}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err() // memberlist's own time-outs end the attempt
	}
}

// Members returns who was heard of, ordered by id.
func (g *Gossip) Members() []Member {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]Member, 0, len(g.seen))
	for _, m := range g.seen {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// State says what was heard of a node.
func (g *Gossip) State(node string) Alive {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m, ok := g.seen[node]; ok {
		return m.State
	}
	return IsUnknown
}

// Stop tells the others and ends.
func (g *Gossip) Stop() error { return g.stop() }

func (g *Gossip) note(n *memberlist.Node, s Alive) {
	var meta Meta
	_ = json.Unmarshal(n.Meta, &meta) // a node of another release may say more, or less
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen[n.Name] = Member{n.Name, meta, s}
}

// NotifyJoin implements memberlist.EventDelegate.
func (g *Gossip) NotifyJoin(n *memberlist.Node) { g.note(n, IsAlive) }

// NotifyLeave implements memberlist.EventDelegate.
func (g *Gossip) NotifyLeave(n *memberlist.Node) { g.note(n, IsDead) }

// NotifyUpdate implements memberlist.EventDelegate.
func (g *Gossip) NotifyUpdate(n *memberlist.Node) { g.note(n, IsAlive) }

// NodeMeta implements memberlist.Delegate.
func (g *Gossip) NodeMeta(limit int) []byte {
	if len(g.meta) > limit {
		return nil
	}
	return g.meta
}

// NotifyMsg, GetBroadcasts, LocalState and MergeRemoteState implement memberlist.Delegate: nothing
// but membership is gossiped.
func (g *Gossip) NotifyMsg([]byte)                  {}
func (g *Gossip) GetBroadcasts(_, _ int) [][]byte   { return nil }
func (g *Gossip) LocalState(bool) []byte            { return nil }
func (g *Gossip) MergeRemoteState(_ []byte, _ bool) {}

// conflict ends the process where two nodes have one name: joining would split the cluster.
type conflict struct{ fatal func(error) }

// NotifyConflict implements memberlist.ConflictDelegate.
func (c conflict) NotifyConflict(existing, other *memberlist.Node) {
	c.fatal(fmt.Errorf("gossip: two nodes are named %s: one at %s, one at %s", existing.Name, existing.Address(), other.Address()))
}
