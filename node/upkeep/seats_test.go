package upkeep

import (
	"testing"
	"time"

	"loggia/gallery"
)

func node(id, region string, seat gallery.Seat, joined int) *gallery.Node {
	return &gallery.Node{ID: gallery.NodeID(id), Region: gallery.RegionName(region), Seat: seat, Joined: time.Unix(int64(joined), 0)}
}

func TestVotersAreOdd(t *testing.T) {
	const v, s = gallery.SeatVoter, gallery.SeatStandby
	for _, tc := range []struct {
		name   string
		nodes  []*gallery.Node
		voters []string
		want   string
	}{
		{"one is enough", []*gallery.Node{node("a", "x", v, 1)}, []string{"a"}, ""},
		{"a second one waits for a third", []*gallery.Node{node("a", "x", v, 1), node("b", "y", v, 2)}, []string{"a"}, ""},
		{"two of them begin", []*gallery.Node{node("a", "x", v, 1), node("b", "y", v, 2), node("c", "z", v, 3)}, []string{"a"}, "b"},
		{"an even number is only passed through", []*gallery.Node{node("a", "x", v, 1), node("b", "y", v, 2), node("c", "z", v, 3)}, []string{"a", "b"}, "c"},
		{"standbys never vote", []*gallery.Node{node("a", "x", v, 1), node("b", "y", s, 2), node("c", "z", s, 3)}, []string{"a"}, ""},
		{"regions without a vote come first", []*gallery.Node{node("a", "x", v, 1), node("b", "x", v, 2), node("c", "y", v, 3)}, []string{"a"}, "c"},
		{"a witness votes", []*gallery.Node{node("a", "x", v, 1), node("b", "y", v, 2), node("c", "z", gallery.SeatWitness, 3)}, []string{"a", "b"}, "c"},
		{"seven at most", []*gallery.Node{node("a", "x", v, 1), node("b", "x", v, 1), node("c", "x", v, 1), node("d", "x", v, 1), node("e", "x", v, 1),
			node("f", "x", v, 1), node("g", "x", v, 1), node("h", "y", v, 2), node("i", "y", v, 2)}, []string{"a", "b", "c", "d", "e", "f", "g"}, ""},
	} {
		votes := map[gallery.NodeID]bool{}
		for _, n := range tc.nodes {
			votes[n.ID] = false
		}
		for _, id := range tc.voters {
			votes[gallery.NodeID(id)] = true
		}
		got := ""
		if n := next(tc.nodes, votes, len(tc.voters)); n != nil {
			got = string(n.ID)
		}
		if got != tc.want {
			t.Errorf("%s: next voter %q, want %q", tc.name, got, tc.want)
		}
	}
}
