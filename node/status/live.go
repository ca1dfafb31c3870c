package status

import (
	"context"
	"sync"
	"time"

	"loggia/api/peer"
	"loggia/fsm/state"
	"loggia/gallery"
)

// detail is a transfer and how old the word of it is.
type detail struct {
	peer.Live
	age time.Duration
}

// askFor bounds the question to other nodes: who does not answer in time is shown with the age of
// the last answer.
const askFor = time.Second

// live gathers the transfers of all nodes that hold a claim.
func (b *Board) live(ctx context.Context, v *state.View) map[gallery.ReplicaKey]detail {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	regions := map[gallery.NodeID]gallery.RegionName{}
	for _, r := range v.ClaimedReplicas() {
		if n := v.Node(r.Claim.Node); n != nil {
			regions[n.ID] = n.Region
		}
	}
	var work sync.WaitGroup
	for id := range regions {
		work.Go(func() { b.ask(ctx, id) })
	}
	work.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[gallery.ReplicaKey]detail{}
	now := b.o.Now()
	for id, region := range regions {
		s, ok := b.seen[id]
		if !ok {
			continue
		}
		for _, l := range s.live {
			out[gallery.ReplicaKey{Disk: l.Disk, Region: region, Slot: l.Slot}] = detail{l, now.Sub(s.at)}
		}
	}
	return out
}

func (b *Board) ask(ctx context.Context, id gallery.NodeID) {
	var live []peer.Live
	var err error
	if id == b.o.Self {
		live = b.o.Own()
	} else {
		live, err = b.o.Peers.Live(ctx, id)
	}
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen[id] = sighting{live, b.o.Now()}
}
