package service

import (
	"context"

	"loggia/api/v1"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

// Collections implements manage.Service.
func (s *Service) Collections(_ context.Context, region, store string) (v1.Collections, error) {
	v := s.o.State()
	out := v1.Collections{Value: []v1.Collection{}}
	if c := v.Cluster(); c != nil {
		out.Off = c.CollectionOff
	}
	for _, r := range v.Regions() {
		if region != "" && string(r.Name) != region {
			continue
		}
		for _, st := range v.Stores(r.Name) {
			if store != "" && st.Name != store {
				continue
			}
			for _, k := range v.RepositoryKeys(st.ID) {
				out.Value = append(out.Value, collection(v, st, k))
			}
		}
	}
	return out, nil
}

func collection(v *state.View, s *gallery.Store, k gallery.RepositoryKey) v1.Collection {
	r := v.Repository(k)
	out := v1.Collection{Region: string(s.Region), Store: s.Name, Slot: k.Slot, Domain: string(k.Domain), State: "Never"}
	if r.Claim != nil && !r.Checking {
		out.Collecting = string(r.Claim.Node)
	}
	if r.Asked != nil {
		out.Asked = r.Asked.Index
	}
	if l := r.Last; l != nil {
		out.State, out.Reason, out.Message, out.Held = string(l.State), string(l.Reason), l.Message, l.Held()
		out.Began, out.Ended, out.Answered = l.Began, l.Ended, l.Asked
		out.Objects, out.Bytes, out.Live = l.Objects, l.Bytes, l.Live
		out.GarbageObjects, out.GarbageBytes, out.Unexplained = l.GarbageObjects, l.GarbageBytes, l.Unaccounted
		out.Compacted, out.Written = l.Compacted, l.Written
	}
	return out
}

// Collect implements manage.Service: the request is committed, and the region's nodes carry it out.
func (s *Service) Collect(ctx context.Context, r v1.CollectRequest) (v1.Collecting, error) {
	region, err := gallery.ParseRegionName(r.Region)
	if err != nil {
		return v1.Collecting{}, err
	}
	c := &command.RepositoryAsk{Region: region, DryRun: r.DryRun, Accept: r.Accept}
	if r.Store != "" {
		for _, st := range s.o.State().Stores(region) {
			if st.Name == r.Store {
				c.Store = st.ID
			}
		}
		if c.Store == "" {
			return v1.Collecting{}, notFound("collect", r.Region+"/"+r.Store)
		}
	}
	asked, err := put[command.RepositoriesAsked](ctx, s, c)
	return v1.Collecting{Request: asked.Index, Repositories: asked.Count}, err
}

// SwitchCollection implements manage.Service.
func (s *Service) SwitchCollection(ctx context.Context, off bool) error {
	_, err := s.propose(ctx, &command.ClusterSetCollection{Off: off})
	return err
}
