package azure

import (
	"errors"
	"strings"
	"testing"

	"loggia/api/azure/fault"
)

func TestFilter(t *testing.T) {
	one := resourceFacts{name: "g1", kind: "Microsoft.Compute/galleries", location: "north", group: "rg", tags: map[string]string{"Env": "prod"}}
	for _, test := range []struct {
		filter string
		want   bool
	}{
		{"", true},
		{"resourceType eq 'microsoft.compute/galleries'", true},
		{"resourceType ne 'Microsoft.Compute/galleries'", false},
		{"name eq 'g1' and resourceGroup eq 'RG'", true},
		{"name eq 'g1' and resourceGroup eq 'other'", false},
		{"tagName eq 'env' and tagValue eq 'prod'", true},
		{"tagname eq 'env' and tagvalue eq 'test'", false},
		{"tagName eq 'none'", false},
		{"startswith(name,'g')", true},
		{"substringof('x', name)", false},
		{"unheard eq 'x'", true}, // names that we do not know narrow nothing
	} {
		f, err := parseFilter(test.filter)
		if err != nil {
			t.Errorf("%q: %v", test.filter, err)
			continue
		}
		if got := f.matches(one); got != test.want {
			t.Errorf("%q: got %v, want %v", test.filter, got, test.want)
		}
	}
	for _, bad := range []string{"name", "name eq", "name eq x", "name eq 'x", "name gt 'x'", "name eq 'x' or name eq 'y'", "drop(x)", "startswith(name 'x')", strings.Repeat("x", maxFilter+1)} {
		if _, err := parseFilter(bad); !errors.Is(err, fault.New(fault.InvalidFilter, "")) {
			t.Errorf("%q: got %v, want %s", bad, err, fault.InvalidFilter)
		}
	}
	f, err := parseFilter("principalId eq 'it''s' and atScope()")
	if v, ok := f.equal("principalid"); err != nil || !ok || v != "it's" {
		t.Errorf("got %q, %v, %v", v, ok, err)
	}
	if _, ok := f.has("atscope"); !ok {
		t.Error("atScope() is not seen")
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"resourceType eq 'a' and tagName eq 'b'", "atScope()", "startswith(name,'x')", "substringof('a''b', name)", "((((", "''''''"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseFilter(s)
		if err != nil {
			var fault *fault.Fault
			if !errors.As(err, &fault) {
				t.Fatalf("%q: %v is no fault", s, err)
			}
			return
		}
		if len(got) > maxTerms {
			t.Fatalf("%q: %d terms", s, len(got))
		}
		got.matches(resourceFacts{name: s, tags: map[string]string{s: s}})
	})
}
