package replicate

import (
	"fmt"
	"slices"
	"testing"
)

// TestRankWithoutDistances: a source of which nothing is known does not keep a fast one behind a slow one.
func TestRankWithoutDistances(t *testing.T) {
	for _, tc := range []struct {
		rates []float64
		want  []int // places in rates
	}{
		{[]float64{1, 0, 2}, []int{1, 2, 0}},
		{[]float64{0, 0, 0}, []int{0, 1, 2}},
		{[]float64{1, 3, 2}, []int{1, 2, 0}},
		{[]float64{5, 0, 5, 0, 7}, []int{1, 3, 4, 0, 2}},
	} {
		var list []*place
		for i, rate := range tc.rates {
			list = append(list, &place{key: fmt.Sprint(i), speed: &speed{rate: rate}})
		}
		rank(list)
		for i, s := range list {
			if s.key != fmt.Sprint(tc.want[i]) {
				t.Errorf("of rates %v the place %d has %s, want %d", tc.rates, i, s.key, tc.want[i])
			}
		}
	}
}

// TestRanksAreOrders: whatever is known of three sources, neither comparison contradicts itself.
func TestRanksAreOrders(t *testing.T) {
	var all []ranked
	for _, rate := range []float64{0, 1, 2, 9} {
		for _, far := range []uint32{0, 1, 5} {
			for class := range 3 {
				all = append(all, ranked{rate: rate, far: far, class: class})
			}
		}
	}
	for name, compare := range map[string]func(a, b ranked) int{"rate": byRate, "distance": byDistance} {
		for _, a := range all {
			for _, b := range all {
				if compare(a, b) != -compare(b, a) {
					t.Fatalf("%s: %+v and %+v", name, a, b)
				}
				if i := slices.IndexFunc(all, func(c ranked) bool { return compare(a, b) <= 0 && compare(b, c) <= 0 && compare(a, c) > 0 }); i >= 0 {
					t.Fatalf("%s: %+v, %+v and %+v", name, a, b, all[i])
				}
			}
		}
	}
}
