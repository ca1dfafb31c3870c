package command

import "loggia/gallery"

func roleDefs() []Def {
	return from(2,
		def[RolePut, *RolePut, gallery.RoleDefinition](KindRolePut, "roleDefinition.put"),
		def[RoleDelete, *RoleDelete, noValue](KindRoleDelete, "roleDefinition.delete"),
		def[AssignmentPut, *AssignmentPut, gallery.RoleAssignment](KindAssignmentPut, "roleAssignment.put"),
		def[AssignmentDelete, *AssignmentDelete, gallery.RoleAssignment](KindAssignmentDelete, "roleAssignment.delete"),
	)
}

// RolePut creates or replaces a role of a tenant; the caller has asked gallery/rbac about its patterns. A name that another role of
// the tenant or a built-in one has gives ErrConflict. Its result is the *gallery.RoleDefinition.
type RolePut struct {
	Role gallery.RoleDefinition `cbor:"1,keyasint"`
	If   Precondition           `cbor:"2,keyasint,omitzero"`
}

// RoleDelete removes a role of a tenant that nobody is assigned (else ErrInUse).
type RoleDelete struct {
	ID gallery.RoleID `cbor:"1,keyasint"`
	If Precondition   `cbor:"2,keyasint,omitzero"`
}

// AssignmentPut gives a principal a role at a scope, or describes an assignment anew. The same grant under another id gives
// ErrAssignmentExists. Its result is the *gallery.RoleAssignment.
type AssignmentPut struct {
	Assignment gallery.RoleAssignment `cbor:"1,keyasint"`
	If         Precondition           `cbor:"2,keyasint,omitzero"`
}

// AssignmentDelete takes a role away. Its result is the *gallery.RoleAssignment that was.
type AssignmentDelete struct {
	Scope string               `cbor:"1,keyasint"`
	ID    gallery.AssignmentID `cbor:"2,keyasint"`
	If    Precondition         `cbor:"3,keyasint,omitzero"`
}

func (*RolePut) Kind() Kind          { return KindRolePut }
func (*RoleDelete) Kind() Kind       { return KindRoleDelete }
func (*AssignmentPut) Kind() Kind    { return KindAssignmentPut }
func (*AssignmentDelete) Kind() Kind { return KindAssignmentDelete }

// Check implements Command.
func (c *RolePut) Check() error { return c.Role.Validate() }

// Check implements Command.
func (c *RoleDelete) Check() error { return checkID("id", c.ID) }

// Check implements Command.
func (c *AssignmentPut) Check() error { return c.Assignment.Validate() }

// Check implements Command.
func (c *AssignmentDelete) Check() error {
	if !gallery.ValidScope(c.Scope) {
		return invalid("scope", "a canonical id")
	}
	return checkID("id", c.ID)
}
