package machine

import (
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func tenantPut(e *entry, c *command.TenantPut) (*gallery.Tenant, error) {
	row := c.Tenant
	row.Created = e.Now()
	var etag uint64
	if old := e.Tenant(row.ID); old != nil {
		etag, row.Created = old.ETag, old.Created
	}
	if err := check(c.If, string(row.ID), etag); err != nil {
		return nil, err
	}
	row.ETag = e.Index()
	state.Put(e.Tx, &row)
	return &row, nil
}

func subscriptionPut(e *entry, c *command.SubscriptionPut) (*gallery.Subscription, error) {
	row := c.Subscription
	name := string(row.ID)
	row.Created = e.Now()
	var etag uint64
	old := e.Subscription(row.ID)
	if old != nil {
		etag, row.Created = old.ETag, old.Created
	}
	if err := check(c.If, name, etag); err != nil {
		return nil, err
	}
	if old != nil && old.Tenant != row.Tenant {
		return nil, &gallery.Error{Kind: gallery.ErrImmutable, Resource: name, Field: "tenant", Message: "a subscription stays with its tenant"}
	}
	if e.Tenant(row.Tenant) == nil {
		return nil, invalid(name, "tenant", "no tenant %s", row.Tenant)
	}
	row.ETag = e.Index()
	state.Put(e.Tx, &row)
	return &row, nil
}

func subscriptionDelete(e *entry, c *command.SubscriptionDelete) (*none, error) {
	name := string(c.ID)
	row := e.Subscription(c.ID)
	if row == nil {
		return nil, notFound("subscription", c.ID)
	}
	if err := check(c.If, name, row.ETag); err != nil {
		return nil, err
	}
	if cl := e.Cluster(); cl != nil && cl.Subscription == c.ID {
		return nil, fail(gallery.ErrNotAllowed, name, "the cluster's default subscription stays")
	}
	groups := e.Groups(c.ID)
	for _, g := range groups {
		if !g.Ref.IsDefault() || !e.groupEmpty(g.Ref) {
			return nil, fail(gallery.ErrInUse, name, "it has %s", some(groups, "resource group", func(g *gallery.ResourceGroup) string { return g.Ref.String() }))
		}
	}
	for _, g := range groups {
		state.Delete(e.Tx, g)
	}
	e.dropGrants(c.ID.Scope())
	state.Delete(e.Tx, row)
	return nil, nil
}

// knows says whether every member of the cluster understands a cluster version. What a kind did before that version it
// must go on doing for entries from before: nodes that read them from the log must come to the state of those that did not.
func (e *entry) knows(version uint32) bool {
	c := e.Cluster()
	return c != nil && c.Version >= version
}

// introduce writes the rows that everything of cluster version 2 relies on: the default tenant and subscription, and the
// resource groups that galleries named before groups had rows.
func (e *entry) introduce(c *gallery.Cluster) {
	state.Put(e.Tx, &gallery.Tenant{ID: c.Tenant, Name: state.DefaultName, Created: c.Created, ETag: e.Index()})
	state.Put(e.Tx, &gallery.Subscription{ID: c.Subscription, Tenant: c.Tenant, Name: state.DefaultName, Created: c.Created, ETag: e.Index()})
	for _, g := range e.Galleries("") {
		if e.Group(g.Group()) == nil {
			e.makeGroup(g.Group(), g.Location)
		}
	}
}

func (e *entry) makeGroup(ref gallery.GroupRef, at gallery.RegionName) {
	state.Put(e.Tx, &gallery.ResourceGroup{Ref: ref, Location: at, ETag: e.Index(), Created: e.Now(), Updated: e.Now(),
		CreatedBy: e.Principal, UpdatedBy: e.Principal})
}
