package azure

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"loggia/api/azure/armid"
	"loggia/api/azure/fault"
)

func FuzzRouter(f *testing.F) {
	for _, s := range []string{"/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/galleries/g", "/%2Fsubscriptions%2Fb/providers/Microsoft.Authorization/roleAssignments/x",
		"//subscriptions//b//", "/subscriptions/..", "/%", "/subscriptions/a%25%32%66b/resourcegroups", "/tenants/"} {
		f.Add(s)
	}
	router := newRouter((&handler{}).routes())
	f.Fuzz(func(t *testing.T, s string) {
		id, err := armid.Parse(s)
		if err != nil {
			return
		}
		m := router.find(id)
		if m.routes == nil {
			return
		}
		// The canonical path leads to the same place.
		again, err := armid.ParseID(m.path)
		if err != nil {
			t.Fatalf("%q: canonical path %q: %v", s, m.path, err)
		}
		if n := router.find(again); n.path != m.path || n.scope != m.scope {
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

func parsed(t *testing.T, path string) armid.ID {
	t.Helper()
	id, err := armid.Parse(path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return id
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
		m := r.find(parsed(t, test.path))
		if m.routes[test.method] == nil || m.path != test.canonical || m.scope != test.scope {
			t.Errorf("%s %s: got %q, scope %q, methods %s", test.method, test.path, m.path, m.scope, m.methods())
		}
	}
	for _, nowhere := range []string{"/subscriptions/s/nothing", "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/x", "/providers"} {
		if m := r.find(parsed(t, nowhere)); m.routes != nil {
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
		if m := r.find(parsed(t, path)); m.vars["namespace"] != "Microsoft.Compute" {
			t.Errorf("%s: got %q with %q", path, m.path, m.vars)
		}
	}
}
