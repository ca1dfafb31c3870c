package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"loggia/api/authn"
	"loggia/api/azure/armid"
	"loggia/api/v1"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/gallery/rbac"
	"loggia/node/tokens"
)

// Me implements manage.Identity.
func (s *Service) Me(ctx context.Context) (v1.Identity, error) {
	p, _ := authn.From(ctx)
	out := v1.Identity{ID: string(p.ID), Kind: string(p.Kind), Name: p.Name, ClientID: string(p.AppID), Tenant: string(p.Tenant), Expires: p.Until}
	if p.Operator() {
		out.Kind = "Operator"
	}
	out.Region = string(CallerOf(ctx).Region)
	if c := s.o.State().Cluster(); c != nil && visible(ctx, c.Tenant) {
		out.Subscription = string(c.Subscription)
	}
	for _, g := range p.Groups {
		out.Groups = append(out.Groups, string(g))
	}
	return out, nil
}

// tenant is whose principals the caller deals with: its own, or for the operator the one that is asked for, or the default one.
func (s *Service) tenant(ctx context.Context, asked string) (gallery.TenantID, error) {
	v := s.o.State()
	c, err := s.defaults(v)
	if err != nil {
		return "", err
	}
	p, _ := authn.From(ctx)
	own := p.Tenant
	if p.Operator() {
		own = c.Tenant
	}
	if asked == "" || asked == string(own) {
		return own, nil
	}
	if !p.Operator() || v.Tenant(gallery.TenantID(asked)) == nil {
		return "", notFound("find tenant", asked)
	}
	return gallery.TenantID(asked), nil
}

// visible says whether the caller deals with a tenant: the operator with all.
func visible(ctx context.Context, t gallery.TenantID) bool {
	p, ok := authn.From(ctx)
	return ok && (p.Operator() || p.Tenant == t)
}

// principal finds one by its object id, client id or user name, a group also by its name. A name that several have names
// none: people choose their names at outside issuers, and must not be taken for a group that somebody means.
func (s *Service) principal(ctx context.Context, v *state.View, name string) (*gallery.Principal, error) {
	tenant, err := s.tenant(ctx, "")
	if err != nil {
		return nil, err
	}
	id := strings.ToLower(name)
	if p := v.Principal(gallery.PrincipalID(id)); p != nil && visible(ctx, p.Tenant) {
		return p, nil
	}
	found := slices.DeleteFunc(v.Principals(tenant), func(p *gallery.Principal) bool {
		return p.Kind != gallery.KindGroup || !strings.EqualFold(p.Name, name)
	})
	for _, p := range []*gallery.Principal{v.PrincipalByApp(gallery.AppID(id)), v.UserByName(tenant, name)} {
		if p != nil && visible(ctx, p.Tenant) {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, notFound("find principal", name)
	}
	return nil, &gallery.Error{Kind: gallery.ErrConflict, Op: "find principal", Resource: name, Message: fmt.Sprintf("%d principals have this name; use an object id", len(found))}
}

func shown(v *state.View, p *gallery.Principal) v1.Principal {
	out := v1.Principal{ID: string(p.ID), Tenant: string(p.Tenant), Kind: string(p.Kind), Name: p.Name, ClientID: string(p.AppID), UserName: p.UserName,
		Disabled: p.Disabled, Created: p.Created, ETag: strconv.FormatUint(p.ETag, 10)}
	if p.External != nil {
		out.Issuer, out.Subject = string(p.External.Issuer), p.External.Subject
		if i := v.Issuer(p.External.Issuer); i != nil {
			out.Issuer = i.Name
		}
	}
	for _, g := range p.Groups {
		out.Groups = append(out.Groups, string(g))
	}
	for i := range p.Secrets {
		out.Secrets = append(out.Secrets, shownSecret(&p.Secrets[i]))
	}
	for _, k := range p.Keys {
		out.Keys = append(out.Keys, k.ID)
	}
	return out
}

func shownSecret(s *gallery.Secret) v1.Secret {
	return v1.Secret{ID: s.ID, Name: s.Name, Hint: s.Hint, Created: s.Created, Expires: s.Expires}
}

// Principals implements manage.Identity.
func (s *Service) Principals(ctx context.Context, kind string) ([]v1.Principal, error) {
	if kind != "" && !gallery.PrincipalKind(kind).Valid() {
		return nil, &gallery.Error{Kind: gallery.ErrInvalid, Field: "kind", Message: "must be User, Group or ServicePrincipal"}
	}
	tenant, err := s.tenant(ctx, "")
	if err != nil {
		return nil, err
	}
	v := s.o.State()
	out := []v1.Principal{}
	for _, p := range v.Principals(tenant) {
		if kind == "" || string(p.Kind) == kind {
			out = append(out, shown(v, p))
		}
	}
	return out, nil
}

// Principal implements manage.Identity.
func (s *Service) Principal(ctx context.Context, name string) (v1.Principal, error) {
	v := s.o.State()
	p, err := s.principal(ctx, v, name)
	if err != nil {
		return v1.Principal{}, err
	}
	return shown(v, p), nil
}

// CreatePrincipal implements manage.Identity.
func (s *Service) CreatePrincipal(ctx context.Context, r v1.PrincipalRequest) (v1.Principal, error) {
	tenant, err := s.tenant(ctx, r.Tenant)
	if err != nil {
		return v1.Principal{}, err
	}
	p := gallery.Principal{ID: gallery.PrincipalID(uuid.NewString()), Tenant: tenant, Kind: gallery.PrincipalKind(r.Kind), Name: r.Name, UserName: r.UserName}
	if p.Kind == gallery.KindServicePrincipal {
		p.AppID = gallery.AppID(uuid.NewString())
	}
	if (r.Issuer == "") != (r.Subject == "") {
		return v1.Principal{}, &gallery.Error{Kind: gallery.ErrInvalid, Field: "subject", Message: "issuer and subject go together"}
	}
	if r.Issuer != "" {
		i, err := s.issuer(ctx, r.Issuer)
		if err != nil {
			return v1.Principal{}, err
		}
		p.External = &gallery.ExternalIdentity{Issuer: i.ID, Subject: r.Subject}
	}
	return s.putPrincipal(ctx, &command.PrincipalPut{Principal: p, If: command.Precondition{Absent: true}})
}

// putPrincipal proposes a command whose result is a principal.
func (s *Service) putPrincipal(ctx context.Context, c command.Command) (v1.Principal, error) {
	p, err := put[gallery.Principal](ctx, s, c)
	if err != nil {
		return v1.Principal{}, err
	}
	return shown(s.o.State(), &p), nil
}

// PatchPrincipal implements manage.Identity.
func (s *Service) PatchPrincipal(ctx context.Context, name string, r v1.PrincipalPatch) (v1.Principal, error) {
	v := s.o.State()
	p, err := s.principal(ctx, v, name)
	switch {
	case err != nil:
		return v1.Principal{}, err
	case r.Name != nil && r.Disabled != nil:
		return v1.Principal{}, &gallery.Error{Kind: gallery.ErrInvalid, Field: "name", Message: "change name and disabled one after the other"}
	case r.Disabled != nil:
		return s.putPrincipal(ctx, &command.PrincipalSetDisabled{ID: p.ID, Disabled: *r.Disabled})
	case r.Name != nil:
		row := *p
		row.Name = *r.Name
		return s.putPrincipal(ctx, &command.PrincipalPut{Principal: row, If: command.Precondition{ETag: p.ETag}})
	}
	return shown(v, p), nil
}

// DeletePrincipal implements manage.Identity.
func (s *Service) DeletePrincipal(ctx context.Context, name string) error {
	p, err := s.principal(ctx, s.o.State(), name)
	if err != nil {
		return err
	}
	_, err = s.propose(ctx, &command.PrincipalDelete{ID: p.ID})
	return err
}

// The lives of client secrets.
const (
	secretLife    = 365 * 24 * time.Hour
	maxSecretLife = 10 * secretLife
)

// secret makes a secret's row of a text that the client made, or makes the text.
func (s *Service) secret(text, name, ttl string) (string, gallery.Secret, error) {
	life, err := lifetime(ttl, secretLife)
	if err != nil {
		return "", gallery.Secret{}, err
	}
	if life > maxSecretLife {
		return "", gallery.Secret{}, &gallery.Error{Kind: gallery.ErrInvalid, Field: "ttl", Message: "must be at most ten years"}
	}
	expires := s.o.Now().Add(life)
	if text == "" {
		text, row := tokens.NewSecret(name, expires)
		return text, row, nil
	}
	row, err := tokens.SecretOf(text, name, expires)
	return text, row, err
}

// AddSecret implements manage.Identity.
func (s *Service) AddSecret(ctx context.Context, name string, r v1.SecretRequest) (v1.Secret, error) {
	p, err := s.principal(ctx, s.o.State(), name)
	if err != nil {
		return v1.Secret{}, err
	}
	text, row, err := s.secret(r.Secret, r.Name, r.TTL)
	if err != nil {
		return v1.Secret{}, err
	}
	made, err := put[gallery.Principal](ctx, s, &command.PrincipalAddSecret{ID: p.ID, Secret: row})
	if err != nil {
		return v1.Secret{}, err
	}
	kept := made.SecretByHash(row.Hash, s.o.Now())
	if kept == nil {
		return v1.Secret{}, &gallery.Error{Kind: gallery.ErrUnknownOutcome, Op: "add secret", Message: "another request had the same id"}
	}
	out := shownSecret(kept)
	out.Secret = text
	return out, nil
}

// RemoveSecret implements manage.Identity.
func (s *Service) RemoveSecret(ctx context.Context, name, secret string) error {
	p, err := s.principal(ctx, s.o.State(), name)
	if err != nil {
		return err
	}
	_, err = s.propose(ctx, &command.PrincipalRemoveSecret{ID: p.ID, Secret: secret})
	return err
}

// PutKey implements manage.Identity.
func (s *Service) PutKey(ctx context.Context, name, key string, r v1.KeyRequest) (v1.Principal, error) {
	p, err := s.principal(ctx, s.o.State(), name)
	if err != nil {
		return v1.Principal{}, err
	}
	if err := tokens.CheckKey(r.JWK); err != nil {
		return v1.Principal{}, err
	}
	row := *p
	row.Keys = append(without(p.Keys, key), gallery.PublicKey{ID: key, JWK: r.JWK})
	return s.putPrincipal(ctx, &command.PrincipalPut{Principal: row, If: command.Precondition{ETag: p.ETag}})
}

// RemoveKey implements manage.Identity.
func (s *Service) RemoveKey(ctx context.Context, name, key string) error {
	p, err := s.principal(ctx, s.o.State(), name)
	if err != nil {
		return err
	}
	row := *p
	if row.Keys = without(p.Keys, key); len(row.Keys) == len(p.Keys) {
		return notFound("remove key", key)
	}
	_, err = s.putPrincipal(ctx, &command.PrincipalPut{Principal: row, If: command.Precondition{ETag: p.ETag}})
	return err
}

func without(keys []gallery.PublicKey, id string) []gallery.PublicKey {
	return slices.DeleteFunc(slices.Clone(keys), func(k gallery.PublicKey) bool { return k.ID == id })
}

// Join implements manage.Identity.
func (s *Service) Join(ctx context.Context, name, group string) (v1.Principal, error) {
	return s.setMember(ctx, name, group, true)
}

// Leave implements manage.Identity.
func (s *Service) Leave(ctx context.Context, name, group string) error {
	_, err := s.setMember(ctx, name, group, false)
	return err
}

func (s *Service) setMember(ctx context.Context, name, group string, member bool) (v1.Principal, error) {
	v := s.o.State()
	p, err := s.principal(ctx, v, name)
	if err != nil {
		return v1.Principal{}, err
	}
	g, err := s.principal(ctx, v, group)
	if err != nil {
		return v1.Principal{}, err
	}
	return s.putPrincipal(ctx, &command.PrincipalSetMember{ID: p.ID, Group: g.ID, Member: member})
}

// Bootstrap implements manage.Identity.
func (s *Service) Bootstrap(ctx context.Context, r v1.BootstrapRequest) (v1.Bootstrap, error) {
	c, err := s.defaults(s.o.State())
	if err != nil {
		return v1.Bootstrap{}, err
	}
	if r.Name == "" {
		r.Name = "owner"
	}
	text, row, err := s.secret(r.Secret, "bootstrap", "")
	if err != nil {
		return v1.Bootstrap{}, err
	}
	p, err := put[gallery.Principal](ctx, s, &command.ACLBootstrap{Assignment: gallery.AssignmentID(uuid.NewString()), Role: rbac.Owner,
		Principal: gallery.Principal{ID: gallery.PrincipalID(uuid.NewString()), Tenant: c.Tenant, Kind: gallery.KindServicePrincipal, AppID: gallery.AppID(uuid.NewString()),
			Name: r.Name, Secrets: []gallery.Secret{row}}})
	if err != nil {
		return v1.Bootstrap{}, err
	}
	s.awaitKey(ctx)
	return v1.Bootstrap{Tenant: string(c.Tenant), Subscription: string(c.Subscription), ID: string(p.ID), ClientID: string(p.AppID), ClientSecret: text}, nil
}

// ReplaceKeys implements manage.Identity. The commands have no request id of their own: done twice, it is done again.
func (s *Service) ReplaceKeys(ctx context.Context) error {
	c := CallerOf(ctx)
	c.RequestID = ""
	ctx = WithCaller(ctx, c)
	old := s.o.State().SigningKeys()
	k, err := s.o.NewSigningKey()
	if err != nil {
		return err
	}
	if _, err := s.propose(ctx, &command.SigningKeyPut{Key: k}); err != nil {
		return err
	}
	for _, row := range old {
		if _, err := s.propose(ctx, &command.SigningKeyDelete{ID: row.ID, Force: true}); err != nil && !errors.Is(err, gallery.ErrNotFound) {
			return err
		}
	}
	return nil
}

// awaitKey waits a while until logins work: the leader makes the first signing key right after the cluster was founded.
func (s *Service) awaitKey(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, keyPatience)
	defer cancel()
	for len(s.o.State().SigningKeys()) == 0 {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return
		}
	}
}

const keyPatience = 10 * time.Second

// issuer finds one of a tenant that the caller deals with, by id or name.
func (s *Service) issuer(ctx context.Context, name string) (*gallery.Issuer, error) {
	for _, i := range s.o.State().Issuers() {
		if (string(i.ID) == name || strings.EqualFold(i.Name, name)) && visible(ctx, i.Tenant) {
			return i, nil
		}
	}
	return nil, notFound("find issuer", name)
}

func shownIssuer(i *gallery.Issuer) v1.Issuer {
	return v1.Issuer{ID: string(i.ID), Name: i.Name, URL: i.URL, ClientID: i.ClientID, CACert: string(i.CACert), UserClaim: i.UserClaim,
		NameClaim: i.NameClaim, GroupClaim: i.GroupClaim, GroupPrefix: i.GroupPrefix, AutoCreate: i.AutoCreate, Tenant: string(i.Tenant)}
}

// Issuers implements manage.Identity.
func (s *Service) Issuers(ctx context.Context) ([]v1.Issuer, error) {
	out := []v1.Issuer{}
	for _, i := range s.o.State().Issuers() {
		if visible(ctx, i.Tenant) {
			out = append(out, shownIssuer(i))
		}
	}
	return out, nil
}

// CreateIssuer implements manage.Identity.
func (s *Service) CreateIssuer(ctx context.Context, r v1.Issuer) (v1.Issuer, error) {
	tenant, err := s.tenant(ctx, r.Tenant)
	if err != nil {
		return v1.Issuer{}, err
	}
	row := gallery.Issuer{ID: gallery.IssuerID(uuid.NewString()), Tenant: tenant, Name: r.Name, URL: r.URL, ClientID: r.ClientID, CACert: []byte(r.CACert),
		UserClaim: r.UserClaim, NameClaim: r.NameClaim, GroupClaim: r.GroupClaim, GroupPrefix: r.GroupPrefix, AutoCreate: r.AutoCreate}
	if err := tokens.CheckIssuer(&row); err != nil {
		return v1.Issuer{}, err
	}
	made, err := put[gallery.Issuer](ctx, s, &command.IssuerPut{Issuer: row, If: command.Precondition{Absent: true}})
	return shownIssuer(&made), err
}

// DeleteIssuer implements manage.Identity.
func (s *Service) DeleteIssuer(ctx context.Context, name string) error {
	i, err := s.issuer(ctx, name)
	if err != nil {
		return err
	}
	_, err = s.propose(ctx, &command.IssuerDelete{ID: i.ID})
	return err
}

// LoginIssuers lists where people log in: the one that is named, else those of the default tenant. Nobody has to have
// logged in to ask, and other tenants' issuers are told only to who knows their name (S2).
func (s *Service) LoginIssuers(name string) []v1.LoginIssuer {
	v := s.o.State()
	c := v.Cluster()
	out := []v1.LoginIssuer{}
	for _, i := range v.Issuers() {
		if name == "" && c != nil && i.Tenant == c.Tenant || name != "" && strings.EqualFold(i.Name, name) {
			out = append(out, v1.LoginIssuer{Name: i.Name, URL: i.URL, ClientID: i.ClientID, CACert: string(i.CACert)})
		}
	}
	return out
}

// Roles implements manage.Identity.
func (s *Service) Roles(ctx context.Context) ([]v1.Role, error) {
	tenant, err := s.tenant(ctx, "")
	if err != nil {
		return nil, err
	}
	var out []v1.Role
	for _, r := range rbac.BuiltIns() {
		out = append(out, v1.Role{ID: r.ID, Name: r.Name, Description: r.Description, BuiltIn: true})
	}
	for _, r := range s.o.State().Roles(tenant) {
		out = append(out, v1.Role{ID: string(r.ID), Name: r.Name, Description: r.Description})
	}
	return out, nil
}

// role finds a role by its name or id, and says where it may be assigned.
func role(v *state.View, tenant gallery.TenantID, name string) (rbac.Role, error) {
	if r, ok := rbac.BuiltInByName(name); ok {
		return r, nil
	}
	if r, ok := rbac.BuiltInByID(name); ok {
		return r, nil
	}
	row := v.RoleByName(tenant, name)
	if row == nil {
		row = v.Role(gallery.RoleID(strings.ToLower(name)))
	}
	if row == nil || row.Tenant != tenant {
		return rbac.Role{}, notFound("find role", name)
	}
	return rbac.Role{ID: string(row.ID), Name: row.Name, AssignableScopes: row.AssignableScopes}, nil
}

func (s *Service) shownAssignment(v *state.View, a *gallery.RoleAssignment) v1.Assignment {
	out := v1.Assignment{ID: string(a.ID), Principal: string(a.Principal), Role: string(a.Role), RoleID: string(a.Role), Scope: a.Scope, Created: a.Created}
	if p := v.Principal(a.Principal); p != nil {
		out.Name = p.Name
	}
	if r, err := role(v, a.Tenant, string(a.Role)); err == nil {
		out.Role = r.Name
	}
	return out
}

// Assignments implements manage.Identity.
func (s *Service) Assignments(ctx context.Context, principal string) ([]v1.Assignment, error) {
	v := s.o.State()
	rows := v.AssignmentsUnder(gallery.RootScope)
	if principal != "" {
		p, err := s.principal(ctx, v, principal)
		if err != nil {
			return nil, err
		}
		rows = v.AssignmentsOf(p.ID)
	}
	out := []v1.Assignment{}
	for _, a := range rows {
		if visible(ctx, a.Tenant) {
			out = append(out, s.shownAssignment(v, a))
		}
	}
	return out, nil
}

// scope reads a scope and says whose it is; none is the default subscription.
func (s *Service) scope(v *state.View, text string) (string, gallery.TenantID, error) {
	c, err := s.defaults(v)
	if err != nil {
		return "", "", err
	}
	if text == "" {
		text = "/subscriptions/" + string(c.Subscription)
	}
	id, err := armid.ParseID(text)
	if err != nil || rbac.ValidateScope(id.String()) != nil {
		return "", "", &gallery.Error{Kind: gallery.ErrInvalid, Field: "scope", Message: "must be / or the id of a subscription, a resource group or a resource", Err: err}
	}
	if id.IsRoot() {
		return rbac.Root, c.Tenant, nil
	}
	sub := v.Subscription(id.Subscription())
	if sub == nil {
		return id.String(), c.Tenant, nil // nobody has a right there but the operator, who is told below
	}
	return id.String(), sub.Tenant, nil
}

// Assign implements manage.Identity.
func (s *Service) Assign(ctx context.Context, r v1.AssignmentRequest) (v1.Assignment, error) {
	v := s.o.State()
	scope, tenant, err := s.scope(v, r.Scope)
	if err != nil {
		return v1.Assignment{}, err
	}
	if err := s.o.Allowed(ctx, "Microsoft.Authorization/roleAssignments/write", scope, scope); err != nil {
		return v1.Assignment{}, err
	}
	p, err := s.principal(ctx, v, r.Principal)
	if err != nil {
		return v1.Assignment{}, err
	}
	what, err := role(v, tenant, r.Role)
	if err != nil {
		return v1.Assignment{}, err
	}
	if !what.AssignableAt(scope) {
		return v1.Assignment{}, &gallery.Error{Kind: gallery.ErrInvalid, Op: "assign role", Field: "scope", Message: fmt.Sprintf("the role %s cannot be assigned there", what.Name)}
	}
	made, err := put[gallery.RoleAssignment](ctx, s, &command.AssignmentPut{If: command.Precondition{Absent: true},
		Assignment: gallery.RoleAssignment{ID: gallery.AssignmentID(uuid.NewString()), Tenant: tenant, Scope: scope, Principal: p.ID, PrincipalKind: p.Kind, Role: gallery.RoleID(what.ID)}})
	if errors.Is(err, gallery.ErrAssignmentExists) {
		if old := s.o.State().AssignmentOf(p.ID, gallery.RoleID(what.ID), scope); old != nil {
			return s.shownAssignment(s.o.State(), old), nil
		}
	}
	if err != nil {
		return v1.Assignment{}, err
	}
	return s.shownAssignment(s.o.State(), &made), nil
}

// Unassign implements manage.Identity. Without the right to see an assignment it does not exist.
func (s *Service) Unassign(ctx context.Context, id string) error {
	for _, a := range s.o.State().AssignmentsUnder(gallery.RootScope) {
		if string(a.ID) != id || !visible(ctx, a.Tenant) {
			continue
		}
		if err := s.o.Allowed(ctx, "Microsoft.Authorization/roleAssignments/delete", a.Scope, id); errors.Is(err, gallery.ErrForbidden) {
			continue
		} else if err != nil {
			return err
		}
		_, err := s.propose(ctx, &command.AssignmentDelete{Scope: a.Scope, ID: a.ID})
		return err
	}
	return notFound("take role away", id)
}
