package steering

import (
	"context"
	"sync"
	"time"

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
		s.weigh()
		s.exchange(ctx, s.o.State())
	}
}

// exchange tells the region's other nodes what this one could use and what it lends them, and hears the same of them; and it tells sources their parts. Where
// nothing is limited nobody is asked.
func (s *Steering) exchange(ctx context.Context, v *state.View) {
	ctx, cancel := context.WithTimeout(ctx, tick)
	defer cancel()
	s.apply() // what was borrowed may have run out
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() { s.tell(ctx) })
	if len(v.Limits()) == 0 {
		return
	}
	for _, n := range v.Nodes(s.o.Region) {
		if n.ID != s.o.Self {
			work.Go(func() { s.ask(ctx, n.ID) })
		}
	}
	work.Wait()
	s.tell(ctx)
}

// ask has one exchange with a node of the region.
func (s *Steering) ask(ctx context.Context, id gallery.NodeID) {
	asked := s.o.Now()
	said, err := s.o.Peers.Shares(ctx, id, s.question(id))
	if err != nil {
		s.o.Log.Debug("a node of the region does not say what limits it uses", "peer", id, "error", err)
		return
	}
	s.answered(id, said, asked)
	s.apply()
}
