package manage

import (
	"context"
	"net/http"

	"loggia/api/respond"
	"loggia/api/v1"
)

// Collecting is what the handlers ask about the collection of garbage.
type Collecting interface {
	// Collections says how it stands in a region's store; empty names mean all.
	Collections(ctx context.Context, region, store string) (v1.Collections, error)
	Collect(ctx context.Context, r v1.CollectRequest) (v1.Collecting, error)
	SwitchCollection(ctx context.Context, off bool) error
}

func (h *handler) collections() {
	h.read("/v1/collections", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		q := r.URL.Query()
		return h.s.Collections(r.Context(), q.Get("region"), q.Get("store"))
	})
	h.write("POST", "/v1/collections", func(w http.ResponseWriter, r *http.Request) (any, error) {
		var in v1.CollectRequest
		if err := respond.Decode(w, r, &in); err != nil {
			return nil, err
		}
		return h.s.Collect(r.Context(), in)
	})
	h.write("POST", "/v1/collections/switch", func(w http.ResponseWriter, r *http.Request) (any, error) {
		var in v1.CollectionSwitch
		if err := respond.Decode(w, r, &in); err != nil {
			return nil, err
		}
		return nil, h.s.SwitchCollection(r.Context(), in.Off)
	})
}
