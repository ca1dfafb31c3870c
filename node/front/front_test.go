package front

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"loggia/api/authn"
	"loggia/api/authz"
	"loggia/api/azure"
	"loggia/api/data"
	"loggia/api/manage"
	"loggia/api/peer"
	"loggia/api/status"
	"loggia/api/sts"
	"loggia/gallery"
)

// door lets a token in by its name; only "operator" may do anything.
type door struct{ asked []string }

func (d *door) Verify(_ context.Context, token string) (authn.Principal, error) {
	switch token {
	case "operator":
		return authn.Principal{Name: "admin"}, nil
	case "nobody":
		return authn.Principal{ID: "00000000-0000-4000-8000-000000000001", Name: "nobody", AppID: "app"}, nil
	}
	return authn.Principal{}, &gallery.Error{Kind: gallery.ErrUnauthenticated, Message: "no"}
}

func (d *door) Check(ctx context.Context, action, scope string) error {
	d.asked = append(d.asked, action+" "+scope)
	if p, _ := authn.From(ctx); p.Operator() {
		return nil
	}
	return &gallery.Error{Kind: gallery.ErrForbidden, Message: "secret-group"}
}

type names struct{}

func (names) Subscription() string { return "/subscriptions/s" }
func (names) Gallery(g string) string {
	return "/subscriptions/s/resourceGroups/secret-group/galleries/" + g
}
func (n names) Image(g, i string) string      { return n.Gallery(g) + "/images/" + i }
func (n names) Version(g, i, v string) string { return n.Image(g, i) + "/versions/" + v }
func (names) Upload(string) authz.Target {
	return authz.Target{Scope: "/subscriptions/s", Action: "x/write"}
}

// reached is what a handler says that came as far as its service: the services here are not there.
const reached = "reached"

type managed struct{ manage.Service }

func (managed) Settle(context.Context, string) (time.Duration, bool, error) { return 0, false, nil }

type leads struct{ Leadership }

func (leads) IsLeader() bool               { return true }
func (leads) Settle(context.Context) error { return nil }
func (leads) Applied() uint64              { return 1 }

type board struct{ status.Service }
type uploads struct{ data.Uploads }
type disks struct{ data.Disks }

func (board) Ready() error { return nil }

func newFront(d *door) http.Handler {
	f := New(Options{Leader: leads{}, Service: managed{}, Access: d, Names: names{}, Tokens: tokens{}, Own: func(string) bool { return true }, Peers: &peer.Client{},
		CaughtUp: func() bool { return true }, Status: board{}, Uploads: uploads{}, Disks: disks{}, Join: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler),
		Metrics: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(reached) })})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				w.Header().Set("Test", reached)
			}
		}()
		f.Clients().ServeHTTP(w, r)
	})
}

type tokens struct{ sts.Service }

func (tokens) Names() (sts.Names, error) { return sts.Names{Audience: "a"}, nil }

var variable = regexp.MustCompile(`\{\w+\}`)

func ask(h http.Handler, token string, rule authz.Rule) *httptest.ResponseRecorder {
	path := variable.ReplaceAllStringFunc(rule.Pattern, func(v string) string {
		return map[string]string{"{v}": "1.0.0", "{lun}": "os"}[v] + strings.Repeat("x", map[bool]int{true: 0, false: 1}[v == "{v}" || v == "{lun}"])
	})
	r := httptest.NewRequest(rule.Method, path, strings.NewReader("{}"))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// asksItself are the routes whose handler, and not the table, checks: about what the body names, or the caller alone.
var asksItself = []string{"POST /v1/uploads", "POST /v1/uploads/{id}/open", "GET /v1/acl/me", "POST /v1/acl/assignments", "DELETE /v1/acl/assignments/{id}"}

// Each surface refuses in its own words, also what never reaches it.
func TestRefusalsInTheWordsOfTheSurface(t *testing.T) {
	for _, test := range []struct {
		method, path, catching, leaderless string
	}{
		{"PUT", "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/g?api-version=2021-04-01", `{"error":{"code":"ServiceUnavailable"`, `{"error":{"code":"ServiceUnavailable"`},
		{"POST", "/v1/join", "", `"code":"NoLeader"`},
		{"PUT", "/v1/galleries/g", `"code":"Unavailable"`, `"code":"NoLeader"`},
	} {
		for state, want := range map[string]string{"catching up": test.catching, "without a leader": test.leaderless} {
			if want == "" {
				continue
			}
			d := &door{}
			f := New(Options{Leader: lost{}, Service: managed{}, Access: d, Names: names{}, Tokens: tokens{}, Own: func(string) bool { return true }, Peers: &peer.Client{},
				CaughtUp: func() bool { return state != "catching up" }, Azure: azure.Options{Verifier: d, Access: everything{}, Now: time.Now}, Join: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler)})
			r := httptest.NewRequest(test.method, test.path, strings.NewReader("{}"))
			r.Header.Set("Authorization", "Bearer operator")
			w := httptest.NewRecorder()
			f.Clients().ServeHTTP(w, r)
			if w.Code != 503 || !strings.Contains(w.Body.String(), want) || w.Header().Get("Retry-After") == "" {
				t.Errorf("%s %s, %s: %d, Retry-After %q, %s; want 503 with %s", test.method, test.path, state, w.Code, w.Header().Get("Retry-After"), w.Body, want)
			}
		}
	}
}

// What is too large to be passed on to the leader is refused for that: a client that is told to come back later would send it for ever.
func TestBodiesThatAreNotPassedOn(t *testing.T) {
	d := &door{}
	f := New(Options{Leader: lost{}, Service: managed{}, Access: d, Names: names{}, Tokens: tokens{}, Own: func(string) bool { return true }, Peers: &peer.Client{},
		CaughtUp: func() bool { return true }, Azure: azure.Options{Verifier: d, Access: everything{}, Now: time.Now}, Join: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler)})
	const path = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/g?api-version=2021-04-01"
	for name, test := range map[string]struct {
		body io.Reader
		want int
		code string
	}{
		"too large": {strings.NewReader(strings.Repeat("x", maxBody+1)), http.StatusRequestEntityTooLarge, `"code":"RequestEntityTooLarge"`},
		"cut off":   {iotest.ErrReader(io.ErrUnexpectedEOF), http.StatusBadRequest, `"code":"InvalidParameter"`},
	} {
		r := httptest.NewRequest("PUT", path, test.body)
		r.Header.Set("Authorization", "Bearer operator")
		w := httptest.NewRecorder()
		f.Clients().ServeHTTP(w, r)
		if w.Code != test.want || !strings.Contains(w.Body.String(), test.code) {
			t.Errorf("%s: %d %s, want %d with %s", name, w.Code, w.Body, test.want, test.code)
		}
	}
}

// lost is a node that knows no leader.
type lost struct{ Leadership }

func (lost) IsLeader() bool { return false }
func (lost) WaitLeader(context.Context) (gallery.NodeID, error) {
	return "", errors.New("no leader is known")
}

type everything struct{ azure.Access }

// TestEveryRoute walks the table with somebody who has no role, with the operator, and with nobody at all (S1).
func TestEveryRoute(t *testing.T) {
	for _, rule := range authz.Rules() {
		name := rule.Method + " " + rule.Pattern
		d := &door{}
		h := newFront(d)
		if w := ask(h, "", rule); w.Code != http.StatusUnauthorized || w.Header().Get("Test") != "" {
			t.Errorf("%s without a token: %d", name, w.Code)
		}
		if w := ask(h, "operator", rule); w.Code == http.StatusForbidden || w.Code == http.StatusNotFound || w.Code == http.StatusMethodNotAllowed {
			t.Errorf("%s for the operator: %d %s", name, w.Code, w.Body)
		}
		if slices.Contains(asksItself, name) {
			continue
		}
		if len(d.asked) != 1 || !strings.Contains(d.asked[0], "/") || strings.HasPrefix(d.asked[0], " ") {
			t.Errorf("%s: asked %q, want one action at one scope", name, d.asked)
		}
		w := ask(h, "nobody", rule)
		if w.Code != http.StatusForbidden || w.Header().Get("Test") != "" {
			t.Errorf("%s for somebody without a role: %d %s, want 403 before the handler", name, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "secret-group") {
			t.Errorf("%s tells where it lies: %s", name, w.Body)
		}
	}
}

// TestRefusalsAreAlike: what exists and what does not look the same to somebody without a role.
func TestRefusalsAreAlike(t *testing.T) {
	h := newFront(&door{})
	for _, path := range []string{"/v1/nothing", "/v1/galleries/g/nothing", "/v2"} {
		if w := ask(h, "nobody", authz.Rule{Method: "GET", Pattern: path}); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, w.Code)
		}
		if w := ask(h, "", authz.Rule{Method: "GET", Pattern: path}); w.Code != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d, want 401", path, w.Code)
		}
	}
}

func TestARouteThatIsNotInTheTableDoesNotStart(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it started")
		}
	}()
	authz.New(&door{}, names{}, nil).Mux().HandleFunc("GET", "/v1/galleries/{g}/secrets", func(http.ResponseWriter, *http.Request) {})
}

// TestOpenPaths need no token, and are not redirected.
func TestOpenPaths(t *testing.T) {
	h := newFront(&door{})
	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "//metadata/endpoints?api-version=2018-01-01": 200, "/metadata/endpoints": 200, "/adfs/.well-known/openid-configuration": 200} {
		r := httptest.NewRequest("GET", "https://x"+path, nil)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}
