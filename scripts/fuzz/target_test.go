package main

import (
	"fmt"
	"slices"
	"testing"
)

func TestFindSeesThisRepository(t *testing.T) {
	all, err := find("../..")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(all, func(t target) bool { return t.name == "FuzzDayOf" }) {
		t.Errorf("FuzzDayOf is not among %v", all)
	}
}

func TestChooseReachesAll(t *testing.T) {
	var all []target
	for i := range 25 {
		all = append(all, target{"./p", fmt.Sprint("Fuzz", i)})
	}
	for _, n := range []int{1, 4, 18, 25, 100} {
		seen := map[target]bool{}
		days := (len(all) + min(n, len(all)) - 1) / min(n, len(all))
		for day := 20000; day < 20000+days; day++ {
			turn := choose(all, n, day)
			if len(turn) != min(n, len(all)) {
				t.Fatalf("%d at a time: got %d", n, len(turn))
			}
			for _, t := range turn {
				seen[t] = true
			}
		}
		if len(seen) != len(all) {
			t.Errorf("%d at a time: reached %d of %d in %d days", n, len(seen), len(all), days)
		}
	}
}

func FuzzDayOf(f *testing.F) {
	f.Add("20250131")
	f.Add("7")
	f.Add("19600101")
	f.Fuzz(func(t *testing.T, seed string) {
		day, err := dayOf(seed)
		if err != nil {
			return
		}
		if all := []target{{"a", "b"}, {"c", "d"}}; len(choose(all, 1, day)) != 1 {
			t.Errorf("seed %q: day %d", seed, day)
		}
	})
}
