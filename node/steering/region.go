package steering

import (
	"maps"
	"time"

	"loggia/api/peer"
	"loggia/gallery"
	"loggia/transfer/pace"
)

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
		s.apply()
	}
}

// active returns the shared limits that this node uses.
func (s *Steering) active() []string {
	out := []string{}
	for k := range s.pacer.Active() {
		if shared(k) {
			out = append(out, string(k))
		}
	}
	return out
}
