package machine

import (
	"slices"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/gallery/rbac"
)

func principalPut(e *entry, c *command.PrincipalPut) (*gallery.Principal, error) {
	row := c.Principal
	name := string(row.ID)
	old := e.View.Principal(row.ID)
	var etag uint64
	if old != nil {
		etag = old.ETag
	}
	if err := check(c.If, name, etag); err != nil {
		return nil, err
	}
	if old != nil {
		if err := row.CheckUpdate(old); err != nil {
			return nil, named(err, name)
		}
		row.Secrets, row.Created = old.Secrets, old.Created
	}
	if err := e.fitPrincipal(&row, old); err != nil {
		return nil, err
	}
	if old == nil {
		e.newPrincipal(&row)
	}
	e.putPrincipal(&row)
	return &row, nil
}

func (e *entry) newPrincipal(row *gallery.Principal) {
	row.Created = e.Now()
	row.Secrets = slices.Clone(row.Secrets)
	for i := range row.Secrets {
		row.Secrets[i].Created, row.Secrets[i].Expires = e.Now(), row.Secrets[i].Expires.UTC()
	}
}

func (e *entry) putPrincipal(row *gallery.Principal) {
	row.ETag, row.Updated = e.Index(), e.Now()
	state.Put(e.Tx, row)
}

// fitPrincipal checks a principal against all others.
func (e *entry) fitPrincipal(row, old *gallery.Principal) error {
	name := string(row.ID)
	if e.Tenant(row.Tenant) == nil {
		return invalid(name, "tenant", "no tenant %s", row.Tenant)
	}
	taken := func(p *gallery.Principal) bool { return p != nil && p.ID != row.ID }
	if row.AppID != "" && taken(e.PrincipalByApp(row.AppID)) {
		return conflict(name, "appId", "another principal has it")
	}
	if row.UserName != "" && taken(e.UserByName(row.Tenant, row.UserName)) {
		return conflict(name, "userName", "another user has it")
	}
	if x := row.External; x != nil {
		is := e.Issuer(x.Issuer)
		if (old == nil || old.External == nil || *old.External != *x) && (is == nil || is.Tenant != row.Tenant) {
			return invalid(name, "external.issuer", "no issuer %s", x.Issuer)
		}
		if row.Kind == gallery.KindUser && taken(e.UserByExternal(*x)) || row.Kind == gallery.KindGroup && taken(e.GroupByExternal(*x)) {
			return conflict(name, "external", "another principal has it")
		}
	}
	for _, g := range row.Groups {
		if old != nil && slices.Contains(old.Groups, g) {
			continue
		}
		if err := e.groupOf(row, g); err != nil {
			return err
		}
	}
	return nil
}

func conflict(resource, field, message string) error {
	return &gallery.Error{Kind: gallery.ErrConflict, Resource: resource, Field: field, Message: message}
}

// groupOf checks that a principal may be a member of a group.
func (e *entry) groupOf(p *gallery.Principal, id gallery.PrincipalID) error {
	if g := e.View.Principal(id); g == nil || g.Kind != gallery.KindGroup || g.Tenant != p.Tenant {
		return invalid(string(p.ID), "groups", "no group %s in its tenant", id)
	}
	return nil
}

// changePrincipal writes a changed copy of a principal.
func (e *entry) changePrincipal(id gallery.PrincipalID, change func(*gallery.Principal) error) (*gallery.Principal, error) {
	old := e.View.Principal(id)
	if old == nil {
		return nil, notFound("principal", id)
	}
	row := *old
	if err := change(&row); err != nil {
		return nil, err
	}
	e.putPrincipal(&row)
	return &row, nil
}

func principalDelete(e *entry, c *command.PrincipalDelete) (*none, error) {
	row := e.View.Principal(c.ID)
	if row == nil {
		return nil, notFound("principal", c.ID)
	}
	if err := check(c.If, string(c.ID), row.ETag); err != nil {
		return nil, err
	}
	for _, a := range e.AssignmentsOf(c.ID) {
		state.Delete(e.Tx, a)
	}
	for _, t := range e.AccessTokens() {
		if t.Owner == c.ID {
			state.Delete(e.Tx, t)
		}
	}
	for _, m := range e.Members(c.ID) {
		member := *m
		member.Groups = without(m.Groups, c.ID)
		e.putPrincipal(&member)
	}
	state.Delete(e.Tx, row)
	return nil, nil
}

func without[T comparable](list []T, x T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(y T) bool { return x == y })
}

func principalAddSecret(e *entry, c *command.PrincipalAddSecret) (*gallery.Principal, error) {
	return e.changePrincipal(c.ID, func(row *gallery.Principal) error {
		name := string(row.ID)
		if row.Kind != gallery.KindServicePrincipal {
			return fail(gallery.ErrNotAllowed, name, "only service principals have secrets")
		}
		if row.Secret(c.Secret.ID) != nil {
			return conflict(name, "secret.id", "it has a secret with this id")
		}
		row.Secrets = slices.Clone(row.Secrets)
		if len(row.Secrets) >= gallery.MaxSecrets {
			row.Secrets = slices.DeleteFunc(row.Secrets, func(s gallery.Secret) bool { return s.Expired(e.Now()) })
		}
		if len(row.Secrets) >= gallery.MaxSecrets {
			return fail(gallery.ErrQuota, name, "at most %d secrets", gallery.MaxSecrets)
		}
		s := c.Secret
		s.Created, s.Expires = e.Now(), s.Expires.UTC()
		row.Secrets = append(row.Secrets, s)
		return nil
	})
}

func principalRemoveSecret(e *entry, c *command.PrincipalRemoveSecret) (*gallery.Principal, error) {
	return e.changePrincipal(c.ID, func(row *gallery.Principal) error {
		if row.Secret(c.Secret) == nil {
			return notFound("secret", c.Secret)
		}
		row.Secrets = slices.DeleteFunc(slices.Clone(row.Secrets), func(s gallery.Secret) bool { return s.ID == c.Secret })
		return nil
	})
}

func principalSetDisabled(e *entry, c *command.PrincipalSetDisabled) (*gallery.Principal, error) {
	return e.changePrincipal(c.ID, func(row *gallery.Principal) error {
		row.Disabled = c.Disabled
		return nil
	})
}

func principalSetMember(e *entry, c *command.PrincipalSetMember) (*gallery.Principal, error) {
	return e.changePrincipal(c.ID, func(row *gallery.Principal) error {
		row.Groups = without(row.Groups, c.Group)
		if !c.Member {
			return nil
		}
		if len(row.Groups) >= gallery.MaxGroups {
			return fail(gallery.ErrQuota, string(row.ID), "at most %d direct memberships", gallery.MaxGroups)
		}
		row.Groups = append(row.Groups, c.Group)
		return e.groupOf(row, c.Group)
	})
}

func aclBootstrap(e *entry, c *command.ACLBootstrap) (*gallery.Principal, error) {
	cluster := e.Cluster()
	if cluster == nil {
		return nil, notFound("cluster", "")
	}
	if !cluster.Bootstrapped.IsZero() {
		return nil, fail(gallery.ErrConflict, string(cluster.ID), "the first owner was made on %s", cluster.Bootstrapped.Format("2006-01-02T15:04:05Z"))
	}
	row := c.Principal
	name := string(row.ID)
	switch {
	case row.Tenant != cluster.Tenant:
		return nil, invalid(name, "tenant", "the default tenant %s", cluster.Tenant)
	case c.Role != rbac.Owner:
		return nil, invalid(name, "role", "Owner, %s", rbac.Owner)
	case e.View.Principal(row.ID) != nil || e.Assignment(gallery.RootScope, c.Assignment) != nil:
		return nil, fail(gallery.ErrConflict, name, "the id is taken")
	}
	if err := e.fitPrincipal(&row, nil); err != nil {
		return nil, err
	}
	e.newPrincipal(&row)
	e.putPrincipal(&row)
	state.Put(e.Tx, &gallery.RoleAssignment{ID: c.Assignment, Tenant: row.Tenant, Scope: gallery.RootScope, Principal: row.ID, PrincipalKind: row.Kind,
		Role: c.Role, Description: "first owner", ETag: e.Index(), Created: e.Now(), CreatedBy: e.Principal, Updated: e.Now(), UpdatedBy: e.Principal})
	founded := *cluster
	founded.Bootstrapped = e.Now()
	state.Put(e.Tx, &founded)
	return &row, nil
}
