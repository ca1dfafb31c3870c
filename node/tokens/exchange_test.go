package tokens

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"loggia/api/sts"
	"loggia/gallery"
)

// provider is an outside issuer: a real server, of which every answer may be changed.
type provider struct {
	*httptest.Server
	kid   string
	asked atomic.Int32 // times that the keys were read
	keys  func(w http.ResponseWriter)
	named string // the issuer that its document names; "": itself
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{kid: "outside-1"}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		name := p.named
		if name == "" {
			name = p.URL
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": name, "jwks_uri": p.URL + "/keys"})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.asked.Add(1)
		if p.keys != nil {
			p.keys(w)
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: otherEC().Public(), KeyID: p.kid, Use: "sig"}}})
	})
	p.Server = httptest.NewTLSServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) row() *gallery.Issuer {
	return &gallery.Issuer{ID: issuerID, Tenant: tenantID, Name: "corp", URL: p.URL, ClientID: "loggia-cli", GroupClaim: "groups", ETag: 1,
		CACert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw})}
}

func (p *provider) claims() map[string]any {
	return map[string]any{"iss": p.URL, "aud": "loggia-cli", "sub": "alice", "name": "Alice", "email": "alice@example.org",
		"groups": []string{"builders", "others"}, "exp": start.Add(time.Hour).Unix(), "iat": start.Unix()}
}

func (p *provider) token(t *testing.T, change func(map[string]any)) string {
	t.Helper()
	c := p.claims()
	if change != nil {
		change(c)
	}
	return signed(t, jose.ES256, jose.JSONWebKey{Key: otherEC(), KeyID: p.kid}, nil, c)
}

func exchangeRig(t *testing.T) (*rig, *provider) {
	t.Helper()
	r, p := newRig(t), newProvider(t)
	r.rows.issuers = []*gallery.Issuer{p.row()}
	r.rows.principals = append(r.rows.principals,
		&gallery.Principal{ID: "00000000-0000-4000-8000-0000000000a1", Tenant: tenantID, Kind: gallery.KindUser, Name: "Alice", External: &gallery.ExternalIdentity{Issuer: issuerID, Subject: "alice"}},
		&gallery.Principal{ID: groupID, Tenant: tenantID, Kind: gallery.KindGroup, Name: "builders", External: &gallery.ExternalIdentity{Issuer: issuerID, Subject: "builders"}})
	return r, p
}

func (r *rig) exchanged(t *testing.T, token string) (Bearer, error) {
	t.Helper()
	a, err := r.Token(t.Context(), sts.Grant{Type: sts.GrantExchange, SubjectToken: token})
	if err != nil {
		return Bearer{}, err
	}
	b, err := r.Verify(r.rows, a.Token)
	if err != nil {
		t.Fatalf("the token that was given is refused: %v", err)
	}
	return b, nil
}

func TestExchange(t *testing.T) {
	r, p := exchangeRig(t)
	got, err := r.exchanged(t, p.token(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	// "others" stands for no group here.
	if got.Principal != "00000000-0000-4000-8000-0000000000a1" || !slices.Equal(got.Groups, []gallery.PrincipalID{groupID}) {
		t.Errorf("got %+v, want alice in the group of builders", got)
	}
}

func TestExchangeMapsClaims(t *testing.T) {
	for _, tc := range []struct {
		name   string
		issuer func(*gallery.Issuer)
		claims func(map[string]any)
		groups int
		err    error
	}{
		{"one group as a text", nil, func(c map[string]any) { c["groups"] = "builders" }, 1, nil},
		{"no groups", nil, func(c map[string]any) { delete(c, "groups") }, 0, nil},
		{"groups that are none", nil, func(c map[string]any) { c["groups"] = []any{1, nil, map[string]any{}, "builders", "builders"} }, 1, nil},
		{"a nested claim", func(i *gallery.Issuer) { i.GroupClaim = "realm_access.roles" }, func(c map[string]any) {
			c["realm_access"] = map[string]any{"roles": []string{"builders"}}
		}, 1, nil},
		{"a claim with dots in its name", func(i *gallery.Issuer) { i.GroupClaim = "https://example.org/groups" }, func(c map[string]any) {
			c["https://example.org/groups"] = []string{"builders"}
		}, 1, nil},
		{"a prefix", func(i *gallery.Issuer) { i.GroupPrefix = "loggia-" }, func(c map[string]any) { c["groups"] = []string{"loggia-builders", "builders"} }, 1, nil},
		{"another user claim", func(i *gallery.Issuer) { i.UserClaim = "uid" }, func(c map[string]any) { c["uid"], c["sub"] = "alice", "x" }, 1, nil},
		{"a user claim that is not there", func(i *gallery.Issuer) { i.UserClaim = "uid" }, nil, 0, sts.ErrSubjectToken},
		{"a user that is no text", nil, func(c map[string]any) { c["sub"] = 7 }, 0, sts.ErrSubjectToken},
		{"a user who is not here", nil, func(c map[string]any) { c["sub"] = "bob" }, 0, sts.ErrNoUser},
		{"a group's name as a user", nil, func(c map[string]any) { c["sub"] = "builders" }, 0, sts.ErrNoUser},
		{"too many groups", nil, func(c map[string]any) { c["groups"] = make([]string, maxOutsideGroups+1) }, 0, sts.ErrSubjectToken},
	} {
		r, p := exchangeRig(t)
		if tc.issuer != nil {
			tc.issuer(r.rows.issuers[0])
		}
		got, err := r.exchanged(t, p.token(t, tc.claims))
		if err != tc.err || len(got.Groups) != tc.groups {
			t.Errorf("%s: got %v, %v; want %d groups, %v", tc.name, got, err, tc.groups, tc.err)
		}
	}
}

func TestExchangeRefusesForgeries(t *testing.T) {
	set := func(name string, v any) func(map[string]any) {
		return func(c map[string]any) { c[name] = v }
	}
	for _, tc := range []struct {
		name   string
		change func(map[string]any)
		good   bool
	}{
		{"as it is", nil, true},
		{"another issuer", set("iss", "https://example.org"), false},
		{"for another client", set("aud", "other"), false},
		{"for several with azp", func(c map[string]any) { c["aud"], c["azp"] = []string{"loggia-cli", "x"}, "loggia-cli" }, true},
		{"for several without azp", set("aud", []string{"loggia-cli", "x"}), false},
		{"given to another client", set("azp", "x"), false},
		{"expired", set("exp", start.Add(-3*time.Minute).Unix()), false},
		{"future", set("nbf", start.Add(3*time.Minute).Unix()), false},
	} {
		r, p := exchangeRig(t)
		if _, err := r.exchanged(t, p.token(t, tc.change)); (err == nil) != tc.good || err != nil && err != sts.ErrSubjectToken {
			t.Errorf("%s: %v, want good %v", tc.name, err, tc.good)
		}
	}
	r, p := exchangeRig(t)
	for name, token := range map[string]string{
		"another key":      signed(t, jose.RS256, jose.JSONWebKey{Key: otherRSA(), KeyID: p.kid}, nil, p.claims()),
		"a key in it":      signed(t, jose.RS256, otherRSA(), map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: otherRSA().Public()}}, p.claims()),
		"HS256":            signed(t, jose.HS256, []byte(strings.Repeat("k", 64)), nil, p.claims()),
		"one of our own":   r.token(t),
		"nothing":          "",
		"more than 8 KiB ": strings.Repeat("x", maxToken+1),
	} {
		if _, err := r.exchanged(t, token); err != sts.ErrSubjectToken {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
}

func TestDisabledUserGetsNothing(t *testing.T) {
	r, p := exchangeRig(t)
	r.rows.principals[1].Disabled = true
	if _, err := r.exchanged(t, p.token(t, nil)); err != sts.ErrNoUser {
		t.Errorf("got %v, want ErrNoUser", err)
	}
	r, p = exchangeRig(t)
	r.rows.principals[2].Disabled = true
	if got, err := r.exchanged(t, p.token(t, nil)); err != nil || len(got.Groups) != 0 {
		t.Errorf("a disabled group: got %v, %v", got, err)
	}
}

func TestKeysAreAskedForSeldom(t *testing.T) {
	r, p := exchangeRig(t)
	good := p.token(t, nil)
	for range 5 {
		if _, err := r.exchanged(t, good); err != nil {
			t.Fatal(err)
		}
	}
	p.kid = "outside-2"
	next := p.token(t, nil)
	for range 5 {
		_, _ = r.exchanged(t, next) // a key id that is not known yet
	}
	if n := p.asked.Load(); n != 1 {
		t.Errorf("the issuer was asked %d times, want once in %s", n, askEvery)
	}
	r.now = start.Add(askEvery)
	if _, err := r.exchanged(t, next); err != nil {
		t.Errorf("after %s the new key is not known: %v", askEvery, err)
	}
	p.keys = func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) }
	r.now = start.Add(askEvery + freshFor + time.Minute)
	if _, err := r.exchanged(t, p.token(t, func(c map[string]any) { c["exp"] = start.Add(48 * time.Hour).Unix() })); err != nil {
		t.Errorf("the issuer fails, and its keys are not old: %v", err)
	}
	r.now = start.Add(askEvery + staleFor + time.Hour)
	if _, err := r.exchanged(t, p.token(t, func(c map[string]any) { c["exp"] = start.Add(48 * time.Hour).Unix() })); err != sts.ErrUnavailable {
		t.Errorf("the issuer has failed for a day: %v, want ErrUnavailable", err)
	}
}

func TestIssuerMisbehaves(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*rig, *provider)
	}{
		{"names another issuer", func(_ *rig, p *provider) { p.named = "https://example.org" }},
		{"endless keys", func(_ *rig, p *provider) {
			p.keys = func(w http.ResponseWriter) {
				for range maxDocument/1024 + 2 {
					if _, err := w.Write(make([]byte, 1024)); err != nil {
						return
					}
				}
			}
		}},
		{"too many keys", func(_ *rig, p *provider) {
			p.keys = func(w http.ResponseWriter) {
				_ = json.NewEncoder(w).Encode(map[string]any{"keys": make([]map[string]any, maxOutsideKeys+1)})
			}
		}},
		{"no JSON", func(_ *rig, p *provider) { p.keys = func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>")) } }},
		{"redirects", func(_ *rig, p *provider) {
			p.keys = func(w http.ResponseWriter) {
				w.Header().Set("Location", p.URL+"/.well-known/openid-configuration")
				w.WriteHeader(http.StatusFound)
			}
		}},
		{"another CA", func(r *rig, _ *provider) { r.rows.issuers[0].CACert = nil }},
		{"is gone", func(_ *rig, p *provider) { p.Close() }},
	} {
		r, p := exchangeRig(t)
		token := p.token(t, nil)
		tc.change(r, p)
		for range 2 {
			if _, err := r.exchanged(t, token); err != sts.ErrUnavailable {
				t.Errorf("%s: %v, want ErrUnavailable", tc.name, err)
			}
		}
	}
}

func TestFirstLoginMakesAUser(t *testing.T) {
	r, p := exchangeRig(t)
	r.o.Create = func(_ context.Context, p gallery.Principal) error {
		r.rows.principals = append(r.rows.principals, &p)
		return p.Validate()
	}
	bob := p.token(t, func(c map[string]any) { c["sub"], c["name"] = "bob", "Bob\x00\u202e"+strings.Repeat("é", 200) })
	r.rows.issuers[0].AutoCreate = true
	g := sts.Grant{Type: sts.GrantExchange, SubjectToken: bob}
	if _, err := r.Token(t.Context(), g); err != sts.ErrWrite {
		t.Fatalf("a node that does not lead: %v, want ErrWrite", err)
	}
	g.Write = true
	if _, err := r.Token(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	made := r.rows.principals[len(r.rows.principals)-1]
	if made.Kind != gallery.KindUser || made.Tenant != tenantID || made.External.Subject != "bob" || !gallery.ValidID(string(made.ID)) || len(made.Name) > maxName || strings.Contains(made.Name, "\x00") {
		t.Errorf("made %+v", made)
	}
	g.Write = false
	n := len(r.rows.principals)
	if _, err := r.Token(t.Context(), g); err != nil || len(r.rows.principals) != n {
		t.Errorf("the second login needs a write: %v", err)
	}
}

func FuzzSubjectToken(f *testing.F) {
	row := &gallery.Issuer{ID: issuerID, Tenant: tenantID, GroupClaim: "a.b"}
	for _, seed := range []string{`{}`, `{"sub":"x","a":{"b":["c"]}}`, `{"sub":1}`, `{"sub":"x","a.b":"c"}`, `{"sub":"x","a":null}`, `null`, `[`, `{"sub":"x","exp":1e400}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		got, err := describe(row, payload)
		if err == nil && (got.subject == "" || len(got.subject) > maxSubject || len(got.groups) > maxOutsideGroups) {
			t.Fatalf("%q gives %+v", payload, got)
		}
		if c, err := read(payload); err == nil {
			_ = c.timely(start)
		}
		if n := clip(string(payload)); len(n) > maxName {
			t.Fatalf("name of %d bytes", len(n))
		}
	})
}
