package steering

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"loggia/api/peer"
	"loggia/gallery"
	"loggia/transfer/pace"
)

// Each node of a region has an even share of its limits, and lends what it does not use to those that could use more. Who borrows asks again each
// second, and stops using a loan that was not granted again for some; who lends counts it as given for longer. So whatever is lost on the way, and
// whoever is cut off, all together never have more than the limit, and who hears nobody has its even share.
const (
	// borrowed is how long a loan can be used, from the question on; it may be noticed a tick later.
	borrowed = 3 * time.Second
	// silence is how long a loan counts as given, from the answer on.
	silence = borrowed + 2*tick
	// kept is the part of its even share that a node never lends: with it it begins.
	kept = 20
)

// lent is what a neighbour may use of this node's even share.
type lent struct {
	part  int
	until time.Time // when part has run out for certain
	// more is what it had before, as long as it may not know that it is less now.
	more      int
	moreUntil time.Time
	told      uint64 // the serial with which it is told
}

func (l lent) owed(now time.Time) (n int) {
	if now.Before(l.until) {
		n = l.part
	}
	if now.Before(l.moreUntil) {
		n = max(n, l.more)
	}
	return n
}

// lower returns the loan with a part that is not larger; the neighbour is told with a serial.
func (l lent) lower(part int, serial uint64, now time.Time) lent {
	if n := l.owed(now); n > part {
		if l.until.After(l.moreUntil) {
			l.moreUntil = l.until
		}
		l.more, l.told = n, serial
	}
	l.part = min(l.part, part)
	return l
}

// owed is what a neighbour may use of this node's even share; mu is held.
func (s *Steering) owed(n *neighbour, k pace.Key, now time.Time) int {
	if now.Before(n.strange) {
		return max(n.lent[k].owed(now), (s.even()-s.even()/kept)/len(s.near))
	}
	return n.lent[k].owed(now)
}

// loans divides what this node can spare of a limit among its neighbours; mu is held.
func (s *Steering) loans(k pace.Key, now time.Time) map[*neighbour]int {
	even := s.even()
	needs := map[*neighbour]int{}
	for _, n := range s.near {
		if now.Sub(n.at) >= silence {
			continue
		}
		if n.wants == nil { // of an older release: it takes what is not in use
			return nil
		}
		if need := min(n.wants[string(k)], peer.Millionths) - even; need > 0 {
			needs[n] = need
		}
	}
	return fill(even-max(even/kept, min(s.uses[k].want, even)), needs)
}

// fill gives everybody the same, and nobody more than it needs.
func fill(all int, needs map[*neighbour]int) map[*neighbour]int {
	out := map[*neighbour]int{}
	order := slices.SortedFunc(maps.Keys(needs), func(a, b *neighbour) int { return cmp.Compare(needs[a], needs[b]) })
	for i, n := range order {
		out[n] = min(needs[n], all/(len(order)-i))
		all -= out[n]
	}
	return out
}

// question is what this node says when it asks a neighbour: what it wants, and what it takes back.
func (s *Steering) question(id gallery.NodeID) peer.Shares {
	active := s.active()
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.near[id]
	if n == nil {
		return peer.Shares{Active: active}
	}
	now := s.o.Now()
	for k := range s.rates {
		if part := s.loans(k, now)[n]; part < n.lent[k].part {
			n.lent[k] = n.lent[k].lower(part, n.serial+1, now)
		}
	}
	return peer.Shares{Active: active, Parts: s.say(n, now)}
}

// answer notes what a neighbour asked, and grants it loans.
func (s *Steering) answer(id gallery.NodeID, said peer.Shares) *peer.Parts {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.near[id]
	if n == nil {
		return nil
	}
	now := s.o.Now()
	if s.note(n, said, now); said.Parts == nil {
		return nil
	}
	if n.fresh(said.Parts, now) {
		for k, part := range n.held {
			n.held[k] = min(part, max(0, said.Parts.Lent[string(k)]))
		}
	}
	for k := range s.rates {
		s.grant(n, k, now)
	}
	return s.say(n, now)
}

// grant lends a neighbour what it may have of a limit now; mu is held.
func (s *Steering) grant(n *neighbour, k pace.Key, now time.Time) {
	room := s.even() - s.even()/kept
	for _, o := range s.near {
		if o != n {
			room -= s.owed(o, k, now)
		}
	}
	part := max(0, min(s.loans(k, now)[n], room))
	l := n.lent[k].lower(part, n.serial+1, now)
	l.part, l.until = part, now.Add(silence)
	n.lent[k] = l
}

// answered takes in what a neighbour says to a question.
func (s *Steering) answered(id gallery.NodeID, said peer.Shares, asked time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.near[id]
	if n == nil {
		return
	}
	now := s.o.Now()
	if s.note(n, said, now); said.Parts == nil || !n.fresh(said.Parts, now) {
		return
	}
	n.held, n.until = map[pace.Key]int{}, asked.Add(borrowed)
	for k := range s.rates {
		n.held[k] = min(max(0, said.Parts.Lent[string(k)]), peer.Millionths)
	}
}

// note takes in what a neighbour wants, and what it knows of its loans; mu is held.
func (s *Steering) note(n *neighbour, said peer.Shares, now time.Time) {
	n.at, n.wants = now, nil
	if said.Parts == nil {
		return
	}
	if n.wants = said.Parts.Wants; n.wants == nil {
		n.wants = map[string]int{}
	}
	if said.Parts.Seen <= s.first() || said.Parts.Seen > n.serial {
		return // nothing that this process said
	}
	n.strange = time.Time{}
	for k, l := range n.lent {
		if l.told <= said.Parts.Seen {
			l.more, l.moreUntil = 0, time.Time{}
			n.lent[k] = l
		}
	}
}

// first is less than the serials of this process, and larger than those of the ones before.
func (s *Steering) first() uint64 { return uint64(s.born.UnixMicro()) }

// fresh says whether what a neighbour lends is news, and remembers it. One that was silent for long may count anew.
func (n *neighbour) fresh(p *peer.Parts, now time.Time) bool {
	if p.Serial <= n.seen && now.Sub(n.taken) < silence {
		return false
	}
	n.seen, n.taken = p.Serial, now
	return true
}

// say returns what a neighbour is told; mu is held.
func (s *Steering) say(n *neighbour, now time.Time) *peer.Parts {
	n.serial++
	out := &peer.Parts{Wants: map[string]int{}, Lent: map[string]int{}, Serial: n.serial, Seen: n.seen}
	for k, u := range s.uses {
		out.Wants[string(k)] = u.want
	}
	for k := range s.rates {
		if l := n.lent[k]; l.part > 0 && now.Before(l.until) {
			out.Lent[string(k)] = l.part
		}
	}
	return out
}
