package sources

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/internal/digest"
	"loggia/node/depot"
	"loggia/transfer/replicate"
)

// A row of a disk's replicas, as short as can be said.
type copyOf struct {
	region gallery.RegionName
	slot   int
	what   string // whole, claimed, wanted, failed, lost
	age    int    // of a whole one, in hours
}

func TestWhoIsAsked(t *testing.T) {
	const disk = gallery.DiskID("d")
	for name, c := range map[string]struct {
		rows []copyOf
		dead string
		want string
		far  map[gallery.RegionName]uint32 // from here
	}{
		"one whole copy": {[]copyOf{{"a", 0, "whole", 1}, {"here", 0, "claimed", 0}}, "", "a1", nil},
		"regions that make the same copy": {
			[]copyOf{{"a", 0, "whole", 1}, {"b", 0, "claimed", 0}, {"c", 0, "wanted", 0}, {"here", 0, "claimed", 0}}, "", "a1 b1+ c1+", nil},
		"a region is one member, however many copies it makes": {
			[]copyOf{{"a", 0, "whole", 1}, {"b", 0, "wanted", 0}, {"b", 1, "claimed", 0}, {"here", 0, "claimed", 0}}, "", "a1 b1+", nil},
		"a region that is whole makes its other copies by itself": {
			[]copyOf{{"a", 0, "whole", 1}, {"b", 0, "whole", 2}, {"b", 1, "claimed", 0}, {"here", 0, "claimed", 0}}, "", "a1 b1", nil},
		"the newest copy first": {
			[]copyOf{{"a", 0, "whole", 9}, {"b", 0, "whole", 1}, {"c", 0, "whole", 5}, {"here", 0, "claimed", 0}}, "", "b1 c1 a1", nil},
		"a copy that failed is no member": {
			[]copyOf{{"a", 0, "whole", 1}, {"b", 0, "failed", 0}, {"here", 0, "claimed", 0}}, "", "a1", nil},
		"dead nodes are no members, and no holders while there are others": {
			[]copyOf{{"a", 0, "whole", 1}, {"b", 0, "whole", 2}, {"c", 0, "claimed", 0}, {"here", 0, "claimed", 0}}, "a1 a2 c1 c2", "b1", nil},
		"members alone have not everything": {
			[]copyOf{{"b", 0, "claimed", 0}, {"here", 0, "claimed", 0}}, "", "", nil},
		"nobody is whole: what is left of lost copies": {
			[]copyOf{{"a", 0, "lost", 0}, {"b", 0, "lost", 0}, {"c", 0, "wanted", 0}, {"here", 0, "lost", 0}}, "", "a1 b1", nil},
		"also in another store of the region": {
			[]copyOf{{"a", 0, "lost", 0}, {"here", 1, "lost", 0}, {"here", 0, "claimed", 0}}, "", "here2 a1", nil},
		"a whole copy has everything that a lost one has": {
			[]copyOf{{"a", 0, "lost", 0}, {"b", 0, "whole", 1}, {"here", 0, "lost", 0}}, "", "b1", nil},
		"another node of the region has it": {
			[]copyOf{{"a", 0, "whole", 1}, {"b", 0, "claimed", 0}, {"here", 1, "whole", 2}, {"here", 0, "claimed", 0}}, "", "here2 a1", nil},
		"the nearest first, what nothing is said of last": {
			[]copyOf{{"a", 0, "whole", 9}, {"b", 0, "whole", 1}, {"c", 0, "whole", 5}, {"here", 0, "claimed", 0}}, "", "c1 a1 b1",
			map[gallery.RegionName]uint32{"a": 40, "c": 5}},
		"of equals the newest first": {
			[]copyOf{{"a", 0, "whole", 9}, {"b", 0, "whole", 1}, {"c", 0, "whole", 5}, {"here", 0, "claimed", 0}}, "", "c1 a1 b1",
			map[gallery.RegionName]uint32{"a": 5, "c": 5, "b": 6}},
		"the nearest member first": {
			[]copyOf{{"a", 0, "whole", 1}, {"b", 0, "claimed", 0}, {"c", 0, "claimed", 0}, {"here", 0, "claimed", 0}}, "", "a1 c1+ b1+",
			map[gallery.RegionName]uint32{"b": 2, "c": 1}},
		"no region is nearer than this one": {
			[]copyOf{{"a", 0, "whole", 1}, {"here", 1, "whole", 2}, {"here", 0, "claimed", 0}}, "", "here2 a1",
			map[gallery.RegionName]uint32{"a": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			s := state.New()
			tx := s.Begin(1, 1, time.Unix(0, 0))
			for _, region := range []gallery.RegionName{"a", "b", "c", "here"} {
				for n := range 2 {
					state.Put(tx, &gallery.Node{ID: gallery.NodeID(fmt.Sprint(region, n+1)), Region: region})
				}
			}
			for _, r := range c.rows {
				state.Put(tx, replica(disk, r))
			}
			for region, n := range c.far {
				state.Put(tx, &gallery.Distance{Pair: gallery.PairOf("here", region), Distance: n})
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			f := &Finder{Self: "here1", Region: "here", Depot: depot.New(depot.Options{}),
				Alive: func(id gallery.NodeID) bool { return !strings.Contains(c.dead, string(id)) }}
			var got []string
			seen := map[gallery.RegionName]bool{} // one node of each region is enough to compare
			for _, s := range f.Of(s.View(), &gallery.Disk{ID: disk}, gallery.ReplicaKey{Disk: disk, Region: "here"}) {
				if _, partial := s.(replicate.Member); partial {
					got = append(got, s.(replicate.Keyed).Key()+"+")
					continue
				}
				if n := s.(*node); !seen[n.region] {
					seen[n.region] = true
					got = append(got, string(n.id))
				}
			}
			if got := strings.Join(got, " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func replica(disk gallery.DiskID, c copyOf) *gallery.Replica {
	r := &gallery.Replica{Key: gallery.ReplicaKey{Disk: disk, Region: c.region, Slot: c.slot}, Store: "elsewhere"}
	switch c.what {
	case "whole":
		r.State, r.Finished = gallery.ReplicaCompleted, time.Unix(1e9, 0).Add(-time.Duration(c.age)*time.Hour)
	case "claimed":
		r.Claim = &gallery.Claim{Node: gallery.NodeID(c.region + "1"), Epoch: 4}
	case "failed":
		r.LastError = "something"
	case "lost":
		r.LastError, r.Table = "a check found it incomplete", digest.Of([]byte("table"))
	}
	return r
}
