package machine_test

import (
	"testing"

	"loggia/fsm/command"
	"loggia/gallery"
)

func TestDistances(t *testing.T) {
	r := newRig(t)
	r.found("a", "b", "c")
	put := func(a, b gallery.RegionName, n uint32) *command.DistancePut {
		return &command.DistancePut{Distance: gallery.Distance{Pair: gallery.PairOf(a, b), Distance: n}}
	}
	got := r.do(put("b", "a", 7)).Value.(*gallery.Distance)
	if got.By != "ops" || !got.Updated.Equal(r.now) || got.Pair != (gallery.RegionPair{A: "a", B: "b"}) {
		t.Errorf("%+v", got)
	}
	r.do(put("a", "b", 3))
	r.do(put("c", "a", 9))
	if all := r.m.View().Distances(); len(all) != 2 || r.m.View().Distance(gallery.PairOf("a", "b")).Distance != 3 {
		t.Errorf("%d distances", len(all))
	}
	r.refuse(gallery.ErrNotFound, put("a", "nowhere", 1))
	r.refuse(gallery.ErrNotFound, &command.DistanceRemove{Pair: gallery.PairOf("b", "c")})
	for name, c := range map[string]command.Command{
		"no distance":   put("a", "b", 0),
		"too far":       put("a", "b", gallery.MaxDistance+1),
		"itself":        put("a", "a", 1),
		"no name":       put("", "b", 1),
		"the wrong way": &command.DistanceRemove{Pair: gallery.RegionPair{A: "b", B: "a"}},
	} {
		if _, err := command.Encode(command.Header{Time: r.now}, c); gallery.KindOf(err) != gallery.ErrInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.do(&command.DistanceRemove{Pair: gallery.PairOf("a", "c")})
	r.do(&command.RegionRemove{Region: "b", Lost: true})
	if all := r.m.View().Distances(); len(all) != 0 {
		t.Errorf("distances to a region that is no more: %v", all)
	}
}
