package client

import (
	"context"
	"net/url"

	"loggia/api/v1"
)

// Precondition makes a write depend on the resource's state.
type Precondition struct {
	IfMatch  string // etag that the resource must have
	OnlyNew  bool   // the resource must not exist
	Strength string // of reads: strong, default, stale
}

func (p Precondition) header() map[string]string {
	h := map[string]string{}
	if p.IfMatch != "" {
		h["If-Match"] = `"` + p.IfMatch + `"`
	}
	if p.OnlyNew {
		h["If-None-Match"] = "*"
	}
	return h
}

func fetch[T any](ctx context.Context, c *Client, path string, q url.Values) (T, error) {
	var out T
	return out, c.do(ctx, call{method: get, path: path, query: q, out: &out})
}

func store[T any](ctx context.Context, c *Client, path string, in any, p Precondition) (T, error) {
	var out T
	return out, c.do(ctx, call{method: put, path: path, in: in, out: &out, header: p.header()})
}

// Galleries lists the galleries.
func (c *Client) Galleries(ctx context.Context) (v1.List[v1.Gallery], error) {
	return fetch[v1.List[v1.Gallery]](ctx, c, "/v1/galleries", nil)
}

// Gallery returns one gallery.
func (c *Client) Gallery(ctx context.Context, g string) (v1.Gallery, error) {
	return fetch[v1.Gallery](ctx, c, escape("v1", "galleries", g), nil)
}

// PutGallery creates or replaces a gallery.
func (c *Client) PutGallery(ctx context.Context, g v1.Gallery, p Precondition) (v1.Gallery, error) {
	return store[v1.Gallery](ctx, c, escape("v1", "galleries", g.Name), g, p)
}

// DeleteGallery removes an empty gallery.
func (c *Client) DeleteGallery(ctx context.Context, g string, p Precondition) error {
	return c.do(ctx, call{method: remove, path: escape("v1", "galleries", g), header: p.header()})
}

// Images lists the image definitions of a gallery.
func (c *Client) Images(ctx context.Context, g string) (v1.List[v1.Image], error) {
	return fetch[v1.List[v1.Image]](ctx, c, escape("v1", "galleries", g, "images"), nil)
}

// Image returns one image definition.
func (c *Client) Image(ctx context.Context, g, i string) (v1.Image, error) {
	return fetch[v1.Image](ctx, c, escape("v1", "galleries", g, "images", i), nil)
}

// PutImage creates or replaces an image definition.
func (c *Client) PutImage(ctx context.Context, i v1.Image, p Precondition) (v1.Image, error) {
	return store[v1.Image](ctx, c, escape("v1", "galleries", i.Gallery, "images", i.Name), i, p)
}

// DeleteImage removes an image definition that has no versions.
func (c *Client) DeleteImage(ctx context.Context, g, i string, p Precondition) error {
	return c.do(ctx, call{method: remove, path: escape("v1", "galleries", g, "images", i), header: p.header()})
}

func versionPath(g, i string, more ...string) string {
	return escape(append([]string{"v1", "galleries", g, "images", i, "versions"}, more...)...)
}

// Versions lists the versions of an image in numeric order.
func (c *Client) Versions(ctx context.Context, g, i string) (v1.List[v1.Version], error) {
	return fetch[v1.List[v1.Version]](ctx, c, versionPath(g, i), nil)
}

// Version returns one version; v may be "latest", which is then resolved for the region, or for
// the region of the node that answers where region is empty.
func (c *Client) Version(ctx context.Context, g, i, v, region string) (v1.Version, error) {
	q := url.Values{}
	if region != "" {
		q.Set("region", region)
	}
	return fetch[v1.Version](ctx, c, versionPath(g, i, v), q)
}

// PutVersion creates or replaces a version.
func (c *Client) PutVersion(ctx context.Context, v v1.Version, p Precondition) (v1.Version, error) {
	return store[v1.Version](ctx, c, versionPath(v.Gallery, v.Image, v.Name), v, p)
}

// PatchVersion changes what the patch holds.
func (c *Client) PatchVersion(ctx context.Context, g, i, v string, change v1.VersionPatch, p Precondition) (v1.Version, error) {
	var out v1.Version
	return out, c.do(ctx, call{method: patch, path: versionPath(g, i, v), in: change, out: &out, header: p.header()})
}

// DeleteVersion makes a version unreadable everywhere.
func (c *Client) DeleteVersion(ctx context.Context, g, i, v string, p Precondition) error {
	return c.do(ctx, call{method: remove, path: versionPath(g, i, v), header: p.header()})
}

// VersionStatus tells of every replica of a version.
func (c *Client) VersionStatus(ctx context.Context, g, i, v string) (v1.VersionStatus, error) {
	return fetch[v1.VersionStatus](ctx, c, versionPath(g, i, v, "status"), nil)
}

func snapshotPath(group, name string) string {
	return escape("v1", "groups", group, "snapshots", name)
}

// Snapshot returns one snapshot.
func (c *Client) Snapshot(ctx context.Context, group, name string) (v1.Snapshot, error) {
	return fetch[v1.Snapshot](ctx, c, snapshotPath(group, name), nil)
}

// PutSnapshot makes a snapshot of a disk that an upload made.
func (c *Client) PutSnapshot(ctx context.Context, s v1.Snapshot, p Precondition) (v1.Snapshot, error) {
	return store[v1.Snapshot](ctx, c, snapshotPath(s.ResourceGroup, s.Name), s, p)
}
