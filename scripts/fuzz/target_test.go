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

func TestOnlyTheDeadlineIsNoFinding(t *testing.T) {
	const progress = "fuzz: elapsed: 10s, execs: 86074 (11743/sec), new interesting: 208 (total: 286)\n"
	for name, c := range map[string]struct {
		out  string
		want bool
	}{
		"deadline": {progress + "--- FAIL: FuzzDecode (10.03s)\n    context deadline exceeded\nFAIL\nexit status 1\n", true},
		"finding": {progress + "--- FAIL: FuzzDecode (10.03s)\n    --- FAIL: FuzzDecode (0.00s)\n        x_test.go:3: context deadline exceeded\n    \n" +
			"    Failing input written to testdata/fuzz/FuzzDecode/1\nFAIL\n", false},
		"a target that says so": {"--- FAIL: FuzzDecode (0.00s)\n    x_test.go:3: context deadline exceeded\nFAIL\n", false},
		"does not build":        {"# loggia/x\nx.go:1: undefined: y\nFAIL\tloggia/x [build failed]\n", false},
	} {
		if got := ranOut([]byte(c.out)); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
