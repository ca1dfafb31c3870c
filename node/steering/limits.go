package steering

import (
	"strings"
	"time"

	"loggia/api/peer"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/transfer/pace"
)

// The keys of limits in the pacer. Those of regions and pairs are divided among the region's nodes.
const (
	nodeOut   pace.Key = "node out"
	nodeIn    pace.Key = "node in"
	regionOut pace.Key = "region out"
	regionIn  pace.Key = "region in"

	pairPrefix = "to region "
)

func pairTo(r gallery.RegionName) pace.Key { return pace.Key(pairPrefix + r) }
func arriveAt(n gallery.NodeID) pace.Key   { return pace.Key("to node " + n) }

// shared says whether a limit is one of the region's.
func shared(k pace.Key) bool {
	return k == regionOut || k == regionIn || strings.HasPrefix(string(k), pairPrefix)
}

// apply computes the limits of this node from the state as it is under the lock: what is applied last is never older.
func (s *Steering) apply() {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.o.State()
	limits := map[pace.Key]int64{}
	s.know(v)
	clear(s.rates)
	part := func(k pace.Key, r gallery.Rate) {
		s.rates[k] = int64(r)
		limits[k] = int64(float64(r) * float64(s.take(k)) / peer.Millionths)
	}
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
		rate := n.Of(int64(l.Rate))
		if l.Key.ToNode != "" {
			rate = int64(l.Rate) * int64(n.Part) / peer.Whole
		}
		if old, ok := limits[arriveAt(id)]; !ok || rate < old {
			limits[arriveAt(id)] = rate
		}
	}
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
