package azure

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"loggia/api/azure/fault"
)

func TestSplitPath(t *testing.T) {
	for _, test := range []struct{ raw, want string }{
		{"/subscriptions/s/resourceGroups/rg", "subscriptions|s|resourceGroups|rg"},
		{"//subscriptions//s/", "subscriptions|s"},
		{"/%2Fsubscriptions%2Fs%2FresourceGroups%2Frg/providers/Microsoft.Authorization/locks/l", "subscriptions|s|resourceGroups|rg|providers|Microsoft.Authorization|locks|l"},
		{"/a%20b/c", "a b|c"},
		{"/", ""},
	} {
		got, err := splitPath(test.raw)
		if err != nil || strings.Join(got, "|") != test.want {
			t.Errorf("%s: got %q, %v; want %q", test.raw, got, err, test.want)
		}
	}
	for _, bad := range []string{"/a/../b", "/a/%2e%2e/b", "/a/./b", "/a%00b", "/a%", "/a%5Cb", "/" + strings.Repeat("a", maxPath), strings.Repeat("/a", maxSegments+1), "/a%0d%0ab"} {
		if got, err := splitPath(bad); err == nil {
			t.Errorf("%.40s: got %q", bad, got)
		}
	}
}

func FuzzSplitPath(f *testing.F) {
	for _, s := range []string{"/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/galleries/g", "/%2Fa%2Fb", "//a//b//", "/..", "/%", "/a%25%32%66b"} {
		f.Add(s)
	}
	h := &handler{}
	router := newRouter(h.routes())
	f.Fuzz(func(t *testing.T, s string) {
		segments, err := splitPath(s)
		if err != nil {
			return
		}
		for _, x := range segments {
			if x == "" || x == "." || x == ".." || strings.Contains(x, "/") {
				t.Fatalf("%q: segment %q", s, x)
			}
		}
		m := router.find(segments)
		if m.routes == nil {
			return
		}
		// The canonical path leads to the same place.
		again, err := splitPath(strings.ReplaceAll(m.path, "%", "%25"))
		if err != nil {
			t.Fatalf("%q: canonical path %q: %v", s, m.path, err)
		}
		if n := router.find(again); n.path != m.path {
			t.Fatalf("%q: canonical path %q leads to %q", s, m.path, n.path)
		}
	})
}

func TestConditions(t *testing.T) {
	for _, test := range []struct {
		name, match, none string
		etag              uint64
		want              bool
	}{
		{"nothing asked, absent", "", "", 0, true},
		{"match", `"7"`, "", 7, true},
		{"no match", `"7"`, "", 8, false},
		{"match, absent", `"7"`, "", 0, false},
		{"bare tag", `7`, "", 7, true},
		{"list", `"6", "7"`, "", 7, true},
		{"weak tags never match", `W/"7"`, "", 7, false},
		{"a tag of another system", `"abc"`, "", 7, false},
		{"any", "*", "", 7, true},
		{"any, absent", "*", "", 0, false},
		{"only new", "", "*", 0, true},
		{"only new, there", "", "*", 7, false},
	} {
		h := http.Header{}
		if test.match != "" {
			h.Set("If-Match", test.match)
		}
		if test.none != "" {
			h.Set("If-None-Match", test.none)
		}
		c, err := readCondition(h)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		err = c.check(test.etag)
		if (err == nil) != test.want {
			t.Errorf("%s: got %v, want success %v", test.name, err, test.want)
		}
		if err != nil && !errors.Is(err, fault.New(fault.PreconditionFailed, "")) {
			t.Errorf("%s: got %v, want %s", test.name, err, fault.PreconditionFailed)
		}
	}
	for _, bad := range []string{`"7`, `a b`, `"7",`, strings.Repeat(`"1",`, maxETags) + `"2"`} {
		if _, err := readCondition(http.Header{"If-Match": {bad}}); err == nil {
			t.Errorf("If-Match: %s was taken", bad)
		}
	}
	if _, err := readCondition(http.Header{"If-None-Match": {`"7"`}}); err == nil {
		t.Error("If-None-Match with a tag was taken")
	}
}

func FuzzIfMatch(f *testing.F) {
	for _, s := range []string{`"1"`, `W/"1"`, `*`, `"1", "2"`, `"`, `,`, `18446744073709551616`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := readCondition(http.Header{"If-Match": {s}})
		if err != nil || len(c.matches) == 0 {
			return
		}
		if len(c.matches) > maxETags {
			t.Fatalf("%q: %d tags", s, len(c.matches))
		}
		if c.check(0) == nil {
			t.Fatalf("%q matches what does not exist", s)
		}
	})
}

func TestParentOfList(t *testing.T) {
	const sub = "/subscriptions/s"
	for path, want := range map[string]string{
		sub:                                  sub,
		sub + "/locations":                   sub,
		sub + "/resourceGroups":              sub,
		sub + "/resourceGroups/rg":           sub + "/resourceGroups/rg",
		sub + "/resourceGroups/rg/resources": sub + "/resourceGroups/rg",
		sub + "/providers/Microsoft.Compute/galleries":                                    sub,
		sub + "/resourceGroups/rg/providers/Microsoft.Compute/galleries":                  sub + "/resourceGroups/rg",
		sub + "/resourceGroups/rg/providers/Microsoft.Compute/galleries/g":                sub + "/resourceGroups/rg/providers/Microsoft.Compute/galleries/g",
		sub + "/resourceGroups/rg/providers/Microsoft.Compute/galleries/g/images":         sub + "/resourceGroups/rg/providers/Microsoft.Compute/galleries/g",
		sub + "/resourceGroups/rg/providers/Microsoft.Compute/snapshots/x/beginGetAccess": sub + "/resourceGroups/rg/providers/Microsoft.Compute/snapshots/x",
	} {
		if got := parentOfList(path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func TestRouter(t *testing.T) {
	r := newRouter((&handler{}).routes())
	for _, test := range []struct{ method, path, canonical, scope string }{
		{"GET", "/SUBSCRIPTIONS/s/resourcegroups/RG/providers/microsoft.compute/GALLERIES/g", "/subscriptions/s/resourceGroups/RG/providers/Microsoft.Compute/galleries/g", ""},
		{"PUT", "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/galleries/g/images/i/versions/1.0.0", "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/galleries/g/images/i/versions/1.0.0", ""},
		{"PUT", "/subscriptions/s/providers/Microsoft.Authorization/roleAssignments/x", "/subscriptions/s/providers/Microsoft.Authorization/roleAssignments/x", "/subscriptions/s"},
		{"GET", "/providers/Microsoft.Authorization/roleDefinitions", "/providers/Microsoft.Authorization/roleDefinitions", "/"},
		{"PUT", "/subscriptions/s/resourcegroups/rg/providers/microsoft.compute/galleries/g/providers/Microsoft.Resources/tags/default",
			"/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/galleries/g/providers/Microsoft.Resources/tags/default", "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/galleries/g"},
	} {
		segments, err := splitPath(test.path)
		if err != nil {
			t.Fatal(err)
		}
		m := r.find(segments)
		if m.routes[test.method] == nil || m.path != test.canonical || m.scope != test.scope {
			t.Errorf("%s %s: got %q, scope %q, methods %s", test.method, test.path, m.path, m.scope, m.methods())
		}
	}
	for _, nowhere := range []string{"/", "/subscriptions/s/nothing", "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/x", "/providers"} {
		segments, _ := splitPath(nowhere)
		if m := r.find(segments); m.routes != nil {
			t.Errorf("%s leads to %s", nowhere, m.path)
		}
	}
}

// TestEveryRouteHasItsRight: a route needs an action, but for those that answer by what the caller may see.
func TestEveryRouteHasItsRight(t *testing.T) {
	var open []string
	for _, r := range (&handler{}).routes() {
		if r.open {
			open = append(open, r.method+" "+r.path)
		}
	}
	slices.Sort(open)
	want := []string{
		"GET /subscriptions", "GET /subscriptions/{sub}", "GET /subscriptions/{sub}/locations", "GET /subscriptions/{sub}/providers",
		"GET /subscriptions/{sub}/providers/Microsoft.Compute/locations/{location}/capsOperations/{operation}",
		"GET /subscriptions/{sub}/providers/{namespace}", "GET /tenants", "GET /{scope}/providers/Microsoft.Authorization/permissions",
		"POST /subscriptions/{sub}/providers/{namespace}/register",
	}
	if !slices.Equal(open, want) {
		t.Errorf("open routes:\ngot  %q\nwant %q", open, want)
	}
	defer func() {
		if recover() == nil {
			t.Error("a route without an action was taken")
		}
	}()
	newRouter([]route{{method: "GET", path: "/x", do: func(*request) (answer, error) { return answer{}, nil }}})
}

// TestNameAmongFixed: a name is found where a fixed segment of the same spelling leads nowhere.
func TestNameAmongFixed(t *testing.T) {
	r := newRouter((&handler{}).routes())
	for _, path := range []string{"/subscriptions/s/providers/Microsoft.Compute", "/subscriptions/s/providers/Microsoft.Compute/register"} {
		segments, _ := splitPath(path)
		if m := r.find(segments); m.vars["namespace"] != "Microsoft.Compute" {
			t.Errorf("%s: got %q with %q", path, m.path, m.vars)
		}
	}
}
