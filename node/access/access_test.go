package access

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"loggia/api/authn"
	"loggia/gallery"
	"loggia/internal/digest"
	"loggia/node/tokens"
)

const (
	tenantA = gallery.TenantID("00000000-0000-4000-8000-00000000000a")
	tenantB = gallery.TenantID("00000000-0000-4000-8000-00000000000b")
	subA    = gallery.SubscriptionID("00000000-0000-4000-8000-0000000000a1")
	subB    = gallery.SubscriptionID("00000000-0000-4000-8000-0000000000b1")
	alice   = gallery.PrincipalID("00000000-0000-4000-8000-0000000000a2")
	bob     = gallery.PrincipalID("00000000-0000-4000-8000-0000000000b2")
	inner   = gallery.PrincipalID("00000000-0000-4000-8000-0000000000a3")
	outer   = gallery.PrincipalID("00000000-0000-4000-8000-0000000000a4")
	owner   = gallery.RoleID("8e3af657-a8ff-443c-a75c-2fe8c4bcb635")
	reader  = gallery.RoleID("acdd72a7-3385-48ef-bd42-f606fba81ae7")
	custom  = gallery.RoleID("00000000-0000-4000-8000-0000000000cc")
	write   = "Microsoft.Compute/galleries/write"
	read    = "Microsoft.Compute/galleries/read"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

type rows struct {
	tokens      []*gallery.AccessToken
	principals  []*gallery.Principal
	assignments []*gallery.RoleAssignment
	roles       []*gallery.RoleDefinition
	uploads     []*gallery.Upload
	versions    []*gallery.ImageVersion
}

func first[T any](in []*T, is func(*T) bool) *T {
	if i := slices.IndexFunc(in, is); i >= 0 {
		return in[i]
	}
	return nil
}

func (r *rows) Cluster() *gallery.Cluster {
	return &gallery.Cluster{Tenant: tenantA, Subscription: subA}
}
func (r *rows) SigningKey(string) *gallery.SigningKey                       { return nil }
func (r *rows) SigningKeys() []*gallery.SigningKey                          { return nil }
func (r *rows) Issuers() []*gallery.Issuer                                  { return nil }
func (r *rows) PrincipalByApp(gallery.AppID) *gallery.Principal             { return nil }
func (r *rows) UserByExternal(gallery.ExternalIdentity) *gallery.Principal  { return nil }
func (r *rows) GroupByExternal(gallery.ExternalIdentity) *gallery.Principal { return nil }
func (r *rows) GroupsOf(p *gallery.Principal, also ...gallery.PrincipalID) []gallery.PrincipalID {
	out := append(slices.Clone(p.Groups), also...)
	for i := 0; i < len(out); i++ {
		for _, g := range r.Principal(out[i]).Groups {
			if !slices.Contains(out, g) {
				out = append(out, g)
			}
		}
	}
	return out
}
func (r *rows) AccessToken(id gallery.TokenID) *gallery.AccessToken {
	return first(r.tokens, func(t *gallery.AccessToken) bool { return t.ID == id })
}
func (r *rows) AccessTokenByHash(h digest.Digest) *gallery.AccessToken {
	return first(r.tokens, func(t *gallery.AccessToken) bool { return t.Hash == h })
}
func (r *rows) Principal(id gallery.PrincipalID) *gallery.Principal {
	return first(r.principals, func(p *gallery.Principal) bool { return p.ID == id })
}
func (r *rows) Subscription(id gallery.SubscriptionID) *gallery.Subscription {
	if id == subB {
		return &gallery.Subscription{ID: subB, Tenant: tenantB}
	}
	if id == subA {
		return &gallery.Subscription{ID: subA, Tenant: tenantA}
	}
	return nil
}
func (r *rows) Subscriptions(t gallery.TenantID) (out []*gallery.Subscription) {
	for _, id := range []gallery.SubscriptionID{subA, subB} {
		if s := r.Subscription(id); s.Tenant == t {
			out = append(out, s)
		}
	}
	return out
}
func (r *rows) Gallery(ref gallery.GalleryRef) *gallery.Gallery {
	if strings.EqualFold(string(ref.Gallery), "secret") {
		return &gallery.Gallery{Ref: ref, ResourceGroup: "hidden"}
	}
	return nil
}
func (r *rows) Upload(id gallery.UploadID) *gallery.Upload {
	return first(r.uploads, func(u *gallery.Upload) bool { return u.ID == id })
}
func (r *rows) Uploads() []*gallery.Upload                         { return r.uploads }
func (r *rows) SnapshotsOfDisk(gallery.DiskID) []*gallery.Snapshot { return nil }
func (r *rows) VersionsOfDisk(id gallery.DiskID) []*gallery.ImageVersion {
	return slices.DeleteFunc(slices.Clone(r.versions), func(v *gallery.ImageVersion) bool { return v.Disks[0].Disk != id })
}
func (r *rows) Role(id gallery.RoleID) *gallery.RoleDefinition {
	return first(r.roles, func(d *gallery.RoleDefinition) bool { return d.ID == id })
}
func (r *rows) AssignmentsOf(id gallery.PrincipalID) []*gallery.RoleAssignment {
	return slices.DeleteFunc(slices.Clone(r.assignments), func(a *gallery.RoleAssignment) bool { return a.Principal != id })
}

func (r *rows) assign(tenant gallery.TenantID, who gallery.PrincipalID, role gallery.RoleID, scope string) *rows {
	r.assignments = append(r.assignments, &gallery.RoleAssignment{Tenant: tenant, Principal: who, Role: role, Scope: scope})
	return r
}

// issued is a token service that knows "x.y.NAME".
type issued map[string]tokens.Bearer

func (i issued) Verify(_ tokens.View, token string) (tokens.Bearer, error) {
	b, ok := i[token]
	if !ok {
		return b, &gallery.Error{Kind: gallery.ErrUnauthenticated}
	}
	return b, nil
}

func people() *rows {
	return &rows{principals: []*gallery.Principal{
		{ID: alice, Tenant: tenantA, Kind: gallery.KindUser, Name: "Alice", UserName: "alice@example.org", Groups: []gallery.PrincipalID{inner}},
		{ID: bob, Tenant: tenantB, Kind: gallery.KindServicePrincipal, AppID: "app-b", Name: "bob"},
		{ID: inner, Tenant: tenantA, Kind: gallery.KindGroup, Groups: []gallery.PrincipalID{outer, inner}},
		{ID: outer, Tenant: tenantA, Kind: gallery.KindGroup},
	}}
}

func with(r *rows) *Access {
	return New(Options{State: func() View { return r }, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
		Tokens: issued{"x.y.alice": {Principal: alice, Tenant: tenantA, Expires: now.Add(time.Hour)}, "x.y.bob": {Principal: bob, Tenant: tenantB},
			"x.y.moved": {Principal: bob, Tenant: tenantA}, "x.y.group": {Principal: inner, Tenant: tenantA}, "x.y.nobody": {Principal: custom2, Tenant: tenantA}}})
}

const custom2 = gallery.PrincipalID("00000000-0000-4000-8000-0000000000ff")

func TestVerify(t *testing.T) {
	text, hash := authn.NewToken("t1")
	owned, ownedHash := authn.NewToken("t2")
	old, oldHash := authn.NewToken("t3")
	r := people()
	r.tokens = []*gallery.AccessToken{{ID: "t1", Hash: hash, Principal: "admin"}, {ID: "t2", Hash: ownedHash, Owner: bob, Principal: "x"}, {ID: "t3", Hash: oldHash, Expires: now}}
	a := with(r)
	for _, tc := range []struct {
		name, token string
		id          gallery.PrincipalID
		says        string
	}{
		{"operator", text, "", ""}, {"owned token", owned, bob, ""}, {"JWT", "x.y.alice", alice, ""}, {"JWT of another", "x.y.bob", bob, ""},
		{"expired token", old, "", "expired"}, {"nothing", "", "", "no bearer token"}, {"nonsense", "nonsense", "", "malformed"}, {"cut token", text[:20], "", "malformed"},
		{"unknown JWT", "a.b.c", "", "unauthenticated"}, {"principal that moved", "x.y.moved", "", "does not exist"}, {"a group", "x.y.group", "", "does not exist"},
		{"deleted principal", "x.y.nobody", "", "does not exist"},
	} {
		p, err := a.Verify(t.Context(), tc.token)
		if tc.says == "" && (err != nil || p.ID != tc.id) {
			t.Errorf("%s: got %+v, %v; want %q", tc.name, p, err, tc.id)
		}
		if tc.says != "" && (!errors.Is(err, gallery.ErrUnauthenticated) || !strings.Contains(strings.ToLower(err.Error()), tc.says)) {
			t.Errorf("%s: got %+v, %v; want a refusal that says %q", tc.name, p, err, tc.says)
		}
	}
	r.principals[0].Disabled, r.principals[1].Disabled = true, true
	for _, token := range []string{"x.y.alice", owned} {
		if p, err := a.Verify(t.Context(), token); !errors.Is(err, gallery.ErrUnauthenticated) {
			t.Errorf("disabled: got %+v, %v", p, err)
		}
	}
}

func TestCheck(t *testing.T) {
	group := "/subscriptions/" + string(subA) + "/resourceGroups/rg1"
	g := group + "/providers/Microsoft.Compute/galleries/g1"
	inB := "/subscriptions/" + string(subB) + "/resourceGroups/rg1/providers/Microsoft.Compute/galleries/g1"
	for _, tc := range []struct {
		name          string
		rows          *rows
		who           string
		action, scope string
		want          bool
	}{
		{"nothing", people(), "alice", read, g, false},
		{"owner of the group", people().assign(tenantA, alice, owner, group), "alice", write, g, true},
		{"case does not count", people().assign(tenantA, alice, owner, strings.ToUpper(group)), "alice", strings.ToUpper(write), g, true},
		{"owner of another group", people().assign(tenantA, alice, owner, group+"0"), "alice", write, g, false},
		{"reader writes", people().assign(tenantA, alice, reader, "/"), "alice", write, g, false},
		{"reader reads", people().assign(tenantA, alice, reader, "/"), "alice", read, g, true},
		{"through a group", people().assign(tenantA, inner, reader, g), "alice", read, g, true},
		{"through a group of a group", people().assign(tenantA, outer, reader, g), "alice", read, g, true},
		{"owner of all reaches no other tenant", people().assign(tenantA, alice, owner, "/"), "alice", read, inB, false},
		{"owner of all at the root", people().assign(tenantA, alice, owner, "/"), "alice", "Loggia.Cluster/members/delete", "/", true},
		{"owner of another tenant's all has nothing at the root", people().assign(tenantB, bob, owner, "/"), "bob", "Loggia.Cluster/members/delete", "/", false},
		{"owner of another tenant's all has that", people().assign(tenantB, bob, owner, "/"), "bob", write, inB, true},
		{"assigned in another tenant", people().assign(tenantA, bob, reader, g), "bob", read, g, true},
		{"a row that names a foreign scope", people().assign(tenantB, bob, owner, g), "bob", read, g, false},
		{"a subscription that is not there", people().assign(tenantA, alice, owner, "/"), "alice", read, "/subscriptions/00000000-0000-4000-8000-0000000000ee/resourceGroups/x", false},
		{"a role that is not there", people().assign(tenantA, alice, custom, "/"), "alice", read, g, false},
		{"a malformed scope", people().assign(tenantA, alice, owner, "/"), "alice", read, "/subscriptions/" + string(subA) + "/../x", false},
	} {
		a := with(tc.rows)
		p, err := a.Verify(t.Context(), "x.y."+tc.who)
		if err != nil {
			t.Fatal(err)
		}
		err = a.Check(authn.With(t.Context(), p), tc.action, tc.scope)
		if (err == nil) != tc.want || err != nil && !errors.Is(err, gallery.ErrForbidden) {
			t.Errorf("%s: %v, want allowed %v", tc.name, err, tc.want)
		}
		if err != nil && !(strings.Contains(err.Error(), p.Client()) && strings.Contains(err.Error(), string(p.ID)) && strings.Contains(err.Error(), tc.action) && strings.Contains(err.Error(), tc.scope)) {
			t.Errorf("%s: %v does not name client, object, action and scope", tc.name, err)
		}
	}
	a := with(people())
	if err := a.Check(context.Background(), read, g); !errors.Is(err, gallery.ErrUnauthenticated) {
		t.Errorf("nobody: %v", err)
	}
	if err := a.Check(authn.With(t.Context(), authn.Principal{Name: "admin"}), write, inB); err != nil {
		t.Errorf("the operator: %v", err)
	}
}

// TestAll: frames that hold other versions' chunks, too, are for those only who may read all content of the domain.
func TestAll(t *testing.T) {
	sub := "/subscriptions/" + string(subA)
	for _, tc := range []struct {
		name   string
		rows   *rows
		domain gallery.Domain
		want   bool
	}{
		{"owner of the subscription", people().assign(tenantA, alice, owner, sub), gallery.DomainOf(tenantA), true},
		{"owner of another tenant's", people().assign(tenantA, alice, owner, sub), gallery.DomainOf(tenantB), false},
		{"owner of a group", people().assign(tenantA, alice, owner, sub+"/resourceGroups/rg1"), gallery.DomainOf(tenantA), false},
		{"reader, who opens no snapshot", people().assign(tenantA, alice, reader, sub), gallery.DomainOf(tenantA), false},
		{"a domain without subscriptions", people().assign(tenantA, alice, owner, "/"), "nobody", false},
	} {
		a := with(tc.rows)
		p, err := a.Verify(t.Context(), "x.y.alice")
		if err != nil {
			t.Fatal(err)
		}
		if got := (Rights{Access: a}).All(authn.With(t.Context(), p), tc.domain); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
	if (Rights{Access: with(people())}).All(t.Context(), gallery.DomainOf(tenantA)) {
		t.Error("nobody may read all")
	}
}

func TestCustomRoles(t *testing.T) {
	r := people().assign(tenantA, alice, custom, "/")
	r.roles = []*gallery.RoleDefinition{{ID: custom, Tenant: tenantA, Name: "sharer", Permissions: []gallery.Permission{{Actions: []string{"Microsoft.Compute/galleries/*"}, NotActions: []string{"*/delete"}}}}}
	a := with(r)
	p, _ := a.Verify(t.Context(), "x.y.alice")
	ctx, scope := authn.With(t.Context(), p), "/subscriptions/"+string(subA)
	if err := a.Check(ctx, "Microsoft.Compute/galleries/share/action", scope); err != nil {
		t.Error(err)
	}
	if err := a.Check(ctx, "Microsoft.Compute/galleries/delete", scope); err == nil {
		t.Error("notActions are not taken away")
	}
	if got := a.Permissions(ctx, scope); len(got) != 1 || got[0].Actions[0] != "Microsoft.Compute/galleries/*" {
		t.Errorf("permissions %v", got)
	}
	r.roles[0].Tenant = tenantB
	if err := a.Check(ctx, "Microsoft.Compute/galleries/share/action", scope); err == nil {
		t.Error("a role of another tenant gives something")
	}
}

func TestSees(t *testing.T) {
	none := gallery.SubscriptionID("00000000-0000-4000-8000-0000000000ee")
	g := "/subscriptions/" + string(subA) + "/resourceGroups/rg1/providers/Microsoft.Compute/galleries/g1"
	for _, tc := range []struct {
		name string
		rows *rows
		who  string
		sub  gallery.SubscriptionID
		want bool
	}{
		{"own tenant", people(), "alice", subA, true}, {"another tenant", people(), "bob", subA, false}, {"none", people(), "alice", none, false},
		{"another tenant with a right in it", people().assign(tenantA, bob, reader, g), "bob", subA, true},
		{"another tenant with a right above it", people().assign(tenantA, bob, reader, "/"), "bob", subA, true},
		{"another tenant with a right elsewhere", people().assign(tenantB, bob, reader, "/"), "bob", subA, false},
	} {
		a := with(tc.rows)
		p, _ := a.Verify(t.Context(), "x.y."+tc.who)
		if got := a.Sees(authn.With(t.Context(), p), tc.sub); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
	a := with(people())
	operator := authn.With(t.Context(), authn.Principal{Name: "admin"})
	if !a.Sees(operator, subB) || a.Sees(operator, none) || a.Sees(context.Background(), subA) {
		t.Error("the operator sees what exists, nobody sees nothing")
	}
}

func TestNames(t *testing.T) {
	r := people()
	group := "/subscriptions/" + string(subA) + "/resourceGroups/"
	n := Names{func() View { return r }}
	for _, tc := range []struct{ got, want string }{
		{n.Subscription(), "/subscriptions/" + string(subA)},
		{n.Gallery("new"), group + "default/providers/Microsoft.Compute/galleries/new"},
		{n.Version("Secret", "i", "1.0.0"), group + "hidden/providers/Microsoft.Compute/galleries/Secret/images/i/versions/1.0.0"},
		{n.Upload("none").Scope, group + "default"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %s, want %s", tc.got, tc.want)
		}
	}
}

func TestWanted(t *testing.T) {
	n := Names{func() View { return people() }}
	a, b := "/subscriptions/"+string(subA)+"/resourceGroups/rg", "/subscriptions/"+string(subB)+"/resourceGroups/rg"
	const p = "/providers/Microsoft.Compute/"
	for _, tc := range []struct {
		target, action string
		tenant         gallery.TenantID
	}{
		{"", "Microsoft.Compute/galleries/images/versions/write", tenantA},
		{a + p + "galleries/g/images/i/versions/1.0.0", "Microsoft.Compute/galleries/images/versions/write", tenantA},
		{b + p + "galleries/g/applications/a/versions/1.0.0", "Microsoft.Compute/galleries/applications/versions/write", tenantB},
		{strings.ToUpper(b) + p + "Snapshots/s", "Microsoft.Compute/snapshots/write", tenantB},
		{a, "", ""}, {a + p + "galleries/g", "", ""}, {a + p + "galleries/g/images/i/versions", "", ""}, {"/", "", ""}, {"x", "", ""},
		{a + p + "snapshots/..", "", ""}, {a + p + "snapshots/a%2fb", "", ""}, {strings.Repeat("/a", 2000), "", ""},
		{"/subscriptions/00000000-0000-4000-8000-0000000000ee/resourceGroups/rg" + p + "snapshots/s", "", ""},
	} {
		got, tenant, err := n.Wanted(tc.target)
		if tc.action == "" {
			if !errors.Is(err, gallery.ErrInvalid) {
				t.Errorf("Wanted(%q) = %v, %v; want ErrInvalid", clipped(tc.target), got, err)
			}
			continue
		}
		if err != nil || got.Action != tc.action || tenant != tc.tenant || tc.target != "" && !strings.EqualFold(got.Scope, tc.target) {
			t.Errorf("Wanted(%q) = %v, %s, %v; want %s of %s", tc.target, got, tenant, err, tc.action, tc.tenant)
		}
	}
}

func TestRightsOnWhatABodyNames(t *testing.T) {
	g := gallery.GalleryRef{Subscription: subA, Gallery: "g"}
	const used, loaded, none = gallery.DiskID("d1"), gallery.DiskID("d2"), gallery.DiskID("d3")
	scope := "/subscriptions/" + string(subA) + "/resourceGroups/default"
	r := people().assign(tenantA, alice, owner, scope+"/providers/Microsoft.Compute/galleries/g")
	r.versions = []*gallery.ImageVersion{{Ref: gallery.VersionRef{ImageRef: gallery.ImageRef{GalleryRef: g, Image: "i"}, Version: gallery.Version{Major: 1}}, ResourceGroup: "default", Disks: []gallery.VersionDisk{{Disk: used}}}}
	r.uploads = []*gallery.Upload{{ID: "u", Disk: loaded, Target: scope + "/providers/Microsoft.Compute/galleries/g/images/i/versions/2.0.0"}}
	a := with(r)
	rights := Rights{a, Names{func() View { return r }}}
	p, _ := a.Verify(t.Context(), "x.y.alice")
	q, _ := a.Verify(t.Context(), "x.y.bob")
	mine, theirs := authn.With(t.Context(), p), authn.With(t.Context(), q)
	for _, d := range []gallery.DiskID{used, loaded} {
		if err := rights.Disk(mine, d); err != nil {
			t.Errorf("%s: %v", d, err)
		}
	}
	var says []string
	for _, d := range []gallery.DiskID{used, loaded, none} {
		err := rights.Disk(theirs, d)
		if !errors.Is(err, gallery.ErrNotFound) {
			t.Errorf("%s for somebody without a right: %v, want ErrNotFound", d, err)
			continue
		}
		says = append(says, strings.ReplaceAll(err.Error(), string(d), ""))
	}
	if len(slices.Compact(says)) != 1 {
		t.Errorf("refusals differ: %q", says)
	}
	if err := rights.Read(mine, "g", "i", "1.0.0"); err != nil {
		t.Error(err)
	}
	err := rights.Read(theirs, "secret", "i", "1.0.0")
	if !errors.Is(err, gallery.ErrForbidden) || strings.Contains(err.Error(), "hidden") {
		t.Errorf("got %v, want ErrForbidden that does not tell the group", err)
	}
	if _, _, err := rights.Upload(theirs, "", "u"); !errors.Is(err, gallery.ErrForbidden) {
		t.Errorf("got %v", err)
	}
}

// TestRightsEndWhileAnAnswerTakesLong asks again with the principal of a request that began before.
func TestRightsEndWhileAnAnswerTakesLong(t *testing.T) {
	scope := "/subscriptions/" + string(subA)
	for _, tc := range []struct {
		name string
		end  func(*rows, *Access)
	}{
		{"disabled", func(r *rows, _ *Access) { r.principals[0].Disabled = true }},
		{"deleted", func(r *rows, _ *Access) { r.principals = r.principals[1:] }},
		{"expired", func(_ *rows, a *Access) { a.o.Now = func() time.Time { return now.Add(2 * time.Hour) } }},
		{"role taken away", func(r *rows, _ *Access) { r.assignments = nil }},
	} {
		r := people().assign(tenantA, alice, reader, scope)
		a := with(r)
		p, err := a.Verify(t.Context(), "x.y.alice")
		if err != nil {
			t.Fatal(err)
		}
		ctx := authn.With(t.Context(), p)
		if err := a.Check(ctx, read, scope); err != nil {
			t.Fatalf("%s: before: %v", tc.name, err)
		}
		if tc.end(r, a); a.Check(ctx, read, scope) == nil {
			t.Errorf("%s: it may still", tc.name)
		}
	}
	text, hash := authn.NewToken("t1")
	r := people()
	r.tokens = []*gallery.AccessToken{{ID: "t1", Hash: hash, Principal: "admin"}}
	a := with(r)
	p, err := a.Verify(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	if r.tokens = nil; a.Check(authn.With(t.Context(), p), read, scope) == nil {
		t.Error("a revoked token of the operator may still")
	}
}
