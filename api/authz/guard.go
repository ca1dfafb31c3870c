package authz

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"loggia/api/authn"
	"loggia/gallery"
)

// Access decides; its errors are of the kinds gallery.ErrForbidden and gallery.ErrUnauthenticated.
type Access interface {
	Check(ctx context.Context, action, scope string) error
}

// Guard registers routes that are in the table.
type Guard struct {
	access Access
	names  Names
	refuse func(http.ResponseWriter, *http.Request, error)
	used   map[string]bool
}

// New returns a guard; refuse answers who may not.
func New(a Access, n Names, refuse func(http.ResponseWriter, *http.Request, error)) *Guard {
	return &Guard{access: a, names: n, refuse: refuse, used: map[string]bool{}}
}

// Mux routes requests, each behind the check of its rule.
type Mux struct {
	g   *Guard
	mux *http.ServeMux
}

// Mux returns an empty mux.
func (g *Guard) Mux() *Mux { return &Mux{g, http.NewServeMux()} }

// ServeHTTP implements http.Handler. A path that no route has is refused in the words of all other refusals.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, pattern := m.mux.Handler(r)
	if pattern == "" {
		var probe silent
		if h.ServeHTTP(&probe, r); probe.status == http.StatusNotFound {
			m.g.refuse(w, r, &gallery.Error{Kind: gallery.ErrNotFound, Resource: r.URL.Path, Message: "no such route"})
			return
		}
	}
	m.mux.ServeHTTP(w, r)
}

// silent takes an answer's status and drops the rest.
type silent struct {
	header http.Header
	status int
}

func (s *silent) Header() http.Header {
	if s.header == nil {
		s.header = http.Header{}
	}
	return s.header
}

func (s *silent) WriteHeader(status int)      { s.status = status }
func (s *silent) Write(b []byte) (int, error) { return len(b), nil }

// Handle registers a route. It panics where the table has no rule for it: such a route must not start (S1). before
// stands outside the check: a read settles the state first, a write goes to the leader, where it is checked.
func (m *Mux) Handle(method, pattern string, h http.Handler, before ...func(http.Handler) http.Handler) {
	rule := m.g.rule(method, pattern)
	checked := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := m.g.allowed(rule, r); err != nil {
			m.g.refuse(w, r, err)
			return
		}
		still := func() error { return m.g.allowed(rule, r) }
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), stillKey{}, still)))
	}))
	for _, wrap := range before {
		checked = wrap(checked)
	}
	m.mux.Handle(method+" "+pattern, checked)
}

type stillKey struct{}

// Still checks once more what the route of the context needs: for answers that take long.
func Still(ctx context.Context) error {
	if still, ok := ctx.Value(stillKey{}).(func() error); ok {
		return still()
	}
	return nil
}

// HandleFunc is Handle for a function.
func (m *Mux) HandleFunc(method, pattern string, h http.HandlerFunc, before ...func(http.Handler) http.Handler) {
	m.Handle(method, pattern, h, before...)
}

func (g *Guard) rule(method, pattern string) *Rule {
	for i := range table {
		r := &table[i]
		if r.Method == method && r.Pattern == pattern && r.At != nil {
			g.used[method+" "+pattern] = true
			return r
		}
	}
	panic(fmt.Sprintf("the route %s %s is not in the table of package authz: it must not start", method, pattern))
}

// Unused lists rules that no route has: what stands in the table is served.
func (g *Guard) Unused() []string {
	var out []string
	for _, r := range table {
		if name := r.Method + " " + r.Pattern; !g.used[name] {
			out = append(out, name)
		}
	}
	return out
}

func (g *Guard) allowed(rule *Rule, r *http.Request) error {
	t := rule.At(g.names, r)
	if t.Scope == "" {
		return nil // the route asks by itself: self
	}
	if t.Action == "" {
		t.Action = rule.Action
	}
	if strings.HasPrefix(r.PathValue("i"), "@") { // as gallery.ImageRef writes applications
		t.Action = strings.Replace(t.Action, images, applications, 1)
	}
	return Check(r.Context(), g.access, t, r.URL.Path)
}

// Check asks for a target. A refusal names what the caller named, and not where that lies: the group of a gallery that
// one may not read is not told.
func Check(ctx context.Context, a Access, t Target, named string) error {
	err := a.Check(ctx, t.Action, t.Scope)
	if !errors.Is(err, gallery.ErrForbidden) {
		return err
	}
	p, _ := authn.From(ctx)
	return &gallery.Error{Kind: gallery.ErrForbidden, Resource: named, Message: fmt.Sprintf(
		"the client %q with object id %q is not authorized to perform %s here; somebody with a role that grants it can assign one", p.Client(), p.ID, t.Action)}
}

// split reads gallery/image/version; what is missing is empty.
func split(key string) (g, i, v string) {
	g, rest, _ := strings.Cut(key, "/")
	i, v, _ = strings.Cut(rest, "/")
	return g, i, v
}
