package steering

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"loggia/api/peer"
	"loggia/gallery"
)

// source is a node of another region that this one takes something from.
type source struct {
	open  int          // requests
	bytes atomic.Int64 // that came
	seen  int64        // of these, when the rate was last taken
	rate  float64      // bytes per second, averaged over some seconds; negative: not known yet
	told  peer.Sharers // what it knows of its part
}

// The parts of this node's limits that its sources have. The largest share follows what came from each, so that a source that is slow, or far, leaves what
// it cannot use to the others; the rest is equal, so that each can show what it can do.
const (
	byRate  = 0.8
	renewed = 400 * time.Millisecond // between two measurements of rates, at least
)

// Begin implements peer.Steering.
func (s *Steering) Begin(to gallery.NodeID) (n peer.Sharers, end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.sources[to]
	if x == nil {
		x = &source{rate: -1}
		s.sources[to] = x
		s.wake() // the parts of the others are smaller now
	}
	x.open++
	x.told = s.part(x)
	return x.told, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		x.open--
	}
}

// part is a source's part of this node's limits now; mu is held.
func (s *Steering) part(x *source) peer.Sharers {
	sum, known, n := 0.0, 0, 0
	for _, o := range s.sources {
		n++
		if o.rate >= 0 {
			sum += o.rate
			known++
		}
	}
	part := 1 / float64(n)
	if sum > 0 {
		mean := sum / float64(known)
		all := sum + mean*float64(n-known) // one that is not known yet counts as the middle one
		rate := x.rate
		if rate < 0 {
			rate = mean
		}
		part = (1-byRate)/float64(n) + byRate*rate/all
	}
	share := max(1, s.take(regionIn))
	return peer.Sharers{Part: int(part * peer.Whole), Nodes: (peer.Millionths + share - 1) / share, Share: share}.Valid()
}

// measure takes the rates of sources, and forgets those that are not asked any more.
func (s *Steering) measure() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	dt := now.Sub(s.counted)
	if dt < renewed && dt >= 0 {
		return
	}
	s.counted = now
	for id, x := range s.sources {
		n := x.bytes.Load()
		rate := float64(n-x.seen) / max(dt, renewed).Seconds()
		x.seen = n
		switch {
		case x.open == 0 && rate == 0:
			delete(s.sources, id)
		case x.rate < 0 && rate > 0:
			x.rate = rate
		case x.rate >= 0:
			x.rate = (x.rate + rate) / 2
		}
	}
}

// tell says to sources whose part has changed what it is now, where anything that arrives here is limited.
func (s *Steering) tell(ctx context.Context) {
	s.mu.Lock()
	news := map[gallery.NodeID]peer.Sharers{}
	for id, x := range s.sources {
		if now := s.part(x); s.limited && x.open > 0 && now != x.told {
			x.told = now
			news[id] = now
		}
	}
	s.mu.Unlock()
	var work sync.WaitGroup
	for id, n := range news {
		work.Go(func() {
			if _, err := s.o.Peers.Shares(ctx, id, peer.Shares{Sharers: &n}); err != nil {
				s.o.Log.Debug("a source does not hear its part of a limit", "peer", id, "error", err)
				s.forget(id)
			}
		})
	}
	work.Wait()
}

// forget makes a source be told again.
func (s *Steering) forget(id gallery.NodeID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.sources[id]; x != nil {
		x.told = peer.Sharers{}
	}
}

// counting counts what comes from a source.
func (s *Steering) counting(from gallery.NodeID, body io.Reader) io.Reader {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.sources[from]; x != nil {
		return counter{body, &x.bytes}
	}
	return body
}

type counter struct {
	io.Reader
	n *atomic.Int64
}

// Read implements io.Reader.
func (c counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n.Add(int64(n))
	return n, err
}
