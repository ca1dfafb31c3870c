package replicate

import (
	"cmp"
	"math"
	"slices"
)

// ranked is a source with what its rank goes by, read once: other goroutines measure it while the list is put in order.
type ranked struct {
	*place
	rate  float64 // 0: not measured
	far   uint32  // 0: nobody says
	class int     // how often it is muchFaster slower than the fastest; 0: not measured
}

// rank puts the best first. Of what is not measured the best is thought: so it is measured soon. Where distances are said the nearest come first, but
// for those that are much slower than the fastest; else the fastest. Those that are alike keep their order.
func rank(list []*place) {
	order := make([]ranked, len(list))
	best, said := 0.0, false
	for i, s := range list {
		rate, _ := s.speed.get()
		order[i] = ranked{place: s, rate: rate, far: s.far.Load()}
		best, said = max(best, rate), said || order[i].far != 0
	}
	for i, r := range order {
		if r.rate > 0 {
			order[i].class = int(math.Log2(best/r.rate) / math.Log2(muchFaster))
		}
	}
	compare := byRate
	if said {
		compare = byDistance
	}
	slices.SortStableFunc(order, compare)
	for i, r := range order {
		list[i] = r.place
	}
}

// byRate compares what is measured and what is not as well: what is not is the best, and all of it alike.
func byRate(a, b ranked) int {
	if a.rate == 0 || b.rate == 0 {
		return cmp.Compare(a.rate, b.rate)
	}
	return cmp.Compare(b.rate, a.rate)
}

func byDistance(a, b ranked) int {
	return cmp.Or(cmp.Compare(a.class, b.class), CompareDistance(a.far, b.far))
}
