package machine_test

import (
	"strings"
	"testing"
	"time"

	"loggia/fsm/command"
	"loggia/gallery"
	"loggia/gallery/rbac"
)

func principalID(n int) gallery.PrincipalID   { return id[gallery.PrincipalID](0x61, n) }
func assignmentID(n int) gallery.AssignmentID { return id[gallery.AssignmentID](0x62, n) }

const otherTenant = gallery.TenantID("aaaaaaaa-0000-4000-8000-000000000002")

func service(n int) gallery.Principal {
	return gallery.Principal{ID: principalID(n), Tenant: tenant, Kind: gallery.KindServicePrincipal, AppID: id[gallery.AppID](0x63, n), Name: "ci"}
}

func user(n int, name string) gallery.Principal {
	return gallery.Principal{ID: principalID(n), Tenant: tenant, Kind: gallery.KindUser, UserName: name, Name: "somebody"}
}

func groupOfPeople(n int) gallery.Principal {
	return gallery.Principal{ID: principalID(n), Tenant: tenant, Kind: gallery.KindGroup, Name: "people"}
}

func secret(n int) gallery.Secret {
	return gallery.Secret{ID: id[string](0x64, n), Hash: root(n), Hint: "abc"}
}

func assignment(n int, p gallery.PrincipalID, role, scope string) gallery.RoleAssignment {
	return gallery.RoleAssignment{ID: assignmentID(n), Tenant: tenant, Scope: scope, Principal: p, Role: gallery.RoleID(role)}
}

func TestTenancy(t *testing.T) {
	r := newRig(t)
	r.found("a")
	if row := r.m.View().Tenant(tenant); row == nil || row.ETag == 0 {
		t.Fatalf("the default tenant has no row: %+v", row)
	}
	r.refuse(gallery.ErrInvalid, &command.SubscriptionPut{Subscription: gallery.Subscription{ID: id[gallery.SubscriptionID](0x60, 1), Tenant: otherTenant}})
	r.do(&command.TenantPut{Tenant: gallery.Tenant{ID: otherTenant, Name: "other"}})
	other := gallery.Subscription{ID: id[gallery.SubscriptionID](0x60, 1), Tenant: otherTenant}
	r.do(&command.SubscriptionPut{Subscription: other})
	moved := other
	moved.Tenant = tenant
	r.refuse(gallery.ErrImmutable, &command.SubscriptionPut{Subscription: moved})
	r.refuse(gallery.ErrNotAllowed, &command.SubscriptionDelete{ID: sub})
	g := gallery.Gallery{Ref: gallery.GalleryRef{Subscription: other.ID, Gallery: "g"}, Tenant: otherTenant, ResourceGroup: gallery.DefaultGroup, Location: "a"}
	wrong := g
	wrong.Tenant = tenant
	r.refuse(gallery.ErrInvalid, &command.GalleryPut{Gallery: wrong})
	r.do(&command.GalleryPut{Gallery: g})
	r.refuse(gallery.ErrInUse, &command.SubscriptionDelete{ID: other.ID})
	r.do(&command.GalleryDelete{Ref: g.Ref})
	r.do(&command.SubscriptionDelete{ID: other.ID})
	if r.m.View().Subscription(other.ID) != nil || len(r.m.View().Groups(other.ID)) != 0 {
		t.Error("the subscription is still there")
	}
}

// TestVersion2 holds that a cluster founded before there were tenants and groups gets their rows when its version is raised, and that
// until then its entries do what they did.
func TestVersion2(t *testing.T) {
	r := newRig(t)
	r.do(&command.ClusterInit{Cluster: gallery.Cluster{ID: id[gallery.ClusterID](1, 1), Tenant: tenant, Subscription: sub}})
	r.do(&command.RegionPut{Region: gallery.Region{Name: "a"}})
	r.do(&command.GalleryPut{Gallery: gallery.Gallery{Ref: galleryRef("g"), Tenant: tenant, ResourceGroup: "Legacy", Location: "a"}})
	v := r.m.View()
	if len(v.Groups(sub)) != 0 || v.Tenant(tenant).ETag != 0 || v.Subscription(sub) == nil {
		t.Fatal("version 1 has no rows for tenants and groups, and reads fall back")
	}
	r.do(&command.ClusterSetVersion{Version: 2})
	v = r.m.View()
	if v.Tenant(tenant).ETag == 0 || v.Subscription(sub).ETag == 0 || v.Group(gallery.GroupRef{Subscription: sub, Group: "legacy"}) == nil {
		t.Fatal("version 2 gives them rows")
	}
	r.refuse(gallery.ErrNoGroup, &command.GalleryPut{Gallery: gallery.Gallery{Ref: galleryRef("h"), Tenant: tenant, ResourceGroup: "none", Location: "a"}})
}

func TestPrincipals(t *testing.T) {
	r := newRig(t)
	r.found("a")
	r.do(&command.PrincipalPut{Principal: service(1)})
	twin := service(2)
	twin.AppID = service(1).AppID
	r.refuse(gallery.ErrConflict, &command.PrincipalPut{Principal: twin})
	r.do(&command.PrincipalPut{Principal: user(3, "Ann@example")})
	r.refuse(gallery.ErrConflict, &command.PrincipalPut{Principal: user(4, "ann@EXAMPLE")})
	foreign := user(5, "")
	foreign.Tenant = otherTenant
	r.refuse(gallery.ErrInvalid, &command.PrincipalPut{Principal: foreign})
	changed := service(1)
	changed.AppID = id[gallery.AppID](0x63, 9)
	r.refuse(gallery.ErrImmutable, &command.PrincipalPut{Principal: changed})
	r.refuse(gallery.ErrPrecondition, &command.PrincipalPut{Principal: service(1), If: command.Precondition{Absent: true}})
	r.do(&command.PrincipalSetDisabled{ID: principalID(3), Disabled: true})
	if !r.m.View().Principal(principalID(3)).Disabled {
		t.Error("not disabled")
	}
}

func TestExternalIdentities(t *testing.T) {
	r := newRig(t)
	r.found("a")
	is := gallery.Issuer{ID: id[gallery.IssuerID](0x65, 1), Tenant: tenant, Name: "corp", URL: "https://id.example", ClientID: "loggia"}
	x := gallery.ExternalIdentity{Issuer: is.ID, Subject: "4711"}
	u, g := user(1, ""), groupOfPeople(2)
	u.External, g.External = &x, &x
	r.refuse(gallery.ErrInvalid, &command.PrincipalPut{Principal: u})
	r.do(&command.IssuerPut{Issuer: is})
	r.do(&command.PrincipalPut{Principal: u})
	r.do(&command.PrincipalPut{Principal: g}) // a group's claim may be somebody's subject
	v := r.m.View()
	if a, b := v.UserByExternal(x), v.GroupByExternal(x); a == nil || a.ID != u.ID || b == nil || b.ID != g.ID {
		t.Errorf("found %v and %v", a, b)
	}
	twin := user(3, "")
	twin.External = &x
	r.refuse(gallery.ErrConflict, &command.PrincipalPut{Principal: twin})
	second := is
	second.ID = id[gallery.IssuerID](0x65, 2)
	r.refuse(gallery.ErrConflict, &command.IssuerPut{Issuer: second})
	second.Name = "CORP"
	second.URL = "https://other.example"
	r.refuse(gallery.ErrConflict, &command.IssuerPut{Issuer: second})
	r.do(&command.IssuerDelete{ID: is.ID})
	u.Name = "still changes"
	r.do(&command.PrincipalPut{Principal: u})
}

func TestSecrets(t *testing.T) {
	r := newRig(t)
	r.found("a")
	r.do(&command.PrincipalPut{Principal: service(1)})
	r.do(&command.PrincipalPut{Principal: groupOfPeople(2)})
	r.refuse(gallery.ErrNotAllowed, &command.PrincipalAddSecret{ID: principalID(2), Secret: secret(0)})
	short := secret(0)
	short.Expires = r.now.Add(time.Minute)
	r.do(&command.PrincipalAddSecret{ID: principalID(1), Secret: short})
	r.refuse(gallery.ErrConflict, &command.PrincipalAddSecret{ID: principalID(1), Secret: short})
	for n := 1; n < gallery.MaxSecrets; n++ {
		r.do(&command.PrincipalAddSecret{ID: principalID(1), Secret: secret(n)})
	}
	r.refuse(gallery.ErrQuota, &command.PrincipalAddSecret{ID: principalID(1), Secret: secret(99)})
	r.now = r.now.Add(time.Hour)
	r.do(&command.PrincipalAddSecret{ID: principalID(1), Secret: secret(99)}) // the expired one makes room
	put := service(1)
	put.Name = "renamed"
	r.do(&command.PrincipalPut{Principal: put})
	p := r.m.View().Principal(principalID(1))
	if len(p.Secrets) != gallery.MaxSecrets || p.Secret(short.ID) != nil || p.Name != "renamed" {
		t.Errorf("%d secrets, name %q", len(p.Secrets), p.Name)
	}
	r.do(&command.PrincipalRemoveSecret{ID: principalID(1), Secret: secret(99).ID})
	r.refuse(gallery.ErrNotFound, &command.PrincipalRemoveSecret{ID: principalID(1), Secret: secret(99).ID})
}

func TestDeletedPrincipalLeavesNothing(t *testing.T) {
	r := newRig(t)
	r.found("a")
	r.do(&command.PrincipalPut{Principal: groupOfPeople(1)})
	r.do(&command.PrincipalPut{Principal: user(2, "")})
	r.do(&command.PrincipalSetMember{ID: principalID(2), Group: principalID(1), Member: true})
	r.refuse(gallery.ErrInvalid, &command.PrincipalSetMember{ID: principalID(1), Group: principalID(2), Member: true})
	r.do(&command.AssignmentPut{Assignment: assignment(1, principalID(1), rbac.Reader, sub.Scope())})
	tok := gallery.AccessToken{ID: id[gallery.TokenID](0x66, 1), Hash: root(1), Name: "t", Owner: principalID(1)}
	r.do(&command.AccessTokenPut{Token: tok})
	lost := tok
	lost.ID, lost.Hash, lost.Owner = id[gallery.TokenID](0x66, 2), root(2), principalID(9)
	r.refuse(gallery.ErrInvalid, &command.AccessTokenPut{Token: lost})
	r.do(&command.PrincipalDelete{ID: principalID(1)})
	v := r.m.View()
	if len(v.AssignmentsUnder("/")) != 0 || v.AccessToken(tok.ID) != nil || len(v.Principal(principalID(2)).Groups) != 0 {
		t.Error("something of the principal is left")
	}
}

func TestBootstrapOnce(t *testing.T) {
	r := newRig(t)
	r.found("a")
	first := &command.ACLBootstrap{Principal: service(1), Assignment: assignmentID(1), Role: rbac.Owner}
	reader := *first
	reader.Role = rbac.Reader
	r.refuse(gallery.ErrInvalid, &reader)
	r.do(first)
	a := r.m.View().AssignmentsOf(principalID(1))
	if len(a) != 1 || a[0].Scope != "/" || a[0].Role != rbac.Owner {
		t.Fatalf("got %+v", a)
	}
	r.do(&command.PrincipalDelete{ID: principalID(1)})
	r.refuse(gallery.ErrConflict, &command.ACLBootstrap{Principal: service(2), Assignment: assignmentID(2), Role: rbac.Owner})
}

func TestRoles(t *testing.T) {
	r := newRig(t)
	r.found("a")
	r.do(&command.PrincipalPut{Principal: user(1, "")})
	role := gallery.RoleDefinition{ID: id[gallery.RoleID](0x67, 1), Tenant: tenant, Name: "Puller", AssignableScopes: []string{sub.Scope()},
		Permissions: []gallery.Permission{{Actions: []string{"Microsoft.Compute/galleries/read"}}}}
	builtin := role
	builtin.ID = rbac.Owner
	r.refuse(gallery.ErrNotAllowed, &command.RolePut{Role: builtin})
	named := role
	named.Name = "contributor"
	r.refuse(gallery.ErrConflict, &command.RolePut{Role: named})
	r.do(&command.RolePut{Role: role})
	twin := role
	twin.ID, twin.Name = id[gallery.RoleID](0x67, 2), "PULLER"
	r.refuse(gallery.ErrConflict, &command.RolePut{Role: twin})
	r.refuse(gallery.ErrInvalid, &command.AssignmentPut{Assignment: assignment(1, principalID(1), string(twin.ID), sub.Scope())})
	r.do(&command.AssignmentPut{Assignment: assignment(1, principalID(1), string(role.ID), sub.Scope())})
	r.refuse(gallery.ErrInUse, &command.RoleDelete{ID: role.ID})
	r.do(&command.AssignmentDelete{Scope: sub.Scope(), ID: assignmentID(1)})
	r.do(&command.RoleDelete{ID: role.ID})
}

func TestAssignments(t *testing.T) {
	r := newRig(t)
	r.found("a")
	r.do(&command.PrincipalPut{Principal: user(1, "")})
	scope := sub.Scope() + "/resourceGroups/default"
	a := assignment(1, principalID(1), rbac.Reader, scope)
	r.do(&command.AssignmentPut{Assignment: a})
	twin := a
	twin.ID, twin.Scope = assignmentID(2), strings.ToUpper(scope[:5])+scope[5:]
	e := r.refuse(gallery.ErrAssignmentExists, &command.AssignmentPut{Assignment: twin})
	if !strings.Contains(e.Message, string(a.ID)) {
		t.Errorf("the holder is not named: %s", e.Message)
	}
	a.Description = "why"
	r.do(&command.AssignmentPut{Assignment: a})
	a.Role = gallery.RoleID(rbac.Owner)
	r.refuse(gallery.ErrImmutable, &command.AssignmentPut{Assignment: a})
	r.refuse(gallery.ErrInvalid, &command.AssignmentPut{Assignment: assignment(3, principalID(9), rbac.Reader, scope)})
	r.refuse(gallery.ErrNotFound, &command.AssignmentPut{Assignment: assignment(3, principalID(1), rbac.Reader, "/subscriptions/"+string(otherTenant))})
	wrong := assignment(3, principalID(1), rbac.Owner, scope)
	wrong.PrincipalKind = gallery.KindGroup
	r.refuse(gallery.ErrInvalid, &command.AssignmentPut{Assignment: wrong})
	if got := r.m.View().Assignment(scope, assignmentID(1)); got.Description != "why" || got.PrincipalKind != gallery.KindUser {
		t.Errorf("got %+v", got)
	}
}

// TestGrantsGoWithTheirResource holds that what is made anew under a name begins without the rights that were given to the old.
func TestGrantsGoWithTheirResource(t *testing.T) {
	r := newRig(t)
	r.found("a")
	r.do(&command.PrincipalPut{Principal: user(1, "")})
	v := r.m.View()
	g, i := v.Gallery(galleryRef("g")), v.Image(image("debian", "a").Ref)
	r.do(&command.AssignmentPut{Assignment: assignment(1, principalID(1), rbac.Reader, g.Scope())})
	r.do(&command.AssignmentPut{Assignment: assignment(2, principalID(1), rbac.Reader, i.Scope())})
	r.do(&command.AssignmentPut{Assignment: assignment(3, principalID(1), rbac.Reader, sub.Scope())})
	r.do(&command.ImageDelete{Ref: i.Ref})
	if n := len(r.m.View().AssignmentsOf(principalID(1))); n != 2 {
		t.Fatalf("%d assignments after the image went", n)
	}
	r.do(&command.GalleryDelete{Ref: g.Ref})
	if left := r.m.View().AssignmentsOf(principalID(1)); len(left) != 1 || left[0].ID != assignmentID(3) {
		t.Fatalf("left %v", left)
	}
}

func TestSigningKeys(t *testing.T) {
	r := newRig(t)
	r.found("a")
	k := gallery.SigningKey{ID: "k1", Public: []byte(`{"kty":"RSA"}`), Private: []byte("sealed"), NotBefore: r.now}
	r.do(&command.SigningKeyPut{Key: k})
	other := k
	other.Private = []byte("another")
	r.refuse(gallery.ErrImmutable, &command.SigningKeyPut{Key: other})
	r.refuse(gallery.ErrInUse, &command.SigningKeyDelete{ID: "k1"})
	k.Retires = r.now.Add(time.Hour)
	r.do(&command.SigningKeyPut{Key: k})
	later := k
	later.Retires = r.now.Add(2 * time.Hour)
	r.refuse(gallery.ErrConflict, &command.SigningKeyPut{Key: later})
	r.now = r.now.Add(2 * time.Hour)
	r.do(&command.SigningKeyDelete{ID: "k1"})
	r.do(&command.SigningKeyPut{Key: other})
	r.do(&command.SigningKeyDelete{ID: "k1", Force: true})
}
