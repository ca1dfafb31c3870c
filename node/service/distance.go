package service

import (
	"context"

	"loggia/api/v1"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

// Distances implements manage.Service.
func (s *Service) Distances(context.Context) ([]v1.Distance, error) {
	return distances(s.o.State(), func(gallery.RegionPair) bool { return true }), nil
}

func distances(v *state.View, of func(gallery.RegionPair) bool) []v1.Distance {
	var out []v1.Distance
	for _, d := range v.Distances() {
		if of(d.Pair) {
			out = append(out, distance(d))
		}
	}
	return out
}

func distance(d *gallery.Distance) v1.Distance {
	return v1.Distance{A: string(d.Pair.A), B: string(d.Pair.B), Distance: d.Distance, Updated: d.Updated, By: d.By}
}

// distancesOf returns those from a region.
func distancesOf(v *state.View, r gallery.RegionName) []v1.Distance {
	return distances(v, func(p gallery.RegionPair) bool { return p.A == r || p.B == r })
}

func pairOf(r v1.DistanceRequest) (gallery.RegionPair, error) {
	a, err := gallery.ParseRegionName(r.A)
	if err != nil {
		return gallery.RegionPair{}, err
	}
	b, err := gallery.ParseRegionName(r.B)
	if err != nil {
		return gallery.RegionPair{}, err
	}
	p := gallery.PairOf(a, b)
	return p, p.Validate()
}

// PutDistance implements manage.Service.
func (s *Service) PutDistance(ctx context.Context, r v1.DistanceRequest) (v1.Distance, error) {
	p, err := pairOf(r)
	if err != nil {
		return v1.Distance{}, err
	}
	row, err := put[gallery.Distance](ctx, s, &command.DistancePut{Distance: gallery.Distance{Pair: p, Distance: r.Distance}})
	return distance(&row), err
}

// RemoveDistance implements manage.Service.
func (s *Service) RemoveDistance(ctx context.Context, r v1.DistanceRequest) error {
	p, err := pairOf(r)
	if err != nil {
		return err
	}
	_, err = s.propose(ctx, &command.DistanceRemove{Pair: p})
	return err
}
