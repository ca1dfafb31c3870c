package service

import (
	"context"

	"loggia/api/v1"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

// Limits implements manage.Service.
func (s *Service) Limits(context.Context) ([]v1.Limit, error) {
	return limits(s.o.State(), func(gallery.LimitKey) bool { return true }), nil
}

func limits(v *state.View, of func(gallery.LimitKey) bool) []v1.Limit {
	var out []v1.Limit
	for _, l := range v.Limits() {
		if of(l.Key) {
			out = append(out, limit(l))
		}
	}
	return out
}

func limit(l *gallery.Limit) v1.Limit {
	return v1.Limit{From: string(l.Key.From), To: string(l.Key.To), FromNode: string(l.Key.FromNode), ToNode: string(l.Key.ToNode),
		BytesPerSecond: int64(l.Rate), Rate: l.Rate.String(), Updated: l.Updated, By: l.By}
}

// limitsOf returns the limits that name a region or one of its nodes.
func limitsOf(v *state.View, r gallery.RegionName) []v1.Limit {
	in := func(id gallery.NodeID) bool {
		n := v.Node(id)
		return n != nil && n.Region == r
	}
	return limits(v, func(k gallery.LimitKey) bool { return k.From == r || k.To == r || in(k.FromNode) || in(k.ToNode) })
}

func limitKey(r v1.LimitRequest) (gallery.LimitKey, error) {
	k := gallery.LimitKey{FromNode: gallery.NodeID(r.FromNode), ToNode: gallery.NodeID(r.ToNode)}
	for _, x := range []struct {
		text string
		name *gallery.RegionName
	}{{r.From, &k.From}, {r.To, &k.To}} {
		if x.text == "" {
			continue
		}
		var err error
		if *x.name, err = gallery.ParseRegionName(x.text); err != nil {
			return k, err
		}
	}
	return k, k.Validate()
}

// PutLimit implements manage.Service.
func (s *Service) PutLimit(ctx context.Context, r v1.LimitRequest) (v1.Limit, error) {
	k, err := limitKey(r)
	if err != nil {
		return v1.Limit{}, err
	}
	rate, err := gallery.ParseRate(r.Rate)
	if err != nil {
		return v1.Limit{}, err
	}
	row, err := put[gallery.Limit](ctx, s, &command.LimitPut{Limit: gallery.Limit{Key: k, Rate: rate}})
	return limit(&row), err
}

// RemoveLimit implements manage.Service.
func (s *Service) RemoveLimit(ctx context.Context, r v1.LimitRequest) error {
	k, err := limitKey(r)
	if err != nil {
		return err
	}
	_, err = s.propose(ctx, &command.LimitRemove{Key: k})
	return err
}

// Pause implements manage.Service.
func (s *Service) Pause(ctx context.Context, g, i, number string, regions []string) (v1.Steered, error) {
	return s.steer(ctx, g, i, number, regions, func(ref gallery.VersionRef, r []gallery.RegionName) command.Command {
		return &command.TransferPause{Version: ref, Regions: r}
	})
}

// Resume implements manage.Service.
func (s *Service) Resume(ctx context.Context, g, i, number string, regions []string) (v1.Steered, error) {
	return s.steer(ctx, g, i, number, regions, func(ref gallery.VersionRef, r []gallery.RegionName) command.Command {
		return &command.TransferResume{Version: ref, Regions: r}
	})
}

func (s *Service) steer(ctx context.Context, g, i, number string, regions []string, of func(gallery.VersionRef, []gallery.RegionName) command.Command) (v1.Steered, error) {
	ref, err := s.versionRef(s.o.State(), g, i, number)
	if err != nil {
		return v1.Steered{}, err
	}
	var names []gallery.RegionName
	for _, text := range regions {
		name, err := gallery.ParseRegionName(text)
		if err != nil {
			return v1.Steered{}, err
		}
		names = append(names, name)
	}
	done, err := put[command.Steered](ctx, s, of(ref, names))
	return v1.Steered{Replicas: done.Replicas}, err
}
