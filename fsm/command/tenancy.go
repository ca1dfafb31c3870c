package command

import "loggia/gallery"

func tenancyDefs() []Def {
	return from(2,
		def[TenantPut, *TenantPut, gallery.Tenant](KindTenantPut, "tenant.put"),
		def[SubscriptionPut, *SubscriptionPut, gallery.Subscription](KindSubscriptionPut, "subscription.put"),
		def[SubscriptionDelete, *SubscriptionDelete, noValue](KindSubscriptionDelete, "subscription.delete"),
		def[GroupPut, *GroupPut, gallery.ResourceGroup](KindGroupPut, "group.put"),
		def[GroupDelete, *GroupDelete, GroupDeleted](KindGroupDelete, "group.delete"),
		def[GroupSweep, *GroupSweep, GroupDeleted](KindGroupSweep, "group.sweep"),
	)
}

// TenantPut adds a tenant or names it anew. Its result is the *gallery.Tenant.
type TenantPut struct {
	Tenant gallery.Tenant `cbor:"1,keyasint"` // ETag and Created are the machine's
	If     Precondition   `cbor:"2,keyasint,omitzero"`
}

// SubscriptionPut adds a subscription or names it anew; its tenant must be there and never changes. Its result is
// the *gallery.Subscription.
type SubscriptionPut struct {
	Subscription gallery.Subscription `cbor:"1,keyasint"`
	If           Precondition         `cbor:"2,keyasint,omitzero"`
}

// SubscriptionDelete removes a subscription that holds nothing (else ErrInUse) with the role assignments in it. The
// default one stays (ErrNotAllowed).
type SubscriptionDelete struct {
	ID gallery.SubscriptionID `cbor:"1,keyasint"`
	If Precondition           `cbor:"2,keyasint,omitzero"`
}

// GroupPut creates or replaces a resource group; its location never changes (ErrImmutable), and while it is being deleted it
// cannot be written (ErrDeleting). Its result is the *gallery.ResourceGroup.
type GroupPut struct {
	Group gallery.ResourceGroup `cbor:"1,keyasint"`
	If    Precondition          `cbor:"2,keyasint,omitzero"`
}

// GroupDelete removes a resource group with all that it holds. Of what is inside, MaxGroupSweep rows go with this command; while
// More is true the group is Deleting, nothing new comes in, and GroupSweep goes on. A version that is guarded until its end of
// life refuses the whole (ErrBlockedBeforeEOL). Its result is *GroupDeleted.
type GroupDelete struct {
	Ref gallery.GroupRef `cbor:"1,keyasint"`
	If  Precondition     `cbor:"2,keyasint,omitzero"`
}

// GroupSweep goes on with the deletion of a resource group. Only the leader proposes it. Its result is *GroupDeleted.
type GroupSweep struct {
	Ref gallery.GroupRef `cbor:"1,keyasint"`
}

// GroupDeleted counts what went with a resource group. More says that it is not empty yet.
type GroupDeleted struct {
	Count int  `cbor:"1,keyasint,omitempty"`
	More  bool `cbor:"2,keyasint,omitempty"`
}

// MaxGroupSweep bounds the rows that one command takes out of a resource group.
const MaxGroupSweep = 500

func (*TenantPut) Kind() Kind          { return KindTenantPut }
func (*SubscriptionPut) Kind() Kind    { return KindSubscriptionPut }
func (*SubscriptionDelete) Kind() Kind { return KindSubscriptionDelete }
func (*GroupPut) Kind() Kind           { return KindGroupPut }
func (*GroupDelete) Kind() Kind        { return KindGroupDelete }
func (*GroupSweep) Kind() Kind         { return KindGroupSweep }

// Check implements Command.
func (c *TenantPut) Check() error { return c.Tenant.Validate() }

// Check implements Command.
func (c *SubscriptionPut) Check() error { return c.Subscription.Validate() }

// Check implements Command.
func (c *SubscriptionDelete) Check() error { return checkID("id", c.ID) }

// Check implements Command.
func (c *GroupPut) Check() error { return c.Group.Validate() }

// Check implements Command.
func (c *GroupDelete) Check() error { return c.Ref.Validate() }

// Check implements Command.
func (c *GroupSweep) Check() error { return c.Ref.Validate() }
