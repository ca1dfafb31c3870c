package client

import (
	"context"
	"net/url"

	"loggia/api/v1"
)

// Collections says how the collection of garbage stands in a region's store; empty names mean all.
func (c *Client) Collections(ctx context.Context, region, store string) (v1.Collections, error) {
	q := url.Values{}
	for name, v := range map[string]string{"region": region, "store": store} {
		if v != "" {
			q.Set(name, v)
		}
	}
	return fetch[v1.Collections](ctx, c, "/v1/collections", q)
}

// Collect asks for a collection now.
func (c *Client) Collect(ctx context.Context, r v1.CollectRequest) (v1.Collecting, error) {
	var out v1.Collecting
	return out, c.do(ctx, call{method: post, path: "/v1/collections", in: r, out: &out})
}

// SwitchCollection turns collection on or off in all regions.
func (c *Client) SwitchCollection(ctx context.Context, off bool) error {
	return c.do(ctx, call{method: post, path: "/v1/collections/switch", in: v1.CollectionSwitch{Off: off}})
}
