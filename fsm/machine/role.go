package machine

import (
	"strings"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/gallery/rbac"
)

func rolePut(e *entry, c *command.RolePut) (*gallery.RoleDefinition, error) {
	row := c.Role
	name := string(row.ID)
	old := e.Role(row.ID)
	var etag uint64
	if old != nil {
		etag = old.ETag
	}
	if err := check(c.If, name, etag); err != nil {
		return nil, err
	}
	if err := e.fitRole(&row, old); err != nil {
		return nil, err
	}
	row.Created, row.CreatedBy = e.Now(), e.Principal
	if old != nil {
		row.Created, row.CreatedBy = old.Created, old.CreatedBy
	}
	row.ETag, row.Updated, row.UpdatedBy = e.Index(), e.Now(), e.Principal
	state.Put(e.Tx, &row)
	return &row, nil
}

func (e *entry) fitRole(row, old *gallery.RoleDefinition) error {
	name := string(row.ID)
	if _, is := rbac.BuiltInByID(name); is {
		return fail(gallery.ErrNotAllowed, name, "a built-in role cannot be changed")
	}
	if old != nil && old.Tenant != row.Tenant {
		return &gallery.Error{Kind: gallery.ErrImmutable, Resource: name, Field: "tenant", Message: "a role stays with its tenant"}
	}
	if e.Tenant(row.Tenant) == nil {
		return invalid(name, "tenant", "no tenant %s", row.Tenant)
	}
	if _, is := rbac.BuiltInByName(row.Name); is {
		return conflict(name, "properties.roleName", "a built-in role has this name")
	}
	if twin := e.RoleByName(row.Tenant, row.Name); twin != nil && twin.ID != row.ID {
		return conflict(name, "properties.roleName", "role "+string(twin.ID)+" has this name")
	}
	if old == nil && len(e.Roles(row.Tenant)) >= gallery.MaxRoles {
		return fail(gallery.ErrQuota, name, "a tenant has at most %d roles of its own", gallery.MaxRoles)
	}
	return nil
}

func roleDelete(e *entry, c *command.RoleDelete) (*none, error) {
	row := e.Role(c.ID)
	if row == nil {
		return nil, notFound("role definition", c.ID)
	}
	if err := check(c.If, string(c.ID), row.ETag); err != nil {
		return nil, err
	}
	if used := e.AssignmentsOfRole(c.ID); len(used) > 0 {
		return nil, fail(gallery.ErrInUse, string(c.ID), "it is assigned by %s",
			some(used, "role assignment", func(a *gallery.RoleAssignment) string { return string(a.ID) }))
	}
	state.Delete(e.Tx, row)
	return nil, nil
}

func assignmentPut(e *entry, c *command.AssignmentPut) (*gallery.RoleAssignment, error) {
	row := c.Assignment
	name := string(row.ID)
	old := e.Assignment(row.Scope, row.ID)
	var etag uint64
	if old != nil {
		etag = old.ETag
	}
	if err := check(c.If, name, etag); err != nil {
		return nil, err
	}
	row.Created, row.CreatedBy = e.Now(), e.Principal
	if old != nil {
		if err := row.CheckUpdate(old); err != nil {
			return nil, named(err, name)
		}
		row.Scope, row.PrincipalKind, row.Created, row.CreatedBy = old.Scope, old.PrincipalKind, old.Created, old.CreatedBy
	} else if err := e.newAssignment(&row); err != nil {
		return nil, err
	}
	row.ETag, row.Updated, row.UpdatedBy = e.Index(), e.Now(), e.Principal
	state.Put(e.Tx, &row)
	return &row, nil
}

// newAssignment checks and completes an assignment that is created.
func (e *entry) newAssignment(row *gallery.RoleAssignment) error {
	name := string(row.ID)
	p := e.View.Principal(row.Principal)
	if p == nil {
		return invalid(name, "properties.principalId", "no principal %s", row.Principal)
	}
	if row.PrincipalKind != "" && row.PrincipalKind != p.Kind {
		return invalid(name, "properties.principalType", "principal %s is a %s", p.ID, p.Kind)
	}
	row.PrincipalKind = p.Kind
	if _, is := rbac.BuiltInByID(string(row.Role)); !is {
		if r := e.Role(row.Role); r == nil || r.Tenant != row.Tenant {
			return invalid(name, "properties.roleDefinitionId", "no role %s", row.Role)
		}
	}
	sub, in := subscriptionOf(row.Scope)
	if in {
		if s := e.Subscription(sub); s == nil || s.Tenant != row.Tenant {
			return notFound("subscription", sub)
		}
	}
	if twin := e.AssignmentOf(row.Principal, row.Role, row.Scope); twin != nil {
		return fail(gallery.ErrAssignmentExists, name, "the role assignment already exists; its id is %s", twin.ID)
	}
	limit := gallery.RootScope
	if in {
		limit = sub.Scope()
	}
	if len(e.AssignmentsUnder(limit)) >= gallery.MaxAssignments {
		return fail(gallery.ErrQuota, name, "at most %d role assignments in %s", gallery.MaxAssignments, limit)
	}
	return nil
}

// subscriptionOf returns the subscription that a scope lies in.
func subscriptionOf(scope string) (gallery.SubscriptionID, bool) {
	rest, ok := strings.CutPrefix(gallery.FoldScope(scope), "/subscriptions/")
	if !ok {
		return "", false
	}
	id, _, _ := strings.Cut(rest, "/")
	return gallery.SubscriptionID(id), true
}

func assignmentDelete(e *entry, c *command.AssignmentDelete) (*gallery.RoleAssignment, error) {
	row := e.Assignment(c.Scope, c.ID)
	if row == nil {
		return nil, notFound("role assignment", c.ID)
	}
	if err := check(c.If, string(c.ID), row.ETag); err != nil {
		return nil, err
	}
	state.Delete(e.Tx, row)
	return row, nil
}

// dropGrants takes away the role assignments at a scope that is going, and below: what is made anew under the name begins without.
func (e *entry) dropGrants(scope string) {
	for _, a := range e.AssignmentsUnder(scope) {
		state.Delete(e.Tx, a)
	}
}
