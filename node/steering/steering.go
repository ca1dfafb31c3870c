package steering

import (
	"context"
	"io"
	"log/slog"
	"maps"
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
	Now     func() time.Time
	Log     *slog.Logger
}

// Steering is safe for use by many goroutines.
type Steering struct {
	o     Options
	pacer *pace.Pacer
	poke  chan struct{} // a limit came into use

	mu sync.Mutex
	// heard is what other nodes of the region last said that they use.
	heard map[gallery.NodeID]heard
	// sources are the nodes that this one takes something from.
	sources map[gallery.NodeID]*source
	// sharers is what receivers said in their last request; of nodes with open requests and a little longer.
	sharers map[gallery.NodeID]sharer
	gates   map[gallery.NodeID]chan struct{}
	limited bool      // whether something that arrives here is
	counted time.Time // when the rates of sources were last taken
}

type heard struct {
	active map[pace.Key]bool
	at     time.Time
}

// sharer says among how many senders a receiver's limits are divided.
type sharer struct {
	peer.Sharers
	open int
}

// New returns a Steering; Run keeps it up to date.
func New(o Options) *Steering {
	s := &Steering{o: o, pacer: pace.New(nil), poke: make(chan struct{}, 1), heard: map[gallery.NodeID]heard{}, sources: map[gallery.NodeID]*source{},
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

// The keys of limits in the pacer. Those of regions and pairs are divided among the region's nodes.
const (
	nodeOut   pace.Key = "node out"
	nodeIn    pace.Key = "node in"
	regionOut pace.Key = "region out"
	regionIn  pace.Key = "region in"
)

func pairTo(r gallery.RegionName) pace.Key  { return pace.Key("to region " + r) }
func arriveAt(n gallery.NodeID) pace.Key    { return pace.Key("to node " + n) }
func shared(k pace.Key, pairs pairsOf) bool { return k == regionOut || k == regionIn || pairs[k] }

// pairsOf are the keys of pairs that have a limit.
type pairsOf map[pace.Key]bool

// elsewhere returns the region of a node of another region; empty: what goes there is not limited.
func (s *Steering) elsewhere(id gallery.NodeID) gallery.RegionName {
	if n := s.o.State().Node(id); n != nil && n.Region != s.o.Region {
		return n.Region
	}
	return ""
}

// Outgoing returns w at the pace of what may go to a node of another region, for a transfer of a class. It may wait: a receiver that is slow holds
// little of this node's memory. done ends it.
func (s *Steering) Outgoing(ctx context.Context, to gallery.NodeID, r peer.Asked, w io.Writer) (paced io.Writer, done func(), err error) {
	region := s.elsewhere(to)
	if region == "" {
		return w, func() {}, nil
	}
	s.asked(to, r.Sharers, 1)
	f := s.pacer.Flow(string(to)+" "+string(r.Disk), r.Class, nodeOut, regionOut, pairTo(region), arriveAt(to))
	leave, err := s.enter(ctx, to, f)
	if err != nil {
		f.Close()
		s.asked(to, r.Sharers, -1)
		return nil, nil, err
	}
	return pace.NewWriter(ctx, w, f), func() {
		leave()
		f.Close()
		s.asked(to, r.Sharers, -1)
	}, nil
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
		s.apply(s.o.State())
	}
}

// apply computes the limits of this node.
func (s *Steering) apply(v *state.View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	limits := map[pace.Key]int64{}
	part := func(k pace.Key, r gallery.Rate) { limits[k] = int64(r) / int64(1+s.others(k)) }
	for _, l := range v.Limits() {
		switch k := l.Key; {
		case k.From == s.o.Region && k.To != "":
			part(pairTo(k.To), l.Rate)
		case k.From == s.o.Region:
			part(regionOut, l.Rate)
		case k.To == s.o.Region && k.From == "":
			part(regionIn, l.Rate)
		case k.FromNode == s.o.Self:
			limits[nodeOut] = int64(l.Rate)
		case k.ToNode == s.o.Self:
			limits[nodeIn] = int64(l.Rate)
		case k.ToNode != "" && k.FromNode == "" || k.To != "" && k.From == "":
			s.arriving(v, l, limits)
		}
	}
	s.limited = limits[nodeIn] > 0 || limits[regionIn] > 0
	s.pacer.Set(limits)
}

// arriving adds this node's part of a limit at other nodes that ask it.
func (s *Steering) arriving(v *state.View, l *gallery.Limit, limits map[pace.Key]int64) {
	for id, n := range s.sharers {
		node := v.Node(id)
		if id != l.Key.ToNode && (node == nil || node.Region != l.Key.To || l.Key.To == "") {
			continue
		}
		rate := int64(l.Rate) * int64(n.Part) / peer.Whole
		if l.Key.ToNode == "" {
			rate /= int64(n.Nodes)
		}
		if old, ok := limits[arriveAt(id)]; !ok || rate < old {
			limits[arriveAt(id)] = rate
		}
	}
}

// silence is how long what a node of the region said counts: one that can't be heard any more may still send.
const silence = 5 * time.Second

// others counts the other nodes of the region that use a limit; mu is held.
func (s *Steering) others(k pace.Key) int {
	n := 0
	for _, h := range s.heard {
		if h.active[k] && s.o.Now().Sub(h.at) < silence {
			n++
		}
	}
	return n
}

// Heard notes what another node says, and returns what this one says to it.
func (s *Steering) Heard(from gallery.NodeID, said peer.Shares) peer.Shares {
	if said.Sharers != nil {
		s.asked(from, said.Sharers.Valid(), 0)
	}
	if n := s.o.State().Node(from); n == nil || n.Region != s.o.Region || from == s.o.Self {
		return peer.Shares{}
	}
	s.hear(from, said.Active)
	return peer.Shares{Active: s.active()}
}

// maxActive bounds what a node says that it uses.
const maxActive = gallery.MaxLimits

func (s *Steering) hear(from gallery.NodeID, active []string) {
	h := heard{active: map[pace.Key]bool{}, at: s.o.Now()}
	for _, k := range active[:min(len(active), maxActive)] {
		h.active[pace.Key(k)] = true
	}
	s.mu.Lock()
	was := s.heard[from].active
	s.heard[from] = h
	s.mu.Unlock()
	if !maps.Equal(was, h.active) {
		s.apply(s.o.State())
	}
}

// active returns the shared limits that this node uses.
func (s *Steering) active() []string {
	pairs := pairsOf{}
	for _, l := range s.o.State().Limits() {
		if l.Key.From == s.o.Region && l.Key.To != "" {
			pairs[pairTo(l.Key.To)] = true
		}
	}
	out := []string{}
	for k := range s.pacer.Active() {
		if shared(k, pairs) {
			out = append(out, string(k))
		}
	}
	return out
}

// Patience is how much longer than usual a source may be silent, because limits may hold it up.
func (s *Steering) Patience() time.Duration {
	smallest := gallery.Rate(0)
	for _, l := range s.o.State().Limits() {
		if smallest == 0 || l.Rate < smallest {
			smallest = l.Rate
		}
	}
	if smallest == 0 {
		return 0
	}
	return time.Duration(float64(waiting) / float64(smallest) * float64(time.Second))
}

// waiting is what may go before a frame through the same limit: that of some transfers with all their streams, in bytes.
const waiting = 64 << 20
