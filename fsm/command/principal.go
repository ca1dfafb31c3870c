package command

import "loggia/gallery"

func principalDefs() []Def {
	return from(2,
		def[PrincipalPut, *PrincipalPut, gallery.Principal](KindPrincipalPut, "principal.put"),
		def[PrincipalDelete, *PrincipalDelete, noValue](KindPrincipalDelete, "principal.delete"),
		def[PrincipalAddSecret, *PrincipalAddSecret, gallery.Principal](KindPrincipalAddSecret, "principal.addSecret"),
		def[PrincipalRemoveSecret, *PrincipalRemoveSecret, gallery.Principal](KindPrincipalRemoveSecret, "principal.removeSecret"),
		def[PrincipalSetDisabled, *PrincipalSetDisabled, gallery.Principal](KindPrincipalSetDisabled, "principal.setDisabled"),
		def[PrincipalSetMember, *PrincipalSetMember, gallery.Principal](KindPrincipalSetMember, "principal.setMember"),
		def[ACLBootstrap, *ACLBootstrap, gallery.Principal](KindACLBootstrap, "acl.bootstrap"),
	)
}

// PrincipalPut creates or replaces a principal. A client id, an external identity or a user name that another one has gives
// ErrConflict; kind, tenant and client id never change. On an update the secrets are kept: two people who add one
// each must not lose one. Its result is the *gallery.Principal.
type PrincipalPut struct {
	Principal gallery.Principal `cbor:"1,keyasint"`
	If        Precondition      `cbor:"2,keyasint,omitzero"`
}

// PrincipalDelete removes a principal with its role assignments and the access tokens that it owns.
type PrincipalDelete struct {
	ID gallery.PrincipalID `cbor:"1,keyasint"`
	If Precondition        `cbor:"2,keyasint,omitzero"`
}

// PrincipalAddSecret adds a secret to a service principal; expired ones go where there is no room. Its result is the *gallery.Principal.
type PrincipalAddSecret struct {
	ID     gallery.PrincipalID `cbor:"1,keyasint"`
	Secret gallery.Secret      `cbor:"2,keyasint"` // Created is set by the machine
}

// PrincipalRemoveSecret removes a secret. Its result is the *gallery.Principal.
type PrincipalRemoveSecret struct {
	ID     gallery.PrincipalID `cbor:"1,keyasint"`
	Secret string              `cbor:"2,keyasint"` // its id
}

// PrincipalSetDisabled takes a principal's rights and tokens away, or gives them back. Its result is the *gallery.Principal.
type PrincipalSetDisabled struct {
	ID       gallery.PrincipalID `cbor:"1,keyasint"`
	Disabled bool                `cbor:"2,keyasint,omitempty"`
}

// PrincipalSetMember makes a principal a member of a group of its tenant, or no longer one. Its result is the *gallery.Principal.
type PrincipalSetMember struct {
	ID     gallery.PrincipalID `cbor:"1,keyasint"`
	Group  gallery.PrincipalID `cbor:"2,keyasint"`
	Member bool                `cbor:"3,keyasint,omitempty"`
}

// ACLBootstrap makes the first owner, once in the life of a cluster (ErrConflict after): a service principal of the default tenant
// that is Owner of everything. Its result is the *gallery.Principal.
type ACLBootstrap struct {
	Principal  gallery.Principal    `cbor:"1,keyasint"`
	Assignment gallery.AssignmentID `cbor:"2,keyasint"`
	Role       gallery.RoleID       `cbor:"3,keyasint"` // Owner's id
}

func (*PrincipalPut) Kind() Kind          { return KindPrincipalPut }
func (*PrincipalDelete) Kind() Kind       { return KindPrincipalDelete }
func (*PrincipalAddSecret) Kind() Kind    { return KindPrincipalAddSecret }
func (*PrincipalRemoveSecret) Kind() Kind { return KindPrincipalRemoveSecret }
func (*PrincipalSetDisabled) Kind() Kind  { return KindPrincipalSetDisabled }
func (*PrincipalSetMember) Kind() Kind    { return KindPrincipalSetMember }
func (*ACLBootstrap) Kind() Kind          { return KindACLBootstrap }

// Check implements Command.
func (c *PrincipalPut) Check() error { return c.Principal.Validate() }

// Check implements Command.
func (c *PrincipalDelete) Check() error { return checkID("id", c.ID) }

// Check implements Command.
func (c *PrincipalAddSecret) Check() error { return first(checkID("id", c.ID), c.Secret.Validate()) }

// Check implements Command.
func (c *PrincipalRemoveSecret) Check() error {
	return first(checkID("id", c.ID), checkID("secret", c.Secret))
}

// Check implements Command.
func (c *PrincipalSetDisabled) Check() error { return checkID("id", c.ID) }

// Check implements Command.
func (c *PrincipalSetMember) Check() error {
	if c.ID == c.Group {
		return invalid("group", "a group is no member of itself")
	}
	return first(checkID("id", c.ID), checkID("group", c.Group))
}

// Check implements Command.
func (c *ACLBootstrap) Check() error {
	if c.Principal.Kind != gallery.KindServicePrincipal {
		return invalid("kind", "a service principal")
	}
	return first(c.Principal.Validate(), checkID("assignment", c.Assignment), checkID("role", c.Role))
}
