package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"loggia/api/v1"
	"loggia/gallery"
)

// Me says who the token stands for.
func (c *Client) Me(ctx context.Context) (v1.Identity, error) {
	return fetch[v1.Identity](ctx, c, "/v1/acl/me", nil)
}

// Bootstrap makes the first service principal, once in a cluster's life.
func (c *Client) Bootstrap(ctx context.Context, r v1.BootstrapRequest) (v1.Bootstrap, error) {
	return send[v1.Bootstrap](ctx, c, post, "/v1/acl/bootstrap", r)
}

// ReplaceKeys makes a new signing key and drops all others: every token that was issued ends.
func (c *Client) ReplaceKeys(ctx context.Context) error {
	return c.do(ctx, call{method: post, path: "/v1/acl/keys/replace", in: struct{}{}})
}

// Principals lists principals, of one kind where that is given.
func (c *Client) Principals(ctx context.Context, kind string) (v1.List[v1.Principal], error) {
	q := url.Values{}
	if kind != "" {
		q.Set("kind", kind)
	}
	return fetch[v1.List[v1.Principal]](ctx, c, "/v1/acl/principals", q)
}

// Principal returns one, named by its object id, client id or user name.
func (c *Client) Principal(ctx context.Context, name string) (v1.Principal, error) {
	return fetch[v1.Principal](ctx, c, principalPath(name), nil)
}

func principalPath(name string, more ...string) string {
	return escape(append([]string{"v1", "acl", "principals", name}, more...)...)
}

// CreatePrincipal makes a user, a group or a service principal.
func (c *Client) CreatePrincipal(ctx context.Context, r v1.PrincipalRequest) (v1.Principal, error) {
	return send[v1.Principal](ctx, c, post, "/v1/acl/principals", r)
}

// PatchPrincipal changes what is present.
func (c *Client) PatchPrincipal(ctx context.Context, name string, p v1.PrincipalPatch) (v1.Principal, error) {
	return send[v1.Principal](ctx, c, patch, principalPath(name), p)
}

// DeletePrincipal removes a principal and its role assignments.
func (c *Client) DeletePrincipal(ctx context.Context, name string) error {
	return c.do(ctx, call{method: remove, path: principalPath(name)})
}

// AddSecret makes a client secret; its text is in this answer and nowhere else.
func (c *Client) AddSecret(ctx context.Context, name string, r v1.SecretRequest) (v1.Secret, error) {
	return send[v1.Secret](ctx, c, post, principalPath(name, "secrets"), r)
}

// RemoveSecret removes a client secret.
func (c *Client) RemoveSecret(ctx context.Context, name, secret string) error {
	return c.do(ctx, call{method: remove, path: principalPath(name, "secrets", secret)})
}

// PutKey adds a public key for client assertions.
func (c *Client) PutKey(ctx context.Context, name, key string, r v1.KeyRequest) (v1.Principal, error) {
	return send[v1.Principal](ctx, c, put, principalPath(name, "keys", key), r)
}

// RemoveKey removes a public key.
func (c *Client) RemoveKey(ctx context.Context, name, key string) error {
	return c.do(ctx, call{method: remove, path: principalPath(name, "keys", key)})
}

// Join makes a principal a member of a group.
func (c *Client) Join(ctx context.Context, name, group string) (v1.Principal, error) {
	return send[v1.Principal](ctx, c, put, principalPath(name, "groups", group), struct{}{})
}

// Leave takes a principal out of a group.
func (c *Client) Leave(ctx context.Context, name, group string) error {
	return c.do(ctx, call{method: remove, path: principalPath(name, "groups", group)})
}

// Issuers lists the outside issuers.
func (c *Client) Issuers(ctx context.Context) (v1.List[v1.Issuer], error) {
	return fetch[v1.List[v1.Issuer]](ctx, c, "/v1/acl/issuers", nil)
}

// CreateIssuer adds an outside issuer.
func (c *Client) CreateIssuer(ctx context.Context, i v1.Issuer) (v1.Issuer, error) {
	return send[v1.Issuer](ctx, c, post, "/v1/acl/issuers", i)
}

// DeleteIssuer removes an outside issuer.
func (c *Client) DeleteIssuer(ctx context.Context, name string) error {
	return c.do(ctx, call{method: remove, path: escape("v1", "acl", "issuers", name)})
}

// Roles lists the roles that can be assigned.
func (c *Client) Roles(ctx context.Context) (v1.List[v1.Role], error) {
	return fetch[v1.List[v1.Role]](ctx, c, "/v1/acl/roles", nil)
}

// Assignments lists role assignments, of one principal where that is given.
func (c *Client) Assignments(ctx context.Context, principal string) (v1.List[v1.Assignment], error) {
	q := url.Values{}
	if principal != "" {
		q.Set("principal", principal)
	}
	return fetch[v1.List[v1.Assignment]](ctx, c, "/v1/acl/assignments", q)
}

// Assign gives a principal a role.
func (c *Client) Assign(ctx context.Context, r v1.AssignmentRequest) (v1.Assignment, error) {
	return send[v1.Assignment](ctx, c, post, "/v1/acl/assignments", r)
}

// Unassign takes a role away.
func (c *Client) Unassign(ctx context.Context, id string) error {
	return c.do(ctx, call{method: remove, path: escape("v1", "acl", "assignments", id)})
}

func send[T any](ctx context.Context, c *Client, method, path string, in any) (T, error) {
	var out T
	return out, c.do(ctx, call{method: method, path: path, in: in, out: &out})
}

// LoginIssuers lists where people log in: the one that is named, else those of the default tenant. It needs no token.
func (c *Client) LoginIssuers(ctx context.Context, name string) (v1.List[v1.LoginIssuer], error) {
	q := url.Values{}
	if name != "" {
		q.Set("issuer", name)
	}
	return fetch[v1.List[v1.LoginIssuer]](ctx, c, "/v1/login", q)
}

// Exchange turns an outside issuer's ID token into an access token of the cluster (RFC 8693).
func (c *Client) Exchange(ctx context.Context, idToken string) (token string, expires time.Time, err error) {
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {idToken},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:id_token"}}
	req, err := c.request(ctx, c.base(0), post, "/adfs/oauth2/token", nil)
	if err != nil {
		return "", time.Time{}, err
	}
	req.Header.Del("Authorization")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	text := form.Encode()
	req.Body, req.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	resp, err := c.http.Do(req)
	if err != nil {
		return "", time.Time{}, &gallery.Error{Kind: gallery.ErrUnavailable, Op: "log in", Err: err}
	}
	defer resp.Body.Close()
	var out struct {
		Token       string `json:"access_token"`
		ExpiresOn   int64  `json:"expires_on"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&out); err != nil {
		return "", time.Time{}, fmt.Errorf("log in: answer %s: %w", resp.Status, err)
	}
	switch {
	case resp.StatusCode == http.StatusOK && out.Token != "":
		return out.Token, time.Unix(out.ExpiresOn, 0), nil
	case resp.StatusCode == http.StatusServiceUnavailable:
		return "", time.Time{}, &gallery.Error{Kind: gallery.ErrUnavailable, Op: "log in", Message: out.Description}
	case out.Error != "":
		return "", time.Time{}, &gallery.Error{Kind: gallery.ErrUnauthenticated, Op: "log in", Message: out.Description}
	}
	return "", time.Time{}, errors.New("log in: unexpected answer " + resp.Status)
}

// Tenants lists the tenants.
func (c *Client) Tenants(ctx context.Context) (v1.List[v1.Tenant], error) {
	return fetch[v1.List[v1.Tenant]](ctx, c, "/v1/acl/tenants", nil)
}

// CreateTenant makes a tenant.
func (c *Client) CreateTenant(ctx context.Context, t v1.Tenant) (v1.Tenant, error) {
	return send[v1.Tenant](ctx, c, post, "/v1/acl/tenants", t)
}

// Subscriptions lists the subscriptions of all tenants.
func (c *Client) Subscriptions(ctx context.Context) (v1.List[v1.Subscription], error) {
	return fetch[v1.List[v1.Subscription]](ctx, c, "/v1/acl/subscriptions", nil)
}

// CreateSubscription makes a subscription.
func (c *Client) CreateSubscription(ctx context.Context, s v1.Subscription) (v1.Subscription, error) {
	return send[v1.Subscription](ctx, c, post, "/v1/acl/subscriptions", s)
}
