package repository

import (
	"testing"

	"loggia/internal/digest"
)

func refs(sizes ...int64) []SegmentRef {
	var out []SegmentRef
	for i, n := range sizes {
		out = append(out, SegmentRef{Epoch: uint64(i + 1), ID: digest.Of([]byte{byte(i)}), Size: n})
	}
	return out
}

func TestPickTakesWhatIsNotMuchLarger(t *testing.T) {
	for _, tc := range []struct {
		name string
		own  []SegmentRef
		live []SegmentRef
		want int
	}{
		{"nothing live", refs(10), nil, 0},
		{"equals", refs(10), refs(10, 10, 10), 3},
		{"much larger ones stay", refs(10), refs(10, 1000), 1},
		{"a growing row", refs(10), refs(20, 50, 120, 5000), 3},
		{"large ones stay for ever", refs(8 << 20), refs(9<<20, 10<<20), 0},
	} {
		if got := pick(tc.own, tc.live); len(got) != tc.want {
			t.Errorf("%s: picked %v of %v, want %d", tc.name, got, tc.live, tc.want)
		}
	}
}

// The point of merging is that segments stay few however many publishes there are.
func TestPickKeepsSegmentsFew(t *testing.T) {
	var live []SegmentRef
	var merged int64
	for i := range 5000 {
		own := SegmentRef{ID: digest.Of([]byte{byte(i), byte(i >> 8)}), Size: 100}
		picked := pick([]SegmentRef{own}, live)
		if len(picked)+1 < tidyAt {
			live = append(live, own)
			continue
		}
		gone := map[int]bool{}
		for _, k := range picked {
			gone[k] = true
			own.Size += live[k].Size
		}
		merged += own.Size
		var kept []SegmentRef
		for k, s := range live {
			if !gone[k] {
				kept = append(kept, s)
			}
		}
		live = append(kept, own)
	}
	if len(live) > 40 || merged > 5000*100*20 {
		t.Fatalf("%d live segments after 5000 publishes, each byte merged %d times", len(live), merged/(5000*100))
	}
}
