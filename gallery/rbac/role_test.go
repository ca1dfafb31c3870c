package rbac

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"loggia/gallery"
)

func TestBuiltIns(t *testing.T) {
	all := BuiltIns()
	if len(all) != 7 || all[0].Name != "Owner" || all[6].Name != "Compute Gallery Image Reader" {
		t.Errorf("got %d roles from %q to %q", len(all), all[0].Name, all[len(all)-1].Name)
	}
	seen := map[string]bool{}
	for _, r := range all {
		if !gallery.ValidID(r.ID) || r.Name == "" || r.Description == "" || len(r.Permissions) == 0 || !slices.Equal(r.AssignableScopes, []string{Root}) {
			t.Errorf("incomplete: %+v", r)
		}
		if seen[r.ID] || seen[r.Name] {
			t.Errorf("%s, %s: twice", r.ID, r.Name)
		}
		seen[r.ID], seen[r.Name] = true, true
		if err := validatePermissions(r.Permissions); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
		if got, ok := BuiltInByID(strings.ToUpper(r.ID)); !ok || got.Name != r.Name {
			t.Errorf("by id %s: got %q, %v", r.ID, got.Name, ok)
		}
		if got, ok := BuiltInByName(strings.ToLower(r.Name)); !ok || got.ID != r.ID {
			t.Errorf("by name %q: got %s, %v", r.Name, got.ID, ok)
		}
		if !r.AssignableAt(Root) || !r.AssignableAt(testVersion) {
			t.Errorf("%s: not assignable everywhere", r.Name)
		}
	}
	if r, ok := BuiltInByID("00000000-0000-0000-0000-000000000000"); ok {
		t.Errorf("found %v", r)
	}
	if r, ok := BuiltInByName(""); ok {
		t.Errorf("found %v", r)
	}
}

func custom() *Role {
	return &Role{
		ID: "0f3e1c52-98a3-4358-a134-615aa78bf44d", Name: "Replica watcher", Description: "Sees replicas.",
		Permissions:      []Permission{{Actions: []string{"Microsoft.Compute/galleries/*/read"}, NotActions: []string{"*/applications/*"}, DataActions: []string{"*"}}},
		AssignableScopes: []string{testGroup},
	}
}

func TestValidateCustom(t *testing.T) {
	long := strings.Repeat("a", MaxRoleText)
	for _, x := range []struct {
		name   string
		change func(*Role)
		field  string // of the error; "" for none
	}{
		{"good", func(*Role) {}, ""},
		{"longest pattern", func(r *Role) { r.Permissions[0].Actions[0] = long }, ""},
		{"nothing granted", func(r *Role) { r.Permissions = []Permission{{}} }, ""},
		{"no id", func(r *Role) { r.ID = "" }, "id"},
		{"id in capitals", func(r *Role) { r.ID = strings.ToUpper(r.ID) }, "id"},
		{"id of Owner", func(r *Role) { r.ID = Owner }, "id"},
		{"no name", func(r *Role) { r.Name = "" }, "properties.roleName"},
		{"blank name", func(r *Role) { r.Name = " \t" }, "properties.roleName"},
		{"name of a built-in role", func(r *Role) { r.Name = "owner" }, "properties.roleName"},
		{"the same with blanks", func(r *Role) { r.Name = " Owner " }, "properties.roleName"},
		{"name with a line's end", func(r *Role) { r.Name = "a\nb" }, "properties.roleName"},
		{"name no UTF-8", func(r *Role) { r.Name = "\xff" }, "properties.roleName"},
		{"long name", func(r *Role) { r.Name = strings.Repeat("a", MaxRoleName+1) }, "properties.roleName"},
		{"long description", func(r *Role) { r.Description = long + "a" }, "properties.description"},
		{"description no UTF-8", func(r *Role) { r.Description = "\xff" }, "properties.description"},
		{"no permissions", func(r *Role) { r.Permissions = nil }, "properties.permissions"},
		{"many permissions", func(r *Role) { r.Permissions = make([]Permission, MaxRolePermissions+1) }, "properties.permissions"},
		{"many patterns", func(r *Role) { r.Permissions[0].NotActions = slices.Repeat([]string{"*"}, MaxRolePatterns) }, "properties.permissions"},
		{"empty pattern", func(r *Role) { r.Permissions[0].Actions[0] = "" }, "properties.permissions[0].actions[0]"},
		{"long pattern", func(r *Role) { r.Permissions[0].Actions[0] = long + "a" }, "properties.permissions[0].actions[0]"},
		{"pattern with a blank", func(r *Role) { r.Permissions[0].NotActions[0] = "a b" }, "properties.permissions[0].notActions[0]"},
		{"slash in front", func(r *Role) { r.Permissions[0].DataActions[0] = "/a" }, "properties.permissions[0].dataActions[0]"},
		{"slash at the end", func(r *Role) { r.Permissions[0].DataActions[0] = "a/" }, "properties.permissions[0].dataActions[0]"},
		{"two slashes", func(r *Role) { r.Permissions[0].NotDataActions = []string{"*", "a//b"} }, "properties.permissions[0].notDataActions[1]"},
		{"question mark", func(r *Role) { r.Permissions = append(r.Permissions, Permission{Actions: []string{"a?"}}) }, "properties.permissions[1].actions[0]"},
		{"no scopes", func(r *Role) { r.AssignableScopes = nil }, "properties.assignableScopes"},
		{"many scopes", func(r *Role) { r.AssignableScopes = slices.Repeat([]string{testGroup}, MaxAssignableScopes+1) }, "properties.assignableScopes"},
		{"the root", func(r *Role) { r.AssignableScopes = []string{testGroup, Root} }, "properties.assignableScopes[1]"},
		{"no scope", func(r *Role) { r.AssignableScopes = []string{"x"} }, "properties.assignableScopes[0]"},
		{"all subscriptions", func(r *Role) { r.AssignableScopes = []string{"/subscriptions/*"} }, "properties.assignableScopes[0]"},
		{"too much in all", func(r *Role) { r.Permissions[0].Actions = slices.Repeat([]string{long}, 9) }, "properties.permissions"},
	} {
		r := custom()
		x.change(r)
		err := r.ValidateCustom()
		var e *gallery.Error
		switch {
		case x.field == "":
			if err != nil {
				t.Errorf("%s: %v", x.name, err)
			}
		case !errors.As(err, &e) || !errors.Is(err, gallery.ErrInvalid) || e.Field != x.field || e.Message == "":
			t.Errorf("%s: got %v, want an ErrInvalid about %s", x.name, err, x.field)
		}
	}
}

func TestAssignableAt(t *testing.T) {
	r := custom()
	for scope, want := range map[string]bool{testGroup: true, testVersion: true, strings.ToUpper(testGroup): true, testSubscription: false, Root: false, testGroup + "2": false} {
		if got := r.AssignableAt(scope); got != want {
			t.Errorf("at %s: got %v, want %v", scope, got, want)
		}
	}
}
