package gallery

import (
	"testing"
)

func replica(d DiskID, r RegionName, slot int, s ReplicaState) Replica {
	return Replica{Key: ReplicaKey{d, r, slot}, State: s}
}

func TestStatus(t *testing.T) {
	v := goodVersion() // two disks, a once and b twice
	all := func(s ReplicaState) []Replica {
		var out []Replica
		for _, d := range []DiskID{testID, testID2} {
			out = append(out, replica(d, "a", 1, ReplicaCompleted), replica(d, "b", 1, ReplicaCompleted), replica(d, "b", 2, s))
		}
		return out
	}
	partial := func(p Progress) []Replica {
		out := all(ReplicaReplicating)
		out[2].Progress, out[5].Progress = p, p
		return out
	}
	for name, x := range map[string]struct {
		rows     []Replica
		b        ReplicaState
		percent  int
		present  bool
		together AggregatedState
	}{
		"nothing known":   {nil, ReplicaUnknown, 0, false, AggregatedUnknown},
		"all there":       {all(ReplicaCompleted), ReplicaCompleted, 100, true, AggregatedCompleted},
		"second waits":    {all(ReplicaUnknown), ReplicaReplicating, 50, true, AggregatedInProgress},
		"second fails":    {all(ReplicaFailed), ReplicaFailed, 50, true, AggregatedFailed},
		"second half way": {partial(Progress{Total: 100, Sent: 30, Have: 20}), ReplicaReplicating, 75, true, AggregatedInProgress},
		"nearly":          {partial(Progress{Total: 100, Sent: 100}), ReplicaReplicating, 99, true, AggregatedInProgress},
		"one disk only":   {all(ReplicaCompleted)[:3], ReplicaReplicating, 50, false, AggregatedInProgress},
	} {
		t.Run(name, func(t *testing.T) {
			got := v.Status(x.rows)
			if len(got) != 2 || got[0].Region != "a" || got[1].Region != "b" {
				t.Fatalf("regions %+v", got)
			}
			if b := got[1]; b.State != x.b || b.Progress != x.percent || b.Present != x.present {
				t.Errorf("b is %s, %d %%, present %t", b.State, b.Progress, b.Present)
			}
			if a := Aggregate(got); a != x.together {
				t.Errorf("aggregated %s", a)
			}
		})
	}
	for p, want := range map[Progress]int{{}: 0, {Total: 1 << 62, Sent: 1 << 61}: 0, {Total: 1 << 55, Sent: 1 << 54}: 50, {Total: 3, Sent: -1}: 0, {Total: 200, Sent: 1}: 0} {
		if want != 0 && p.Percent() != want {
			t.Errorf("%+v: %d %%", p, p.Percent())
		}
	}
}

func TestLatest(t *testing.T) {
	yes, no := true, false
	make := func(patch uint32, global bool, regional *bool, there ...RegionName) Candidate {
		v := &ImageVersion{Ref: VersionRef{Version: Version{1, 0, patch}}, Disks: []VersionDisk{{LUN: LUNOS, Disk: testID}},
			Publishing: PublishingProfile{ExcludeFromLatest: global, TargetRegions: []TargetRegion{{Region: "a", ExcludeFromLatest: regional}, {Region: "b"}}}}
		var rows []Replica
		for _, r := range there {
			rows = append(rows, replica(testID, r, 1, ReplicaCompleted))
		}
		return Candidate{v, v.Status(rows)}
	}
	for name, x := range map[string]struct {
		of   []Candidate
		want int // patch, -1 for none
	}{
		"none":                          {nil, -1},
		"by number, not text":           {[]Candidate{make(9, false, nil, "a"), make(10, false, nil, "a")}, 10},
		"only what is there":            {[]Candidate{make(1, false, nil, "a"), make(2, false, nil, "b")}, 1},
		"excluded everywhere":           {[]Candidate{make(1, false, nil, "a"), make(2, true, nil, "a")}, 1},
		"excluded here":                 {[]Candidate{make(1, false, nil, "a"), make(2, false, &yes, "a")}, 1},
		"re-included here":              {[]Candidate{make(1, false, nil, "a"), make(2, true, &no, "a")}, 2},
		"everything excluded or absent": {[]Candidate{make(1, true, nil, "a"), make(2, false, nil)}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			got := -1
			if v := Latest("a", x.of); v != nil {
				got = int(v.Ref.Version.Patch)
			}
			if got != x.want {
				t.Errorf("got %d, want %d", got, x.want)
			}
		})
	}
	if Latest("c", []Candidate{make(1, false, nil, "a", "b")}) != nil {
		t.Error("a region that is no target has no latest")
	}
}
