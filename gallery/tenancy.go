package gallery

import (
	"strings"
	"time"
)

// Tenant is an organisation: the border of identities and of deduplication.
type Tenant struct {
	ID      TenantID  `cbor:"1,keyasint"`
	Name    string    `cbor:"2,keyasint,omitempty"`
	Created time.Time `cbor:"3,keyasint,omitzero"`
	ETag    uint64    `cbor:"4,keyasint"`
}

// Subscription holds the resource groups of one tenant, to which it belongs for ever.
type Subscription struct {
	ID      SubscriptionID `cbor:"1,keyasint"`
	Tenant  TenantID       `cbor:"2,keyasint"`
	Name    string         `cbor:"3,keyasint,omitempty"`
	Created time.Time      `cbor:"4,keyasint,omitzero"`
	ETag    uint64         `cbor:"5,keyasint"`
}

// GroupName is the name of a resource group, as first written. It is unique in its subscription; case does not count.
type GroupName string

// Fold returns the name as keys and comparisons use it.
func (n GroupName) Fold() GroupName { return GroupName(strings.ToLower(string(n))) }

// ParseGroupName checks a resource group's name and keeps its case.
func ParseGroupName(s string) (GroupName, error) {
	if !validGroup(s) {
		return "", invalid("name", ruleGroup)
	}
	return GroupName(s), nil
}

// GroupRef names a resource group. Compare refs only after Fold.
type GroupRef struct {
	Subscription SubscriptionID `cbor:"1,keyasint"`
	Group        GroupName      `cbor:"2,keyasint"`
}

// Fold returns the ref as keys and comparisons use it.
func (r GroupRef) Fold() GroupRef { return GroupRef{r.Subscription, r.Group.Fold()} }

// String writes the group's name.
func (r GroupRef) String() string { return string(r.Group) }

// IsDefault says whether it is the group of whatever names none: it is made when something first needs it.
func (r GroupRef) IsDefault() bool { return r.Group.Fold() == DefaultGroup }

// ResourceGroup holds galleries and snapshots that live and go together.
type ResourceGroup struct {
	Ref       GroupRef          `cbor:"1,keyasint"`
	Location  RegionName        `cbor:"2,keyasint"` // immutable
	Tags      map[string]string `cbor:"3,keyasint,omitempty"`
	ManagedBy string            `cbor:"4,keyasint,omitempty"`
	Deleting  bool              `cbor:"5,keyasint,omitempty"` // nothing new comes in; what is inside goes, then the group
	Operation OperationID       `cbor:"6,keyasint,omitempty"` // of the deletion
	ETag      uint64            `cbor:"7,keyasint"`
	Created   time.Time         `cbor:"8,keyasint,omitzero"`
	Updated   time.Time         `cbor:"9,keyasint,omitzero"`
	CreatedBy string            `cbor:"10,keyasint,omitempty"`
	UpdatedBy string            `cbor:"11,keyasint,omitempty"`
}

const maxDisplay = 256

// Validate checks what needs no other row.
func (t *Tenant) Validate() error {
	var f faults
	f.id("id", string(t.ID))
	f.text("name", t.Name, maxDisplay)
	return f.err()
}

// Validate checks what needs no other row.
func (s *Subscription) Validate() error {
	var f faults
	f.id("id", string(s.ID))
	f.id("tenant", string(s.Tenant))
	f.text("name", s.Name, maxDisplay)
	return f.err()
}

func (f *faults) group(r GroupRef) {
	f.id("subscription", string(r.Subscription))
	f.unless(validGroup(string(r.Group)), "resourceGroup", ruleGroup)
}

// Validate checks what needs no other row.
func (r GroupRef) Validate() error {
	var f faults
	f.group(r)
	return f.err()
}

// Validate checks what needs no other row.
func (g *ResourceGroup) Validate() error {
	var f faults
	f.group(g.Ref)
	f.region("location", g.Location)
	f.text("managedBy", g.ManagedBy, MaxScope)
	f.tags(g.Tags)
	return f.err()
}

// CheckUpdate says what of g may not follow old: an *Error of kind ErrImmutable, or nil.
func (g *ResourceGroup) CheckUpdate(old *ResourceGroup) error {
	f := faults{kind: ErrImmutable}
	f.same(g.Location == old.Location, "location")
	f.same(old.ManagedBy == "" || g.ManagedBy == old.ManagedBy, "managedBy")
	return f.err()
}
