package client

import (
	"context"
	"net/url"

	"loggia/api/v1"
)

// Limits lists the limits of the traffic between regions.
func (c *Client) Limits(ctx context.Context) (v1.List[v1.Limit], error) {
	return fetch[v1.List[v1.Limit]](ctx, c, "/v1/limits", nil)
}

// PutLimit sets a limit, or changes it while transfers run.
func (c *Client) PutLimit(ctx context.Context, r v1.LimitRequest) (v1.Limit, error) {
	return store[v1.Limit](ctx, c, "/v1/limits", r, Precondition{})
}

// RemoveLimit lifts the limit of what r names; its rate does not count.
func (c *Client) RemoveLimit(ctx context.Context, r v1.LimitRequest) error {
	q := url.Values{}
	for name, value := range map[string]string{"from": r.From, "to": r.To, "fromNode": r.FromNode, "toNode": r.ToNode} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return c.do(ctx, call{method: remove, path: "/v1/limits", query: q})
}

// Distances lists what is said of how far regions are from each other.
func (c *Client) Distances(ctx context.Context) (v1.List[v1.Distance], error) {
	return fetch[v1.List[v1.Distance]](ctx, c, "/v1/distances", nil)
}

// PutDistance says how far two regions are from each other.
func (c *Client) PutDistance(ctx context.Context, r v1.DistanceRequest) (v1.Distance, error) {
	return store[v1.Distance](ctx, c, "/v1/distances", r, Precondition{})
}

// RemoveDistance takes back what was said of two regions.
func (c *Client) RemoveDistance(ctx context.Context, a, b string) error {
	return c.do(ctx, call{method: remove, path: "/v1/distances", query: url.Values{"a": {a}, "b": {b}}})
}

// Pause lets the copies of a version rest, in all its regions where none is named. What is there is kept.
func (c *Client) Pause(ctx context.Context, g, i, v string, regions ...string) (v1.Steered, error) {
	return c.steer(ctx, g, i, v, "pause", regions)
}

// Resume ends a pause.
func (c *Client) Resume(ctx context.Context, g, i, v string, regions ...string) (v1.Steered, error) {
	return c.steer(ctx, g, i, v, "resume", regions)
}

func (c *Client) steer(ctx context.Context, g, i, v, verb string, regions []string) (v1.Steered, error) {
	var out v1.Steered
	return out, c.do(ctx, call{method: post, path: escape("v1", "galleries", g, "images", i, "versions", v, verb), in: v1.PauseRequest{Regions: regions}, out: &out})
}
