package gallery

import (
	"fmt"
	"strings"
	"time"
)

// Bounds of roles and their assignments.
const (
	MaxScope            = 2048 // bytes of an id of Azure's Resource Manager
	MaxPermissions      = 16   // of one role
	MaxActions          = 100  // of each list of a permission
	MaxAssignableScopes = 64
	MaxAction           = 256     // bytes
	MaxRoleName         = 512     // bytes
	MaxDescription      = 2 << 10 // bytes
	MaxCondition        = 8 << 10 // bytes
)

// RootScope covers everything.
const RootScope = "/"

// FoldScope returns a scope as keys and comparisons use it. Only ASCII folds: names hold nothing else.
func FoldScope(s string) string { return strings.ToLower(s) }

// Permission is what a role gives: actions minus notActions, on resources and on the data in them.
type Permission struct {
	Actions        []string `cbor:"1,keyasint,omitempty"`
	NotActions     []string `cbor:"2,keyasint,omitempty"`
	DataActions    []string `cbor:"3,keyasint,omitempty"`
	NotDataActions []string `cbor:"4,keyasint,omitempty"`
}

// RoleDefinition is a role that a tenant made; built-in ones are in gallery/rbac.
type RoleDefinition struct {
	ID               RoleID       `cbor:"1,keyasint"`
	Tenant           TenantID     `cbor:"2,keyasint"`
	Name             string       `cbor:"3,keyasint"` // unique in the tenant; case does not count
	Description      string       `cbor:"4,keyasint,omitempty"`
	Permissions      []Permission `cbor:"5,keyasint"`
	AssignableScopes []string     `cbor:"6,keyasint"`
	ETag             uint64       `cbor:"7,keyasint"`
	Created          time.Time    `cbor:"8,keyasint,omitzero"`
	Updated          time.Time    `cbor:"9,keyasint,omitzero"`
	CreatedBy        string       `cbor:"10,keyasint,omitempty"`
	UpdatedBy        string       `cbor:"11,keyasint,omitempty"`
}

// RoleAssignment gives a principal a role at a scope and below. Principal, role and scope together are unique; only the
// description may change.
type RoleAssignment struct {
	ID               AssignmentID  `cbor:"1,keyasint"` // unique at its scope
	Tenant           TenantID      `cbor:"2,keyasint"`
	Scope            string        `cbor:"3,keyasint"` // canonical id, RootScope for everything
	Principal        PrincipalID   `cbor:"4,keyasint"`
	PrincipalKind    PrincipalKind `cbor:"5,keyasint"` // taken from the principal
	Role             RoleID        `cbor:"6,keyasint"`
	Description      string        `cbor:"7,keyasint,omitempty"`
	Condition        string        `cbor:"8,keyasint,omitempty"`
	ConditionVersion string        `cbor:"9,keyasint,omitempty"`
	ETag             uint64        `cbor:"10,keyasint"`
	Created          time.Time     `cbor:"11,keyasint,omitzero"`
	CreatedBy        string        `cbor:"12,keyasint,omitempty"`
	Updated          time.Time     `cbor:"13,keyasint,omitzero"`
	UpdatedBy        string        `cbor:"14,keyasint,omitempty"`
}

const ruleScope = "a canonical id: '/' or segments of printable ASCII, each after a slash, at most 2048 bytes"

// ValidScope says whether s has the shape of a scope.
func ValidScope(s string) bool {
	if s == RootScope {
		return true
	}
	if s == "" || len(s) > MaxScope || s[0] != '/' || s[len(s)-1] == '/' || strings.Contains(s, "//") {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

func (f *faults) scope(field, s string) { f.unless(ValidScope(s), field, ruleScope) }

// Validate checks what needs no other row. The patterns of the actions are for gallery/rbac to judge.
func (r *RoleDefinition) Validate() error {
	var f faults
	f.id("id", string(r.ID))
	f.id("tenant", string(r.Tenant))
	f.unless(r.Name != "", "properties.roleName", "required")
	f.text("properties.roleName", r.Name, MaxRoleName)
	f.text("properties.description", r.Description, MaxDescription)
	f.unless(len(r.Permissions) >= 1 && len(r.Permissions) <= MaxPermissions, "properties.permissions", "1 to %d", MaxPermissions)
	for i, p := range r.Permissions {
		at := fmt.Sprintf("properties.permissions[%d].", i)
		f.actions(at+"actions", p.Actions)
		f.actions(at+"notActions", p.NotActions)
		f.actions(at+"dataActions", p.DataActions)
		f.actions(at+"notDataActions", p.NotDataActions)
	}
	n := len(r.AssignableScopes)
	f.unless(n >= 1 && n <= MaxAssignableScopes, "properties.assignableScopes", "1 to %d", MaxAssignableScopes)
	for i, s := range r.AssignableScopes {
		f.scope(fmt.Sprintf("properties.assignableScopes[%d]", i), s)
	}
	return f.err()
}

func (f *faults) actions(at string, list []string) {
	f.unless(len(list) <= MaxActions, at, "at most %d", MaxActions)
	for i, a := range list {
		f.unless(a != "", fmt.Sprintf("%s[%d]", at, i), "not empty")
		f.text(fmt.Sprintf("%s[%d]", at, i), a, MaxAction)
	}
}

// Validate checks what needs no other row. Conditions are refused: none is evaluated, so one that stood here would promise
// what is not kept.
func (a *RoleAssignment) Validate() error {
	var f faults
	f.id("name", string(a.ID))
	f.id("tenant", string(a.Tenant))
	f.scope("scope", a.Scope)
	f.id("properties.principalId", string(a.Principal))
	f.unless(a.PrincipalKind == "" || a.PrincipalKind.Valid(), "properties.principalType", "User, Group or ServicePrincipal")
	f.id("properties.roleDefinitionId", string(a.Role))
	f.text("properties.description", a.Description, MaxDescription)
	f.unless(a.Condition == "" && a.ConditionVersion == "", "properties.condition", "conditions are not offered here")
	return f.err()
}

// CheckUpdate says what of a may not follow old: an *Error of kind ErrImmutable, or nil.
func (a *RoleAssignment) CheckUpdate(old *RoleAssignment) error {
	f := faults{kind: ErrImmutable}
	f.same(a.Tenant == old.Tenant, "tenant")
	f.same(FoldScope(a.Scope) == FoldScope(old.Scope), "scope")
	f.same(a.Principal == old.Principal, "properties.principalId")
	f.same(a.Role == old.Role, "properties.roleDefinitionId")
	return f.err()
}
