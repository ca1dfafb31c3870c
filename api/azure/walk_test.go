package azure

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"loggia/api/authn"
	"loggia/gallery"
	"loggia/gallery/rbac"
)

// stranger is a principal without a role; foreign makes it one of another tenant.
type stranger struct {
	foreign bool
	asked   []string
}

func (*stranger) Verify(context.Context, string) (authn.Principal, error) {
	return authn.Principal{ID: "00000000-0000-4000-8000-000000000001", Name: "stranger", AppID: "app"}, nil
}

func (s *stranger) Check(_ context.Context, action, scope string) error {
	s.asked = append(s.asked, action+" at "+scope)
	return &gallery.Error{Kind: gallery.ErrForbidden, Message: "no"}
}

func (s *stranger) Sees(_ context.Context, sub gallery.SubscriptionID) bool {
	return !s.foreign && sub != "secret"
}
func (*stranger) Permissions(context.Context, string) []rbac.Permission { return nil }
func (*stranger) Is(context.Context, string) bool                       { return false }

// nothing is a service that must not be asked for more than what the caller may see: anything else panics.
type nothing struct{ Service }

func (nothing) Settle(context.Context, string) (time.Duration, bool, error) { return 0, false, nil }
func (nothing) Subscriptions(context.Context) ([]gallery.Subscription, error) {
	return []gallery.Subscription{{ID: "secret"}}, nil
}
func (nothing) Subscription(context.Context, gallery.SubscriptionID) (gallery.Subscription, error) {
	return gallery.Subscription{}, nil
}
func (nothing) Tenants(context.Context) ([]gallery.Tenant, error) {
	return []gallery.Tenant{{ID: "secret"}}, nil
}
func (nothing) Regions(context.Context) ([]gallery.Region, error) { return nil, nil }
func (nothing) Operation(context.Context, gallery.SubscriptionID, gallery.OperationID) (Operation, error) {
	return Operation{Operation: gallery.Operation{ID: "o", Resource: "secret", Principal: "another"}}, nil
}

func walker(s *stranger) http.Handler {
	same := func(h http.Handler) http.Handler { return h }
	return Handler(Options{Service: nothing{}, Access: s, Verifier: s, Writer: same, Caller: same, Base: func(*http.Request) string { return "https://x" },
		Challenge: func(string) string { return "" }, Identity: func(context.Context) string { return "stranger" }, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
}

// TestEveryRouteRefuses walks every route with a principal who has no role: no use case is asked, and nothing leaks (S1, S2).
func TestEveryRouteRefuses(t *testing.T) {
	for _, route := range (&handler{}).routes() {
		path := strings.NewReplacer("{scope}", "subscriptions/s", "{version}", "1.0.0").Replace(route.path)
		for strings.Contains(path, "{") {
			a, b := strings.Index(path, "{"), strings.Index(path, "}")
			path = path[:a] + "x" + path[b+1:]
		}
		for _, foreign := range []bool{false, true} {
			s := &stranger{foreign: foreign}
			w := httptest.NewRecorder()
			walker(s).ServeHTTP(w, httptest.NewRequest(route.method, path+"?api-version=2025-12-03", strings.NewReader("{}")))
			body, _ := io.ReadAll(w.Body)
			name := route.method + " " + path
			switch {
			case strings.Contains(string(body), "secret"):
				t.Errorf("%s (foreign %v) leaks: %s", name, foreign, body)
			case foreign && strings.Contains(route.path, "{sub}") && w.Code != http.StatusNotFound:
				t.Errorf("%s by a foreigner: %d %s", name, w.Code, body)
			case route.open && w.Code != http.StatusOK && w.Code != http.StatusForbidden && w.Code != http.StatusNotFound:
				t.Errorf("%s (foreign %v): %d %s", name, foreign, w.Code, body)
			case !route.open && !(foreign && strings.Contains(route.path, "{sub}")) && (w.Code != http.StatusForbidden || len(s.asked) != 1):
				t.Errorf("%s (foreign %v): %d, asked %q: %s", name, foreign, w.Code, s.asked, body)
			}
			if w.Code >= 500 {
				t.Errorf("%s: %d %s", name, w.Code, body)
			}
		}
	}
}
