package client

import (
	"context"
	"net/url"

	"loggia/api/v1"
)

// Status returns the whole cluster at a glance.
func (c *Client) Status(ctx context.Context) (v1.Status, error) {
	return fetch[v1.Status](ctx, c, "/v1/status", nil)
}

// Regions lists the regions and their stores.
func (c *Client) Regions(ctx context.Context) (v1.List[v1.Region], error) {
	return fetch[v1.List[v1.Region]](ctx, c, "/v1/regions", nil)
}

// Region returns one region.
func (c *Client) Region(ctx context.Context, name string) (v1.Region, error) {
	return fetch[v1.Region](ctx, c, escape("v1", "regions", name), nil)
}

// RemoveRegion removes a region. With lost it is removed even where it held the only copy of
// something; the answer lists those versions.
func (c *Client) RemoveRegion(ctx context.Context, name string, lost bool) (v1.RegionRemoved, error) {
	q := url.Values{}
	if lost {
		q.Set("lost", "true")
	}
	var out v1.RegionRemoved
	return out, c.do(ctx, call{method: remove, path: escape("v1", "regions", name), query: q, out: &out})
}

// Members lists the nodes of the cluster.
func (c *Client) Members(ctx context.Context) (v1.List[v1.Member], error) {
	return fetch[v1.List[v1.Member]](ctx, c, "/v1/members", nil)
}

// RemoveMember removes a node for good; its id never comes back.
func (c *Client) RemoveMember(ctx context.Context, id string) error {
	return c.do(ctx, call{method: remove, path: escape("v1", "members", id)})
}

// JoinToken makes a token with which one node may join.
func (c *Client) JoinToken(ctx context.Context, r v1.JoinTokenRequest) (v1.JoinToken, error) {
	var out v1.JoinToken
	return out, c.do(ctx, call{method: post, path: "/v1/join-tokens", in: r, out: &out})
}

// Tokens lists the access tokens, without their secrets.
func (c *Client) Tokens(ctx context.Context) (v1.List[v1.Token], error) {
	return fetch[v1.List[v1.Token]](ctx, c, "/v1/tokens", nil)
}

// CreateToken makes an access token; its secret is in this answer and nowhere else.
func (c *Client) CreateToken(ctx context.Context, r v1.TokenRequest) (v1.Token, error) {
	var out v1.Token
	return out, c.do(ctx, call{method: post, path: "/v1/tokens", in: r, out: &out})
}

// DeleteToken revokes an access token.
func (c *Client) DeleteToken(ctx context.Context, id string) error {
	return c.do(ctx, call{method: remove, path: escape("v1", "tokens", id)})
}

// RaftPeers lists the servers of the raft configuration.
func (c *Client) RaftPeers(ctx context.Context) (v1.List[v1.RaftPeer], error) {
	return fetch[v1.List[v1.RaftPeer]](ctx, c, "/v1/raft/peers", nil)
}

// TransferLeadership makes the leader hand leadership over.
func (c *Client) TransferLeadership(ctx context.Context) error {
	return c.do(ctx, call{method: post, path: "/v1/raft/transfer", in: struct{}{}})
}

// Promote gives a standby a voter's seat.
func (c *Client) Promote(ctx context.Context, id string) error {
	return c.do(ctx, call{method: post, path: "/v1/raft/promote", in: v1.PromoteRequest{ID: id}})
}
