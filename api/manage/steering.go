package manage

import (
	"context"
	"net/http"

	"loggia/api/respond"
	"loggia/api/v1"
)

// Steering is what the handlers ask of the node about the traffic between regions.
type Steering interface {
	Limits(ctx context.Context) ([]v1.Limit, error)
	PutLimit(ctx context.Context, r v1.LimitRequest) (v1.Limit, error)
	// RemoveLimit lifts the limit of what the request names; its rate does not count.
	RemoveLimit(ctx context.Context, r v1.LimitRequest) error
	Distances(ctx context.Context) ([]v1.Distance, error)
	PutDistance(ctx context.Context, r v1.DistanceRequest) (v1.Distance, error)
	// RemoveDistance takes back what was said of two regions; the request's distance does not count.
	RemoveDistance(ctx context.Context, r v1.DistanceRequest) error
	// Pause lets the copies of a version rest, in all its regions where none is named.
	Pause(ctx context.Context, g, i, v string, regions []string) (v1.Steered, error)
	Resume(ctx context.Context, g, i, v string, regions []string) (v1.Steered, error)
}

func (h *handler) limits() {
	h.read("/v1/limits", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		all, err := h.s.Limits(r.Context())
		return list(all), err
	})
	h.write("PUT", "/v1/limits", body(h.s.PutLimit))
	h.write("DELETE", "/v1/limits", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		q := r.URL.Query()
		return nil, h.s.RemoveLimit(r.Context(), v1.LimitRequest{From: q.Get("from"), To: q.Get("to"), FromNode: q.Get("fromNode"), ToNode: q.Get("toNode")})
	})
}

func (h *handler) distances() {
	h.read("/v1/distances", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		all, err := h.s.Distances(r.Context())
		return list(all), err
	})
	h.write("PUT", "/v1/distances", body(h.s.PutDistance))
	h.write("DELETE", "/v1/distances", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		q := r.URL.Query()
		return nil, h.s.RemoveDistance(r.Context(), v1.DistanceRequest{A: q.Get("a"), B: q.Get("b")})
	})
}

func (h *handler) steer(do func(ctx context.Context, g, i, v string, regions []string) (v1.Steered, error)) answer {
	return func(w http.ResponseWriter, r *http.Request) (any, error) {
		var in v1.PauseRequest
		if err := respond.Decode(w, r, &in); err != nil {
			return nil, err
		}
		return do(r.Context(), r.PathValue("g"), r.PathValue("i"), r.PathValue("v"), in.Regions)
	}
}
