package azure

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"loggia/api/authn"
	"loggia/api/azure/armid"
	"loggia/api/azure/fault"
	"loggia/api/v1"
	"loggia/gallery"
)

// Options is what a handler needs.
type Options struct {
	Service  Service
	Access   Access
	Verifier authn.Verifier
	// Writer wraps the routes that write: the node forwards those to the leader, whole.
	Writer func(http.Handler) http.Handler
	// Caller puts who asks into the request's context, for the service.
	Caller func(http.Handler) http.Handler
	// Base is the external origin of a request, "https://host:port", without a slash at its end.
	Base func(*http.Request) string
	// Challenge is the origin's authorization endpoint, told in a 401.
	Challenge func(base string) string
	// Identity tells the callers of requests apart.
	Identity func(ctx context.Context) string
	Now      func() time.Time
	Log      *slog.Logger
}

// Handler serves Resource Manager. Owns says which paths are its.
func Handler(o Options) http.Handler {
	h := &handler{o: o}
	h.router = newRouter(h.routes())
	return h
}

// Owns says whether a path, as it came, belongs to Resource Manager's routes. Whole scopes come percent-encoded, too.
func Owns(escaped string) bool {
	first, _, _ := strings.Cut(strings.TrimLeft(strings.ReplaceAll(strings.ToLower(escaped), "%2f", "/"), "/"), "/")
	switch first {
	case "subscriptions", "providers", "tenants":
		return true
	}
	return false
}

type handler struct {
	o      Options
	router *router
}

// ServeHTTP finds the route, checks api-version, token and rights, and answers.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	identify(w, r)
	req := &request{Request: r, w: w, h: h}
	route, err := h.prepare(req)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	authn.Require(h.o.Verifier, h.o.Caller(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.authorized(w, r, req, route)
	})), func(w http.ResponseWriter, r *http.Request, err error) {
		w.Header().Set("WWW-Authenticate", `Bearer authorization_uri="`+h.o.Challenge(h.o.Base(r))+`", error="invalid_token", error_description="the token is missing, malformed, expired or not ours"`)
		if r.Header.Get("Authorization") == "" {
			err = fault.New(fault.AuthenticationFailed, "Authentication failed. The 'Authorization' header is missing.")
		}
		h.refuse(w, r, err)
	}).ServeHTTP(w, r)
}

// prepare finds the route and reads what every request carries.
func (h *handler) prepare(req *request) (*route, error) {
	id, err := armid.Parse(req.URL.EscapedPath())
	if errors.Is(err, gallery.ErrNotFound) {
		return nil, fault.New(fault.NotFound, "Nothing is served at the path %s.", req.URL.Path)
	}
	if err != nil {
		return nil, err
	}
	m := h.router.find(id)
	if m.routes == nil {
		return nil, fault.New(fault.NotFound, "Nothing is served at the path %s.", req.URL.Path)
	}
	route := m.routes[req.Method]
	if route == nil {
		req.w.Header().Set("Allow", m.methods())
		return nil, fault.New(fault.MethodNotAllowed, "The path does not answer to %s, only to %s.", req.Method, m.methods())
	}
	req.match, req.id = m, id
	if req.version, err = apiVersion(req.URL.Query()); err != nil {
		return nil, err
	}
	return route, nil
}

// authorized goes on with a request whose sender is known.
func (h *handler) authorized(w http.ResponseWriter, r *http.Request, req *request, route *route) {
	serve := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req := *req
		req.Request, req.w = r, w
		h.serve(&req, route)
	})
	if route.write {
		h.o.Writer(serve).ServeHTTP(w, r)
		return
	}
	serve.ServeHTTP(w, r)
}

func (h *handler) serve(req *request, route *route) {
	a, err := h.do(req, route)
	if err != nil {
		h.refuse(req.w, req.Request, req.explain(err))
		return
	}
	a.write(req.w)
}

func (h *handler) do(req *request, route *route) (answer, error) {
	if !route.write {
		if err := req.settle(); err != nil {
			return answer{}, err
		}
	}
	if err := req.allowed(route); err != nil {
		return answer{}, err
	}
	return route.do(req)
}

// settle brings the state up to date, and says how old it is where that could not be done.
func (r *request) settle() error {
	age, stale, err := r.h.o.Service.Settle(r.Context(), r.URL.Query().Get("consistency"))
	if err != nil {
		return err
	}
	if stale {
		r.w.Header().Set(v1.AgeHeader, strconv.FormatFloat(age.Seconds(), 'f', 3, 64))
	}
	return nil
}

// allowed checks the subscription and the route's action. Of a subscription in which the caller sees nothing it says
// what it says of one that does not exist (S2).
func (r *request) allowed(route *route) error {
	if sub, ok := r.vars["sub"]; ok && !r.h.o.Access.Sees(r.Context(), gallery.SubscriptionID(strings.ToLower(sub))) {
		return fault.New(fault.SubscriptionNotFound, "The subscription '%s' could not be found.", sub)
	}
	if route.open {
		return nil
	}
	scope := r.resource()
	if route.scope != nil {
		scope = route.scope(r)
	}
	return r.h.o.Access.Check(r.Context(), route.action, scope)
}

// identify gives the request its ids (contract: correlation is echoed, the client's id too).
func identify(w http.ResponseWriter, r *http.Request) {
	id := uuid.NewString()
	w.Header().Set("x-ms-request-id", id)
	correlation := r.Header.Get("x-ms-correlation-request-id")
	if correlation == "" || len(correlation) > 128 {
		correlation = id
	}
	w.Header().Set("x-ms-correlation-request-id", correlation)
	if v := r.Header.Get("x-ms-client-request-id"); v != "" && len(v) <= 128 {
		w.Header().Set("x-ms-client-request-id", v)
	}
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Content-Type-Options", "nosniff")
}
