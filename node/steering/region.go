package steering

import (
	"time"

	"loggia/api/peer"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/transfer/pace"
)

// neighbour is another node of the region, as this one knows it.
type neighbour struct {
	at    time.Time      // when it last said something
	wants map[string]int // millionths of each limit that it could use; nil: it says nothing of that, and nobody lends anything

	// What this node lends it.
	lent    map[pace.Key]lent
	serial  uint64
	strange time.Time // until then it may have what this process knows nothing of, as it was lent before its begin

	// What it lends this node.
	held  map[pace.Key]int
	until time.Time // when that runs out
	seen  uint64
	taken time.Time // when seen was
}

// know keeps the neighbours those of the state; mu is held.
func (s *Steering) know(v *state.View) {
	is := map[gallery.NodeID]bool{}
	for _, n := range v.Nodes(s.o.Region) {
		if is[n.ID] = n.ID != s.o.Self; is[n.ID] && s.near[n.ID] == nil {
			s.near[n.ID] = &neighbour{lent: map[pace.Key]lent{}, serial: s.first(), strange: s.born.Add(silence)}
		}
	}
	for id := range s.near {
		if !is[id] {
			delete(s.near, id)
		}
	}
}

// even is what each node of the region has of its limits.
func (s *Steering) even() int { return peer.Millionths / (1 + len(s.near)) }

// take is what this node may use of one of the region's limits now, in millionths: its even share, less what it has lent, and what it has borrowed. mu is held.
//
//	the sum over all nodes of the region <= peer.Millionths
func (s *Steering) take(k pace.Key) int {
	now := s.o.Now()
	n := s.even()
	for _, o := range s.near {
		n -= s.owed(o, k, now)
		if now.Before(o.until) {
			n += o.held[k]
		}
	}
	return max(0, n)
}

// use is what this node makes of one of the region's limits.
type use struct {
	sum  float64 // of the pacer, when it was last looked at
	at   time.Time
	rate float64 // bytes per second; it rises at once and falls by halves
	take int     // that it had then
	want int     // what it could use, in millionths
}

// What a node could use is half again of what it uses; one that uses most of what it has could use anything. The first times the second is more than one,
// or a node that has just what it wants would want anything.
const (
	spare = 1.5
	most  = 0.8
)

// weigh looks at what this node uses of the region's limits. One that comes into use wants anything, at first.
func (s *Steering) weigh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, used := s.o.Now(), s.pacer.Used()
	for k := range s.uses {
		if !used[k].Active {
			delete(s.uses, k)
		}
	}
	for k, limit := range s.rates {
		if u := used[k]; u.Active {
			s.uses[k] = s.uses[k].next(u.Sum, s.take(k), limit, now)
		}
	}
}

// next is the use after some time.
func (u use) next(sum float64, take int, limit int64, now time.Time) use {
	dt := now.Sub(u.at)
	switch {
	case u.at.IsZero() || dt < 0 || sum < u.sum:
		return use{sum: sum, at: now, take: take, want: peer.Millionths}
	case dt < renewed:
		return u
	}
	rate := max((sum-u.sum)/dt.Seconds(), u.rate/2)
	part := rate / float64(limit) * peer.Millionths
	want := spare * part
	if part >= most*float64(min(take, u.take)) {
		want = peer.Millionths
	}
	return use{sum: sum, at: now, rate: rate, take: take, want: int(want)}
}

// active returns the shared limits that this node uses.
func (s *Steering) active() []string {
	out := []string{}
	for k, u := range s.pacer.Used() {
		if u.Active && shared(k) {
			out = append(out, string(k))
		}
	}
	return out
}

// Heard notes what another node says, and returns what this one says to it.
func (s *Steering) Heard(from gallery.NodeID, said peer.Shares) peer.Shares {
	if said.Sharers != nil {
		s.asked(from, said.Sharers.Valid(), 0)
	}
	if n := s.o.State().Node(from); n == nil || n.Region != s.o.Region || from == s.o.Self {
		return peer.Shares{}
	}
	out := peer.Shares{Active: s.active(), Parts: s.answer(from, said)}
	s.apply()
	return out
}
