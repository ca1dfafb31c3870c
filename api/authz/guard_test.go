package authz

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"loggia/gallery"
)

// switchable is access that may be taken away.
type switchable struct{ no bool }

func (s *switchable) Check(context.Context, string, string) error {
	if s.no {
		return &gallery.Error{Kind: gallery.ErrForbidden, Message: "over the secret scope"}
	}
	return nil
}

type nowhere struct{ Names }

func (nowhere) Gallery(string) string { return "/subscriptions/s/secret" }

func TestStill(t *testing.T) {
	a := &switchable{}
	g := New(a, nowhere{}, func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusForbidden) })
	m := g.Mux()
	var before, after error
	m.HandleFunc("GET", galleryPath, func(_ http.ResponseWriter, r *http.Request) {
		before = Still(r.Context())
		a.no = true
		after = Still(r.Context())
	})
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest("GET", "/v1/galleries/g", nil))
	if w.Code != 200 || before != nil || !errors.Is(after, gallery.ErrForbidden) || strings.Contains(after.Error(), "secret") {
		t.Errorf("%d, before %v, after %v; want a refusal after, which does not tell the scope", w.Code, before, after)
	}
	w = httptest.NewRecorder()
	if m.ServeHTTP(w, httptest.NewRequest("GET", "/v1/galleries/g", nil)); w.Code != http.StatusForbidden {
		t.Errorf("the next request: %d", w.Code)
	}
	if err := Still(context.Background()); err != nil {
		t.Errorf("a context of no route: %v", err)
	}
	if slices.Contains(g.Unused(), "GET "+galleryPath) || !slices.Contains(g.Unused(), "GET /v1/status") {
		t.Errorf("unused %v", g.Unused())
	}
}

// TestTable holds the shape of the table: each route once, each with an action where it does not ask by itself.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range table {
		name := r.Method + " " + r.Pattern
		if seen[name] || r.At == nil || !strings.HasPrefix(r.Pattern, "/") {
			t.Errorf("%s stands twice, or has no scope", name)
		}
		seen[name] = true
		if r.Action != "" && !strings.HasSuffix(r.Action, "/read") && !strings.HasSuffix(r.Action, "/write") && !strings.HasSuffix(r.Action, "/delete") && !strings.HasSuffix(r.Action, "/action") {
			t.Errorf("%s: the action %q ends in no verb of Azure", name, r.Action)
		}
		if r.Method == "GET" && r.Action != "" && !strings.HasSuffix(r.Action, "/read") {
			t.Errorf("%s needs %s", name, r.Action)
		}
	}
}
