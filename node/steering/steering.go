package steering

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"loggia/api/peer"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/transfer/pace"
)

// Peers tells other nodes about limits.
type Peers interface {
	Shares(ctx context.Context, node gallery.NodeID, own peer.Shares) (peer.Shares, error)
}

// Options is what a Steering needs.
type Options struct {
	Self    gallery.NodeID
	Region  gallery.RegionName
	Watched func() (*state.View, *state.Watch)
	State   func() *state.View
	Peers   Peers
	Now     func() time.Time // with the process's monotonic count, as that of time.Now
	Log     *slog.Logger
}

// Steering is safe for use by many goroutines.
type Steering struct {
	o     Options
	pacer *pace.Pacer
	poke  chan struct{} // a limit came into use

	mu sync.Mutex
	// near are the other nodes of the region, each of which has its even share of the limits.
	near  map[gallery.NodeID]*neighbour
	rates map[pace.Key]int64 // the region's limits, as apply found them last
	uses  map[pace.Key]use
	born  time.Time
	// sources are the nodes that this one takes something from.
	sources map[gallery.NodeID]*source
	// sharers is what receivers said in their last request; of nodes with open requests and a little longer.
	sharers map[gallery.NodeID]sharer
	gates   map[gallery.NodeID]chan struct{}
	limited bool      // whether something that arrives here is
	counted time.Time // when the rates of sources were last taken
}

// sharer says among how many senders a receiver's limits are divided.
type sharer struct {
	peer.Sharers
	open int
}

// New returns a Steering; Run keeps it up to date.
func New(o Options) *Steering {
	s := &Steering{o: o, pacer: pace.New(nil), poke: make(chan struct{}, 1), born: o.Now(),
		near: map[gallery.NodeID]*neighbour{}, rates: map[pace.Key]int64{}, uses: map[pace.Key]use{}, sources: map[gallery.NodeID]*source{},
		sharers: map[gallery.NodeID]sharer{}, gates: map[gallery.NodeID]chan struct{}{}}
	s.pacer.OnStart(s.wake)
	return s
}

// wake makes the nodes tell each other at once.
func (s *Steering) wake() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// elsewhere returns the region of a node of another region; empty: what goes there is not limited.
func (s *Steering) elsewhere(id gallery.NodeID) gallery.RegionName {
	if n := s.o.State().Node(id); n != nil && n.Region != s.o.Region {
		return n.Region
	}
	return ""
}

// Outgoing returns w at the pace of what may go to a node of another region, for a transfer of a class. It may wait: a receiver that is slow holds
// little of this node's memory.
func (s *Steering) Outgoing(ctx context.Context, to gallery.NodeID, r peer.Asked, w io.Writer) (peer.Way, error) {
	region := s.elsewhere(to)
	if region == "" {
		return peer.Way{Writer: w, Free: true, Done: func() {}}, nil
	}
	s.asked(to, r.Sharers, 1)
	f := s.pacer.Flow(string(to)+" "+string(r.Disk), r.Class, nodeOut, regionOut, pairTo(region), arriveAt(to))
	leave, err := s.enter(ctx, to, f)
	if err != nil {
		f.Close()
		s.asked(to, r.Sharers, -1)
		return peer.Way{}, err
	}
	return peer.Way{Writer: pace.NewWriter(ctx, w, f), Free: !f.Limited(), Done: func() {
		leave()
		f.Close()
		s.asked(to, r.Sharers, -1)
	}}, nil
}

// Free implements peer.Steering.
func (s *Steering) Free(from gallery.NodeID) bool {
	region := s.elsewhere(from)
	return region == "" || !slices.ContainsFunc(s.o.State().Limits(), func(l *gallery.Limit) bool {
		k := l.Key
		return k.FromNode == from || k.ToNode == s.o.Self || k.From == region && (k.To == "" || k.To == s.o.Region) || k.From == "" && k.To == s.o.Region
	})
}

// Arriving returns body at the pace of what may arrive from a node of another region, and counts it. done ends it.
func (s *Steering) Arriving(ctx context.Context, from gallery.NodeID, r peer.Asked, body io.Reader) (paced io.Reader, done func()) {
	if s.elsewhere(from) == "" {
		return body, func() {}
	}
	f := s.pacer.Flow(string(r.Disk), r.Class, nodeIn, regionIn)
	return pace.NewReader(ctx, s.counting(from, body), f), f.Close
}

// The bounds of what waits with memory for a limit: of the answers to one node, where the limit is so small that they hold it long.
const (
	atOnce = 2
	slow   = 4 << 20 // bytes per second
)

// enter waits for a place among the answers to a node, where the way there is limited.
func (s *Steering) enter(ctx context.Context, to gallery.NodeID, f *pace.Flow) (leave func(), err error) {
	if r := f.Rate(); r == 0 || r > slow {
		return func() {}, nil
	}
	s.mu.Lock()
	gate := s.gates[to]
	if gate == nil {
		gate = make(chan struct{}, atOnce)
		s.gates[to] = gate
	}
	s.mu.Unlock()
	select {
	case gate <- struct{}{}:
		return func() { <-gate }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// asked notes what a receiver says of its limits, and how many of its requests are open.
func (s *Steering) asked(to gallery.NodeID, n peer.Sharers, open int) {
	s.mu.Lock()
	was := s.sharers[to]
	now := sharer{n, was.open + open}
	if now.open == 0 {
		delete(s.sharers, to)
		delete(s.gates, to)
	} else {
		s.sharers[to] = now
	}
	s.mu.Unlock()
	if was.Sharers != n || was.open == 0 {
		s.apply()
	}
}
