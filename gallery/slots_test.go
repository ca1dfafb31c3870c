package gallery

import (
	"fmt"
	"testing"
)

func stores(spec ...string) []Store {
	var out []Store
	for i, s := range spec {
		out = append(out, Store{ID: StoreID(fmt.Sprint("s", i)), Region: "a", Name: fmt.Sprint(i), Zone: s[1:], Class: map[byte]StoreClass{'s': ClassStandard, 'p': ClassPremium}[s[0]]})
	}
	return append(out, Store{ID: "elsewhere", Region: "b", Class: ClassStandard})
}

func TestSlots(t *testing.T) {
	for name, x := range map[string]struct {
		class  StorageClass
		count  int
		stores []Store
		kept   []Slot
		want   string // empty: refused
	}{
		"one store holds all":         {StandardLRS, 3, stores("s1"), nil, "[{1 s0} {2 s0} {3 s0}]"},
		"round robin by zone":         {StandardLRS, 4, stores("s1", "s1", "s2"), nil, "[{1 s0} {2 s2} {3 s1} {4 s2}]"},
		"kept where it is":            {StandardLRS, 3, stores("s1", "s2"), []Slot{{1, "s1"}}, "[{1 s1} {2 s0} {3 s0}]"},
		"kept store is gone":          {StandardLRS, 1, stores("s1"), []Slot{{1, "gone"}}, "[{1 s0}]"},
		"premium":                     {PremiumLRS, 2, stores("s1", "p1"), nil, "[{101 s1} {102 s1}]"},
		"no premium":                  {PremiumLRS, 1, stores("s1"), nil, ""},
		"no store":                    {StandardLRS, 1, stores(), nil, ""},
		"zones":                       {StandardZRS, 2, stores("s1", "s2", "s3"), nil, "[{201 s0} {202 s1} {203 s2} {204 s0} {205 s1} {206 s2}]"},
		"zones, one kept":             {StandardZRS, 1, stores("s1", "s2", "s3"), []Slot{{202, "s2"}}, "[{201 s0} {202 s2} {203 s1}]"},
		"zones, two kept in one":      {StandardZRS, 1, stores("s1", "s1", "s2", "s3"), []Slot{{201, "s0"}, {202, "s1"}}, "[{201 s0} {202 s2} {203 s3}]"},
		"two zones":                   {StandardZRS, 1, stores("s1", "s2", "s2"), nil, ""},
		"three zones, one is premium": {StandardZRS, 1, stores("s1", "s2", "p3"), nil, ""},
		"none":                        {StandardLRS, 0, stores("s1"), nil, ""},
		"too many":                    {StandardLRS, 101, stores("s1"), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Slots(TargetRegion{Region: "a", ReplicaCount: x.count, StorageClass: x.class}, x.stores, x.kept...)
			if x.want == "" {
				if KindOf(err) != ErrInvalid {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if err != nil || fmt.Sprint(got) != x.want {
				t.Errorf("got %v, %v; want %s", got, err, x.want)
			}
		})
	}
	for _, c := range []StorageClass{StandardLRS, PremiumLRS, StandardZRS} {
		for _, n := range SlotNumbers(c, MaxReplicas) {
			if ClassOfSlot(n) != c {
				t.Fatalf("slot %d belongs to %s, not %s", n, ClassOfSlot(n), c)
			}
		}
	}
	if ClassOfSlot(0) != "" || ClassOfSlot(MaxSlot+1) != "" || FirstSlot(ClassPremium) != 101 || FirstSlot(ClassStandard) != 1 {
		t.Error("bounds of slots")
	}
}
