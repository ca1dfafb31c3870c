package rbac

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"loggia/gallery"
)

const (
	testSubscription = "/subscriptions/0f3e1c52-98a3-4358-a134-615aa78bf44d"
	testGroup        = testSubscription + "/resourceGroups/rg"
	testGallery      = testGroup + "/providers/Microsoft.Compute/galleries/g"
	testImage        = testGallery + "/images/i"
	testVersion      = testImage + "/versions/1.0.0"
)

func TestCovers(t *testing.T) {
	for _, x := range []struct {
		name, scope, resource string
		want                  bool
	}{
		{"root over root", Root, Root, true},
		{"root over a version", Root, testVersion, true},
		{"itself", testImage, testImage, true},
		{"gallery over version", testGallery, testVersion, true},
		{"definition over version", testImage, testVersion, true},
		{"definition not over gallery", testImage, testGallery, false},
		{"version not over definition", testVersion, testImage, false},
		{"definition not over another", testImage, testGallery + "/images/i2", false},
		{"definition not over another's version", testImage, testGallery + "/images/i2/versions/1.0.0", false},
		{"no part of a segment", testSubscription + "/resourceGroups/r", testGroup, false},
		{"group over gallery", testGroup, testGallery, true},
		{"subscription over group", testSubscription, testGroup, true},
		{"subscription not over root", testSubscription, Root, false},
		{"another case", strings.ToUpper(testGroup), testGallery, true},
		{"resourcegroups", strings.ToLower(testGroup), testGallery, true},
		{"an assignment at its resource", testGallery, testGallery + "/providers/Microsoft.Authorization/roleAssignments/x", true},
		{"nothing", "", testGallery, false},
		{"slash at the end of the scope", testGroup + "/", testGallery, false},
		{"slash at the end of the resource", testGroup, testGallery + "/", false},
		{"empty segment", testGroup, testGroup + "//providers", false},
		{"dots", testGroup, testGroup + "/../other", false},
		{"a dot", Root, "/./x", false},
		{"encoded", testGroup, testGroup + "/%2e%2e/other", false},
		{"backslash", testGroup, testGroup + `/..\other`, false},
		{"no slash in front", "subscriptions", "subscriptions/x", false},
		{"empty resource", Root, "", false},
		{"NUL", Root, "/a\x00", false},
		{"no ASCII", "/\u212a", "/k", false},
		{"too long", Root, "/" + strings.Repeat("a", MaxScope), false},
		{"too deep", Root, strings.Repeat("/a", maxSegments+1), false},
		{"star is no wildcard", testGroup + "/*", testGallery, false},
	} {
		if got := Covers(x.scope, x.resource); got != x.want {
			t.Errorf("%s: Covers(%q, %q): got %v, want %v", x.name, x.scope, x.resource, got, x.want)
		}
	}
}

// slowCovers is Covers of well-formed ids written the dumb way: the scope's segments begin the resource's.
func slowCovers(scope, resource string) bool {
	segments := func(s string) []string {
		return strings.FieldsFunc(slowLower(s), func(c rune) bool { return c == '/' })
	}
	s, r := segments(scope), segments(resource)
	return len(s) <= len(r) && slices.Equal(s, r[:len(s)])
}

func TestValidateScope(t *testing.T) {
	for _, ok := range []string{
		Root, testSubscription, testGroup, testGallery, testImage, testVersion, strings.ToUpper(testVersion),
		testSubscription + "/providers/Microsoft.Compute/locations/westus",
		testGallery + "/providers/Microsoft.Authorization/locks/l",
		testSubscription + "/resourceGroups/" + strings.Repeat("a", 90),
	} {
		if err := ValidateScope(ok); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for _, bad := range []string{
		"", "x", "//", "/subscriptions", "/subscriptions/x", "/subscriptions/" + strings.Repeat("0", 36), testSubscription + "/", testGroup + "/x",
		testSubscription + "/resourceGroups", testSubscription + "/resourceGroups/" + strings.Repeat("a", 91),
		testGroup + "/providers", testGroup + "/providers/Microsoft.Compute", testGroup + "/providers/Microsoft.Compute/galleries",
		testGallery + "/images", testGallery + "/providers/Microsoft.Authorization",
		"/providers/Microsoft.Management/managementGroups/x", "/providers/Microsoft.Compute/galleries/g",
		testSubscription + "/resourceGroups/*", testSubscription + "/resourceGroups/..", testSubscription + "/resourceGroups/%61",
		testSubscription + "/resourceGroups/g\n", testGroup + strings.Repeat("/providers/a/b/c", 20), "/" + strings.Repeat("a", MaxScope),
	} {
		err := ValidateScope(bad)
		var e *gallery.Error
		if !errors.As(err, &e) || e.Kind != gallery.ErrInvalid || e.Field != "scope" || e.Message == "" {
			t.Errorf("%q: got %v, want an ErrInvalid about scope", bad, err)
		}
	}
}

func FuzzScope(f *testing.F) {
	for _, s := range []string{"", Root, "//", testSubscription, testGroup, testVersion, testGroup + "/", testGroup + "/../x", "/\u212a"} {
		f.Add(s, testVersion)
		f.Add(testGroup, s)
	}
	f.Fuzz(func(t *testing.T, scope, resource string) {
		got := Covers(scope, resource)
		if wellFormed(scope) && wellFormed(resource) {
			if want := slowCovers(scope, resource); got != want {
				t.Errorf("Covers(%q, %q): got %v, want %v", scope, resource, got, want)
			}
		} else if got {
			t.Errorf("Covers(%q, %q): what is malformed is covered", scope, resource)
		}
		if ValidateScope(scope) == nil && !Covers(scope, scope) {
			t.Errorf("%q is valid and does not cover itself", scope)
		}
		if ValidateScope(scope) == nil && !Covers(Root, scope) {
			t.Errorf("%q is valid and not below the root", scope)
		}
	})
}
