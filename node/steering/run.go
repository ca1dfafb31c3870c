package steering

import (
	"context"
	"sync"
	"time"

	"loggia/api/peer"
	"loggia/fsm/state"
	"loggia/gallery"
)

// tick is how often the nodes of a region tell each other what limits they use.
const tick = time.Second

// Run follows the state's limits and divides those of the region with its other nodes, until ctx ends.
func (s *Steering) Run(ctx context.Context) error {
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() { s.share(ctx) })
	for {
		v, watch := s.o.Watched()
		_ = v.Limits() // what the watch is for
		s.apply()
		if err := watch.Wait(ctx); err != nil {
			return nil
		}
	}
}

// share asks the others each second, and at once when this node begins to use a limit.
func (s *Steering) share(ctx context.Context) {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-s.poke:
		case <-ctx.Done():
			return
		}
		s.measure()
		s.exchange(ctx, s.o.State())
	}
}

// exchange tells the region's other nodes what this one uses, and hears what they do; and it tells sources their parts. Where nothing is limited nobody is asked.
func (s *Steering) exchange(ctx context.Context, v *state.View) {
	ctx, cancel := context.WithTimeout(ctx, tick)
	defer cancel()
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() { s.tell(ctx) })
	others := v.Nodes(s.o.Region)
	s.keep(others)
	if len(others) < 2 || len(v.Limits()) == 0 {
		return
	}
	own := peer.Shares{Active: s.active()}
	for _, n := range others {
		if n.ID == s.o.Self {
			continue
		}
		work.Go(func() {
			said, err := s.o.Peers.Shares(ctx, n.ID, own)
			if err != nil {
				s.o.Log.Debug("a node of the region does not say what limits it uses", "peer", n.ID, "error", err)
				return
			}
			s.hear(n.ID, said.Active)
		})
	}
	work.Wait()
	s.apply()
}

// keep forgets nodes that are no more.
func (s *Steering) keep(nodes []*gallery.Node) {
	is := map[gallery.NodeID]bool{}
	for _, n := range nodes {
		is[n.ID] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.heard {
		if !is[id] {
			delete(s.heard, id)
		}
	}
}
