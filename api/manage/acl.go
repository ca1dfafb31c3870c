package manage

import (
	"context"
	"net/http"

	"loggia/api/respond"
	"loggia/api/v1"
)

// Identity is what the handlers ask of the node about principals and their rights. Everything but the caller's own
// identity is of the caller's tenant; the operator's is the default one, or the one that it names.
type Identity interface {
	Me(ctx context.Context) (v1.Identity, error)
	Bootstrap(ctx context.Context, r v1.BootstrapRequest) (v1.Bootstrap, error)
	// ReplaceKeys makes a new signing key and drops all others at once: every token that was issued ends.
	ReplaceKeys(ctx context.Context) error

	Principals(ctx context.Context, kind string) ([]v1.Principal, error)
	// A principal is named by its object id, its client id or its user name.
	Principal(ctx context.Context, name string) (v1.Principal, error)
	CreatePrincipal(ctx context.Context, r v1.PrincipalRequest) (v1.Principal, error)
	PatchPrincipal(ctx context.Context, name string, p v1.PrincipalPatch) (v1.Principal, error)
	DeletePrincipal(ctx context.Context, name string) error
	AddSecret(ctx context.Context, name string, r v1.SecretRequest) (v1.Secret, error)
	RemoveSecret(ctx context.Context, name, secret string) error
	PutKey(ctx context.Context, name, key string, r v1.KeyRequest) (v1.Principal, error)
	RemoveKey(ctx context.Context, name, key string) error
	// Join makes a principal a member of a group, Leave takes it out.
	Join(ctx context.Context, name, group string) (v1.Principal, error)
	Leave(ctx context.Context, name, group string) error

	Tenants(ctx context.Context) ([]v1.Tenant, error)
	CreateTenant(ctx context.Context, t v1.Tenant) (v1.Tenant, error)
	Subscriptions(ctx context.Context) ([]v1.Subscription, error)
	CreateSubscription(ctx context.Context, s v1.Subscription) (v1.Subscription, error)

	Issuers(ctx context.Context) ([]v1.Issuer, error)
	// LoginIssuers is asked by people who have no token yet.
	LoginIssuers(name string) []v1.LoginIssuer
	CreateIssuer(ctx context.Context, i v1.Issuer) (v1.Issuer, error)
	DeleteIssuer(ctx context.Context, name string) error

	Roles(ctx context.Context) ([]v1.Role, error)
	// Assignments lists those of a principal, all for an empty name.
	Assignments(ctx context.Context, principal string) ([]v1.Assignment, error)
	Assign(ctx context.Context, r v1.AssignmentRequest) (v1.Assignment, error)
	Unassign(ctx context.Context, id string) error
}

// Login answers where people log in; it needs no token.
func Login(s Identity) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		respond.JSON(w, http.StatusOK, list(s.LoginIssuers(r.URL.Query().Get("issuer"))))
	})
}

func (h *handler) acl() {
	h.read("/v1/acl/me", func(_ http.ResponseWriter, r *http.Request) (any, error) { return h.s.Me(r.Context()) })
	h.write("POST", "/v1/acl/bootstrap", body(h.s.Bootstrap))
	h.write("POST", "/v1/acl/keys/replace", func(_ http.ResponseWriter, r *http.Request) (any, error) { return nil, h.s.ReplaceKeys(r.Context()) })
	h.read("/v1/acl/tenants", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		all, err := h.s.Tenants(r.Context())
		return list(all), err
	})
	h.write("POST", "/v1/acl/tenants", body(h.s.CreateTenant))
	h.read("/v1/acl/subscriptions", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		all, err := h.s.Subscriptions(r.Context())
		return list(all), err
	})
	h.write("POST", "/v1/acl/subscriptions", body(h.s.CreateSubscription))
	h.principals()
	h.read("/v1/acl/issuers", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		all, err := h.s.Issuers(r.Context())
		return list(all), err
	})
	h.write("POST", "/v1/acl/issuers", body(h.s.CreateIssuer))
	h.write("DELETE", "/v1/acl/issuers/{issuer}", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		return nil, h.s.DeleteIssuer(r.Context(), r.PathValue("issuer"))
	})
	h.read("/v1/acl/roles", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		all, err := h.s.Roles(r.Context())
		return list(all), err
	})
	h.read("/v1/acl/assignments", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		all, err := h.s.Assignments(r.Context(), r.URL.Query().Get("principal"))
		return list(all), err
	})
	h.write("POST", "/v1/acl/assignments", body(h.s.Assign))
	h.write("DELETE", "/v1/acl/assignments/{id}", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		return nil, h.s.Unassign(r.Context(), r.PathValue("id"))
	})
}

// body makes an answer of a use case that takes the request's body.
func body[In, Out any](use func(context.Context, In) (Out, error)) answer {
	return func(w http.ResponseWriter, r *http.Request) (any, error) {
		var in In
		if err := respond.Decode(w, r, &in); err != nil {
			return nil, err
		}
		return use(r.Context(), in)
	}
}

const principalPath = "/v1/acl/principals/{principal}"

func (h *handler) principals() {
	named := func(r *http.Request) string { return r.PathValue("principal") }
	h.read("/v1/acl/principals", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		all, err := h.s.Principals(r.Context(), r.URL.Query().Get("kind"))
		return list(all), err
	})
	h.write("POST", "/v1/acl/principals", body(h.s.CreatePrincipal))
	h.read(principalPath, func(w http.ResponseWriter, r *http.Request) (any, error) {
		return h.s.Principal(r.Context(), named(r))
	})
	h.write("PATCH", principalPath, func(w http.ResponseWriter, r *http.Request) (any, error) {
		return body(func(ctx context.Context, p v1.PrincipalPatch) (v1.Principal, error) {
			return h.s.PatchPrincipal(ctx, named(r), p)
		})(w, r)
	})
	h.write("DELETE", principalPath, func(w http.ResponseWriter, r *http.Request) (any, error) {
		return nil, h.s.DeletePrincipal(r.Context(), named(r))
	})
	h.write("POST", principalPath+"/secrets", func(w http.ResponseWriter, r *http.Request) (any, error) {
		return body(func(ctx context.Context, s v1.SecretRequest) (v1.Secret, error) {
			return h.s.AddSecret(ctx, named(r), s)
		})(w, r)
	})
	h.write("DELETE", principalPath+"/secrets/{secret}", func(w http.ResponseWriter, r *http.Request) (any, error) {
		return nil, h.s.RemoveSecret(r.Context(), named(r), r.PathValue("secret"))
	})
	h.write("PUT", principalPath+"/keys/{key}", func(w http.ResponseWriter, r *http.Request) (any, error) {
		return body(func(ctx context.Context, k v1.KeyRequest) (v1.Principal, error) {
			return h.s.PutKey(ctx, named(r), r.PathValue("key"), k)
		})(w, r)
	})
	h.write("DELETE", principalPath+"/keys/{key}", func(w http.ResponseWriter, r *http.Request) (any, error) {
		return nil, h.s.RemoveKey(r.Context(), named(r), r.PathValue("key"))
	})
	h.write("PUT", principalPath+"/groups/{group}", func(w http.ResponseWriter, r *http.Request) (any, error) {
		return h.s.Join(r.Context(), named(r), r.PathValue("group"))
	})
	h.write("DELETE", principalPath+"/groups/{group}", func(w http.ResponseWriter, r *http.Request) (any, error) {
		return nil, h.s.Leave(r.Context(), named(r), r.PathValue("group"))
	})
}
