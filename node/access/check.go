package access

import (
	"context"
	"fmt"
	"strings"

	"loggia/api/authn"
	"loggia/gallery"
	"loggia/gallery/rbac"
	"loggia/node/tokens"
)

// Check returns nil when the caller of the context may do action at scope, a canonical id. Its error is of the kind
// gallery.ErrForbidden and names client, object, action and scope; gallery.ErrUnauthenticated where nobody asks.
func (a *Access) Check(ctx context.Context, action, scope string) error {
	p, ok := authn.From(ctx)
	switch {
	case !ok:
		return refused("nobody asks")
	case p.Operator():
		return a.still(a.o.State(), p)
	}
	v := a.o.State()
	if err := a.still(v, p); err != nil {
		return err
	}
	d := rbac.Evaluate(assignments(v, p, tenantOf(v, scope)), action, false, scope)
	a.o.Log.Debug("access", "allowed", d.Allowed, "principal", p.ID, "action", action, "scope", scope, "why", d.Reason())
	if d.Allowed {
		return nil
	}
	return Forbidden(p, action, fmt.Sprintf("over scope '%s' or the scope is invalid", scope))
}

// still says whether what the caller showed when its request began is good at this moment: an answer may take long.
func (a *Access) still(v View, p authn.Principal) error {
	if p.Token != "" && v.AccessToken(p.Token) == nil {
		return refused("the access token is not known here")
	}
	if !p.Until.IsZero() && a.o.Now().After(p.Until.Add(tokens.Skew)) {
		return expired("the access token has expired")
	}
	if row := v.Principal(p.ID); !p.Operator() && (row == nil || row.Disabled) {
		return errGone
	}
	return nil
}

// Forbidden is the refusal in Azure's words; where says at what.
func Forbidden(p authn.Principal, action, where string) error {
	return &gallery.Error{Kind: gallery.ErrForbidden, Op: action, Message: fmt.Sprintf(
		"The client '%s' with object id '%s' does not have authorization to perform action '%s' %s. If access was recently granted, please refresh your credentials.",
		p.Client(), p.ID, action, where)}
}

// Sees says whether the subscription exists and the caller belongs to its tenant or has a right anywhere in it. Of one
// that it does not see the caller hears what it would hear of one that does not exist (S2).
func (a *Access) Sees(ctx context.Context, sub gallery.SubscriptionID) bool {
	p, ok := authn.From(ctx)
	v := a.o.State()
	tenant, there := subscriptionTenant(v, sub)
	if !ok || !there {
		return false
	}
	if p.Operator() || p.Tenant == tenant {
		return true
	}
	all := assignments(v, p, tenant)
	root := "/subscriptions/" + string(sub)
	for i := range all {
		if rbac.Covers(all[i].Scope, root) || rbac.Covers(root, all[i].Scope) {
			return true
		}
	}
	return false
}

// Is says whether actor, as the log remembers who asked, is the caller.
func (a *Access) Is(ctx context.Context, actor string) bool {
	p, ok := authn.From(ctx)
	return ok && (p.Operator() || actor == p.Actor())
}

// Permissions are what the caller may do at a scope.
func (a *Access) Permissions(ctx context.Context, scope string) []rbac.Permission {
	p, ok := authn.From(ctx)
	if !ok {
		return nil
	}
	if p.Operator() {
		return []rbac.Permission{{Actions: []string{"*"}}}
	}
	v := a.o.State()
	return rbac.Permissions(assignments(v, p, tenantOf(v, scope)), scope)
}

// Reach is where the caller may do action in a tenant: it answers for the many resources of a list.
func (a *Access) Reach(ctx context.Context, tenant gallery.TenantID, action string) rbac.Reach {
	p, ok := authn.From(ctx)
	switch {
	case !ok:
		return nil
	case p.Operator():
		return rbac.Reach{rbac.Root}
	}
	return rbac.Where(assignments(a.o.State(), p, tenant), action, false)
}

func subscriptionTenant(v View, sub gallery.SubscriptionID) (gallery.TenantID, bool) {
	if row := v.Subscription(sub); row != nil {
		return row.Tenant, true
	}
	return "", false
}

// tenantOf is the tenant whose assignments count at a scope: that of its subscription, and the default one, which is
// the cluster's own, at the root.
func tenantOf(v View, scope string) gallery.TenantID {
	segments := strings.SplitN(strings.TrimPrefix(scope, "/"), "/", 3)
	if len(segments) >= 2 && strings.EqualFold(segments[0], "subscriptions") {
		tenant, _ := subscriptionTenant(v, gallery.SubscriptionID(strings.ToLower(segments[1])))
		return tenant
	}
	if c := v.Cluster(); c != nil {
		return c.Tenant
	}
	return ""
}

// assignments gathers what a principal was given in a tenant, itself and through its groups. An assignment reaches no
// further than its tenant, be its scope the root: nobody is an owner of what belongs to others (S2).
func assignments(v View, p authn.Principal, tenant gallery.TenantID) []rbac.Assignment {
	var out []rbac.Assignment
	if tenant == "" {
		return nil
	}
	gather := func(id gallery.PrincipalID) {
		for _, row := range v.AssignmentsOf(id) {
			if row.Tenant != tenant {
				continue
			}
			if name, perms := role(v, row.Role, tenant); len(perms) > 0 {
				out = append(out, rbac.Assignment{ID: string(row.ID), Role: name, Scope: row.Scope, Permissions: perms})
			}
		}
	}
	gather(p.ID)
	for _, g := range p.Groups {
		gather(g)
	}
	return out
}

// role finds what a role gives: a built-in one, or one that the tenant defined.
func role(v View, id gallery.RoleID, tenant gallery.TenantID) (string, []rbac.Permission) {
	if b, ok := rbac.BuiltInByID(string(id)); ok {
		return b.Name, b.Permissions
	}
	row := v.Role(id)
	if row == nil || row.Tenant != tenant {
		return "", nil
	}
	out := make([]rbac.Permission, 0, len(row.Permissions))
	for _, p := range row.Permissions {
		out = append(out, rbac.Permission(p))
	}
	return row.Name, out
}
