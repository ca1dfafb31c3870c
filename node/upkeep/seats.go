package upkeep

import (
	"cmp"
	"context"
	"slices"
	"time"

	"loggia/fsm/state"
	"loggia/gallery"
)

// seats keeps the raft configuration what the nodes' seats say. A seat is an operator's committed request (a join
// token, a promotion); nothing here acts on health (C5).
func (l *Leader) seats(ctx context.Context) error {
	for {
		v, watch := l.o.Watched()
		step, err := l.seat(ctx, v)
		if err != nil && ctx.Err() == nil {
			l.o.Logger.Warn("changing the raft configuration failed; it is tried again", "error", err)
		}
		wait := time.Minute
		if step || err != nil {
			wait = time.Second
		}
		bounded, cancel := context.WithTimeout(ctx, wait)
		_ = watch.Wait(bounded) // a change or the time: both mean to look again
		cancel()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// seat takes one step: one server is changed at a time. It says whether it did.
func (l *Leader) seat(ctx context.Context, v *state.View) (bool, error) {
	servers, err := l.o.Raft.Servers()
	if err != nil {
		return false, err
	}
	have := map[gallery.NodeID]bool{} // id -> voter
	voters := 0
	for _, s := range servers {
		have[s.ID] = s.Voter
		if s.Voter {
			voters++
		}
	}
	nodes := v.Nodes("")
	for _, s := range servers {
		if !slices.ContainsFunc(nodes, func(n *gallery.Node) bool { return n.ID == s.ID }) && s.ID != l.o.Self {
			l.o.Logger.Info("node leaves the raft configuration", "node", s.ID)
			return true, l.o.Raft.Remove(ctx, s.ID)
		}
	}
	for _, n := range nodes {
		if _, in := have[n.ID]; !in {
			l.o.Logger.Info("node joins as standby", "node", n.ID, "region", n.Region)
			return true, l.o.Raft.AddStandby(ctx, n.ID, n.Address)
		}
	}
	n := next(nodes, have, voters)
	if n == nil {
		return false, nil
	}
	l.o.Logger.Info("standby becomes voter", "node", n.ID, "region", n.Region)
	return true, l.o.Raft.AddVoter(ctx, n.ID, n.Address)
}

// maxVoters is the most that vote: more cost more than they give.
const maxVoters = 7

// next returns the node that is to get a vote: the number of voters is odd whenever no change is
// under way, so a second one waits for a third. Regions without a voter come first.
func next(nodes []*gallery.Node, voter map[gallery.NodeID]bool, voters int) *gallery.Node {
	var waiting []*gallery.Node
	held := map[gallery.RegionName]int{}
	for _, n := range nodes {
		switch {
		case voter[n.ID]:
			held[n.Region]++
		case n.Seat == gallery.SeatVoter || n.Seat == gallery.SeatWitness:
			waiting = append(waiting, n)
		}
	}
	even := voters%2 == 0
	if len(waiting) == 0 || voters >= maxVoters || !even && len(waiting) < 2 {
		return nil
	}
	slices.SortStableFunc(waiting, func(a, b *gallery.Node) int {
		return cmp.Or(cmp.Compare(held[a.Region], held[b.Region]), a.Joined.Compare(b.Joined), cmp.Compare(a.ID, b.ID))
	})
	return waiting[0]
}
