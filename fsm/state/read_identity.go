package state

import (
	"slices"

	"loggia/gallery"
)

// DefaultName is the display name of the tenant and the subscription that every cluster has.
const DefaultName = "default"

// Tenant returns one tenant. The default one is there as soon as the cluster is founded.
func (v *View) Tenant(id gallery.TenantID) *gallery.Tenant {
	if t := find(v, tenants, key(id)); t != nil {
		return t
	}
	if c := v.Cluster(); c != nil && c.Tenant == id {
		return &gallery.Tenant{ID: id, Name: DefaultName, Created: c.Created}
	}
	return nil
}

// Tenants returns all tenants.
func (v *View) Tenants() []*gallery.Tenant {
	all := list(v, tenants, "id", nil)
	if c := v.Cluster(); c != nil && find(v, tenants, key(c.Tenant)) == nil {
		all = append(all, v.Tenant(c.Tenant))
	}
	return all
}

// Subscription returns one subscription. The default one is there as soon as the cluster is founded.
func (v *View) Subscription(id gallery.SubscriptionID) *gallery.Subscription {
	if s := find(v, subscriptions, key(id)); s != nil {
		return s
	}
	if c := v.Cluster(); c != nil && c.Subscription == id {
		return &gallery.Subscription{ID: id, Tenant: c.Tenant, Name: DefaultName, Created: c.Created}
	}
	return nil
}

// Subscriptions returns the subscriptions of a tenant, all for an empty one.
func (v *View) Subscriptions(tenant gallery.TenantID) []*gallery.Subscription {
	all := list(v, subscriptions, "id", nil)
	if c := v.Cluster(); c != nil && find(v, subscriptions, key(c.Subscription)) == nil {
		all = append(all, v.Subscription(c.Subscription))
	}
	return slices.DeleteFunc(all, func(s *gallery.Subscription) bool { return tenant != "" && s.Tenant != tenant })
}

// Group returns one resource group.
func (v *View) Group(ref gallery.GroupRef) *gallery.ResourceGroup {
	return find(v, groups, groupKey(ref))
}

// Groups returns the resource groups of a subscription.
func (v *View) Groups(sub gallery.SubscriptionID) []*gallery.ResourceGroup {
	return list(v, groups, "id", key(sub))
}

// GroupsDeleting returns the resource groups that are being deleted.
func (v *View) GroupsDeleting() []*gallery.ResourceGroup { return list(v, groups, "deleting", nil) }

// GalleriesOfGroup returns the galleries of a resource group. It looks at every gallery of the subscription.
func (v *View) GalleriesOfGroup(ref gallery.GroupRef) []*gallery.Gallery {
	return slices.DeleteFunc(v.Galleries(ref.Subscription), func(g *gallery.Gallery) bool { return g.Group().Fold() != ref.Fold() })
}

// Principal returns one principal.
func (v *View) Principal(id gallery.PrincipalID) *gallery.Principal {
	return find(v, principals, key(id))
}

// PrincipalByApp returns the service principal with a client id.
func (v *View) PrincipalByApp(id gallery.AppID) *gallery.Principal {
	return findBy(v, principals, "app", key(id))
}

// UserByExternal returns the user for whom an outside issuer vouches.
func (v *View) UserByExternal(e gallery.ExternalIdentity) *gallery.Principal {
	return findBy(v, principals, "external", externalKey(false, e))
}

// GroupByExternal returns the group that a value of an outside issuer's group claim names.
func (v *View) GroupByExternal(e gallery.ExternalIdentity) *gallery.Principal {
	return findBy(v, principals, "external", externalKey(true, e))
}

// UserByName returns the user of a tenant with a user name; case does not count.
func (v *View) UserByName(tenant gallery.TenantID, name string) *gallery.Principal {
	return findBy(v, principals, "userName", nameKey(tenant, name))
}

// Principals returns the principals of a tenant, all for an empty one.
func (v *View) Principals(tenant gallery.TenantID) []*gallery.Principal {
	return slices.DeleteFunc(list(v, principals, "id", nil), func(p *gallery.Principal) bool { return tenant != "" && p.Tenant != tenant })
}

// Members returns the direct members of a group.
func (v *View) Members(group gallery.PrincipalID) []*gallery.Principal {
	return list(v, principals, "group", key(group))
}

// GroupsOf returns the groups that a principal is in, directly or not: those in `also` (told by an outside issuer) count like its own.
// Groups that are disabled, of another tenant or gone give nothing. At most gallery.MaxGroupClosure, through at most
// gallery.MaxGroupDepth levels; nearest first.
func (v *View) GroupsOf(p *gallery.Principal, also ...gallery.PrincipalID) []gallery.PrincipalID {
	var out []gallery.PrincipalID
	seen := map[gallery.PrincipalID]bool{p.ID: true}
	level := append(slices.Clone(p.Groups), also...)
	for depth := 0; depth < gallery.MaxGroupDepth && len(level) > 0; depth++ {
		var next []gallery.PrincipalID
		for _, id := range level {
			g := v.Principal(id)
			if seen[id] || g == nil || g.Kind != gallery.KindGroup || g.Disabled || g.Tenant != p.Tenant {
				continue
			}
			if len(out) == gallery.MaxGroupClosure {
				return out
			}
			seen[id] = true
			out = append(out, id)
			next = append(next, g.Groups...)
		}
		level = next
	}
	return out
}

// Role returns one role that a tenant made.
func (v *View) Role(id gallery.RoleID) *gallery.RoleDefinition { return find(v, roles, key(id)) }

// RoleByName returns a tenant's own role with a name; case does not count.
func (v *View) RoleByName(tenant gallery.TenantID, name string) *gallery.RoleDefinition {
	return findBy(v, roles, "name", nameKey(tenant, name))
}

// Roles returns the roles that a tenant made, all for an empty one.
func (v *View) Roles(tenant gallery.TenantID) []*gallery.RoleDefinition {
	return slices.DeleteFunc(list(v, roles, "id", nil), func(r *gallery.RoleDefinition) bool { return tenant != "" && r.Tenant != tenant })
}

// Assignment returns one role assignment at a scope.
func (v *View) Assignment(scope string, id gallery.AssignmentID) *gallery.RoleAssignment {
	return find(v, assignments, assignmentKey(scope, id))
}

// AssignmentsOf returns the role assignments of a principal itself, by role.
func (v *View) AssignmentsOf(id gallery.PrincipalID) []*gallery.RoleAssignment {
	return list(v, assignments, "grant", key(id))
}

// AssignmentOf returns the assignment of a role to a principal at a scope.
func (v *View) AssignmentOf(id gallery.PrincipalID, role gallery.RoleID, scope string) *gallery.RoleAssignment {
	return findBy(v, assignments, "grant", grantKey(&gallery.RoleAssignment{Principal: id, Role: role, Scope: scope}))
}

// AssignmentsAt returns the role assignments at a scope, not those above or below.
func (v *View) AssignmentsAt(scope string) []*gallery.RoleAssignment {
	return list(v, assignments, "id", atScopeKey(scope))
}

// AssignmentsUnder returns the role assignments at a scope and below.
func (v *View) AssignmentsUnder(scope string) []*gallery.RoleAssignment {
	return list(v, assignments, "id", scopeKey(scope))
}

// AssignmentsOfRole returns the assignments of a role. It looks at every assignment.
func (v *View) AssignmentsOfRole(id gallery.RoleID) []*gallery.RoleAssignment {
	return slices.DeleteFunc(v.AssignmentsUnder(gallery.RootScope), func(a *gallery.RoleAssignment) bool { return a.Role != id })
}

// Issuer returns one outside issuer.
func (v *View) Issuer(id gallery.IssuerID) *gallery.Issuer { return find(v, issuers, key(id)) }

// Issuers returns all outside issuers.
func (v *View) Issuers() []*gallery.Issuer { return list(v, issuers, "id", nil) }

// SigningKey returns one signing key.
func (v *View) SigningKey(id string) *gallery.SigningKey { return find(v, signingKeys, key(id)) }

// SigningKeys returns all signing keys, oldest first.
func (v *View) SigningKeys() []*gallery.SigningKey {
	all := list(v, signingKeys, "id", nil)
	slices.SortStableFunc(all, func(a, b *gallery.SigningKey) int { return a.Created.Compare(b.Created) })
	return all
}
