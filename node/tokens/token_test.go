package tokens

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"loggia/api/sts"
	"loggia/gallery"
)

func TestClientGetsAToken(t *testing.T) {
	r := newRig(t)
	text := r.token(t)
	got, err := r.Verify(r.rows, text)
	if err != nil || got.Principal != objectID || got.Tenant != tenantID || !got.Expires.Equal(start.Add(time.Hour)) {
		t.Fatalf("Verify = %+v, %v; want %s of %s until an hour later", got, err, objectID, tenantID)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	// aud must be one text: Terraform reads no list.
	for name, want := range map[string]any{"aud": AudienceOf(clusterID), "iss": IssuerOf(clusterID), "oid": string(objectID), "sub": string(objectID),
		"tid": string(tenantID), "appid": appID, "idtyp": "app", "ver": "1.0", "exp": float64(start.Add(time.Hour).Unix())} {
		if c[name] != want {
			t.Errorf("claim %s = %v, want %v", name, c[name], want)
		}
	}
	if len(text) > maxToken {
		t.Errorf("token has %d bytes", len(text))
	}
}

func TestClientIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*rig, *sts.Grant)
	}{
		{"wrong secret", func(_ *rig, g *sts.Grant) { g.Secret = "wrong" }},
		{"no secret", func(_ *rig, g *sts.Grant) { g.Secret = "" }},
		{"unknown client", func(_ *rig, g *sts.Grant) { g.Client = "00000000-0000-4000-8000-00000000dead" }},
		{"object id for client id", func(_ *rig, g *sts.Grant) { g.Client = string(objectID) }},
		{"disabled", func(r *rig, _ *sts.Grant) { r.rows.principals[0].Disabled = true }},
		{"expired secret", func(r *rig, _ *sts.Grant) { r.now = start.Add(24 * time.Hour) }},
		{"secret removed", func(r *rig, _ *sts.Grant) { r.rows.principals[0].Secrets = nil }},
		{"another tenant", func(_ *rig, g *sts.Grant) { g.Tenant = "00000000-0000-4000-8000-00000000beef" }},
		{"a user", func(r *rig, _ *sts.Grant) { r.rows.principals[0].Kind = gallery.KindUser }},
		{"the hash for the secret", func(r *rig, g *sts.Grant) { g.Secret = r.rows.principals[0].Secrets[0].Hash.String() }},
	} {
		r := newRig(t)
		g := r.grant()
		tc.change(r, &g)
		if a, err := r.Token(t.Context(), g); err != sts.ErrClient {
			t.Errorf("%s: got %v, %v; want the one refusal", tc.name, a, err)
		}
	}
}

func TestSeveralSecrets(t *testing.T) {
	r := newRig(t)
	text, s := NewSecret("two", time.Time{})
	r.rows.principals[0].Secrets = append(r.rows.principals[0].Secrets, s)
	for _, secret := range []string{r.secret, text} {
		g := r.grant()
		g.Secret = secret
		if _, err := r.Token(t.Context(), g); err != nil {
			t.Errorf("secret %s...: %v", secret[:3], err)
		}
	}
	if s.Hint != text[:3] || strings.Contains(s.Hash.String(), text) {
		t.Errorf("row %+v of %s", s, text)
	}
}

// A client that was made on another node a moment ago logs in here, too.
func TestAClientFromElsewhere(t *testing.T) {
	r := newRig(t)
	late := r.rows.principals
	r.rows.principals = nil
	asked := 0
	r.settled = func() { asked++ }
	if _, err := r.Token(t.Context(), r.grant()); !errors.Is(err, sts.ErrClient) || asked != 1 {
		t.Errorf("a client that is nowhere: %v after %d looks at the log, want ErrClient after 1", err, asked)
	}
	r.settled = func() { r.rows.principals = late }
	if _, err := r.Token(t.Context(), r.grant()); err != nil {
		t.Errorf("a client that the log brings: %v", err)
	}
	r.settled = func() { t.Error("a known client waited for the log") }
	if _, err := r.Token(t.Context(), r.grant()); err != nil {
		t.Error(err)
	}
}

func TestNoKeyPasses(t *testing.T) {
	r := newRig(t)
	r.rows.keys = nil
	if _, err := r.Token(t.Context(), r.grant()); !errors.Is(err, gallery.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

// TestTricks forges tokens in every way that is known, each from a good one.
func TestTricks(t *testing.T) {
	r := newRig(t)
	row := r.rows.keys[0]
	private, err := r.keys.signing(row)
	if err != nil {
		t.Fatal(err)
	}
	good := func() map[string]any {
		return map[string]any{"aud": AudienceOf(clusterID), "iss": IssuerOf(clusterID), "oid": objectID, "sub": objectID, "tid": tenantID,
			"iat": start.Unix(), "nbf": start.Unix(), "exp": start.Add(time.Hour).Unix()}
	}
	with := func(name string, v any) map[string]any {
		c := good()
		if v == nil {
			delete(c, name)
		} else {
			c[name] = v
		}
		return c
	}
	ours := func(c map[string]any) string {
		return signed(t, jose.RS256, jose.JSONWebKey{Key: private, KeyID: row.ID}, nil, c)
	}
	if _, err := r.Verify(r.rows, ours(good())); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	pkix, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	hs := func(key []byte) string {
		text := segment(map[string]any{"alg": "HS256", "typ": "JWT", "kid": row.ID}) + "." + segment(good())
		m := hmac.New(sha256.New, key)
		m.Write([]byte(text))
		return text + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
	}
	other := otherRSA()
	parts := strings.Split(ours(good()), ".")
	for _, tc := range []struct{ name, token string }{
		{"empty", ""},
		{"nonsense", "a.b.c"},
		{"alg none", segment(map[string]any{"alg": "none"}) + "." + segment(good()) + "."},
		{"alg None with signature", segment(map[string]any{"alg": "None", "kid": row.ID}) + "." + segment(good()) + "." + parts[2]},
		{"HS256 with the public key", hs(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix}))},
		{"HS256 with the public key in DER", hs(pkix)},
		{"HS256 with the JWK", hs(row.Public)},
		{"HS256 with nothing", hs(nil)},
		{"RS512 with the right key", signed(t, jose.RS512, jose.JSONWebKey{Key: private, KeyID: row.ID}, nil, good())},
		{"PS256 with the right key", signed(t, jose.PS256, jose.JSONWebKey{Key: private, KeyID: row.ID}, nil, good())},
		{"no kid", signed(t, jose.RS256, private, nil, good())},
		{"another kid", signed(t, jose.RS256, jose.JSONWebKey{Key: private, KeyID: "00000000-0000-4000-8000-0000000000ff"}, nil, good())},
		{"kid as a path", signed(t, jose.RS256, jose.JSONWebKey{Key: other, KeyID: "../../../dev/null"}, nil, good())},
		{"another key under our kid", signed(t, jose.RS256, jose.JSONWebKey{Key: other, KeyID: row.ID}, nil, good())},
		{"ES256 under our kid", signed(t, jose.ES256, jose.JSONWebKey{Key: otherEC(), KeyID: row.ID}, nil, good())},
		{"jwk in the header", signed(t, jose.RS256, jose.JSONWebKey{Key: other, KeyID: row.ID}, map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: other.Public()}}, good())},
		{"jku in the header", signed(t, jose.RS256, jose.JSONWebKey{Key: private, KeyID: row.ID}, map[jose.HeaderKey]any{"jku": "https://example.org/keys"}, good())},
		{"x5u in the header", signed(t, jose.RS256, jose.JSONWebKey{Key: private, KeyID: row.ID}, map[jose.HeaderKey]any{"x5u": "https://example.org/cert"}, good())},
		{"crit in the header", segment(map[string]any{"alg": "RS256", "kid": row.ID, "crit": []string{"b64"}, "b64": false}) + "." + parts[1] + "." + parts[2]},
		{"claims changed", parts[0] + "." + segment(with("oid", groupID)) + "." + parts[2]},
		{"signature cut", parts[0] + "." + parts[1] + "." + parts[2][:len(parts[2])-4]},
		{"no signature", parts[0] + "." + parts[1] + "."},
		{"four parts", ours(good()) + ".x"},
		{"five parts", strings.Repeat("e30.", 4) + "e30"},
		{"JSON form", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`},
		{"padding", parts[0] + "=." + parts[1] + "." + parts[2]},
		{"expired", ours(with("exp", start.Add(-3*time.Minute).Unix()))},
		{"never expires", ours(with("exp", nil))},
		{"expires in text", ours(with("exp", "soon"))},
		{"expires below zero", ours(with("exp", -1))},
		{"expires beyond time", ours(with("exp", 1e30))},
		{"not good yet", ours(with("nbf", start.Add(3*time.Minute).Unix()))},
		{"issued in the future", ours(with("iat", start.Add(3*time.Minute).Unix()))},
		{"wrong issuer", ours(with("iss", "https://sts.loggia/other/"))},
		{"issuer without slash", ours(with("iss", strings.TrimSuffix(IssuerOf(clusterID), "/")))},
		{"no issuer", ours(with("iss", nil))},
		{"wrong audience", ours(with("aud", "https://gallery.loggia/other"))},
		{"no audience", ours(with("aud", nil))},
		{"audiences", ours(with("aud", []string{AudienceOf(clusterID), "https://example.org"}))},
		{"no object", ours(with("oid", nil))},
		{"another subject", ours(with("sub", groupID))},
		{"object in upper case", ours(with("oid", strings.ToUpper(string(objectID))))},
		{"too many groups", ours(with("groups", strings.Split(strings.Repeat("g,", MaxGroups), ",")))},
		{"too large", ours(with("name", strings.Repeat("x", maxToken)))},
		{"claims too large", ours(with("name", strings.Repeat("x", maxClaims)))},
		{"claims no object", signed(t, jose.RS256, jose.JSONWebKey{Key: private, KeyID: row.ID}, nil, nil)},
	} {
		if got, err := r.Verify(r.rows, tc.token); !errors.Is(err, gallery.ErrUnauthenticated) {
			t.Errorf("%s: got %+v, %v; want ErrUnauthenticated", tc.name, got, err)
		} else if len(tc.token) > 20 && strings.Contains(err.Error(), tc.token) {
			t.Errorf("%s: the error repeats the token", tc.name)
		}
	}
}

func TestClocksMayDiffer(t *testing.T) {
	r := newRig(t)
	text := r.token(t)
	for _, tc := range []struct {
		name string
		at   time.Time
		good bool
	}{
		{"a minute before", start.Add(-time.Minute), true}, {"three minutes before", start.Add(-3 * time.Minute), false},
		{"at its end", start.Add(TokenLife), true}, {"three minutes after", start.Add(TokenLife + 3*time.Minute), false},
	} {
		r.now = tc.at
		if _, err := r.Verify(r.rows, text); (err == nil) != tc.good {
			t.Errorf("%s: %v, want good %v", tc.name, err, tc.good)
		}
	}
}

// TestRotation turns keys for half a year, looking every hour, and holds what clients rely on.
func TestRotation(t *testing.T) {
	var keys []*gallery.SigningKey
	published := map[string]time.Time{}
	lastSigned := map[string]time.Time{}
	n := 0
	for now := start; now.Before(start.Add(180 * 24 * time.Hour)); now = now.Add(time.Hour) {
		from, add, drop := Rotation(keys, now)
		for _, id := range drop {
			if last := lastSigned[id]; now.Before(last.Add(TokenLife + Skew)) {
				t.Fatalf("at %s: key %s goes, but signed a token at %s", now, id, last)
			}
			keep := keys[:0:0]
			for _, k := range keys {
				if k.ID != id {
					keep = append(keep, k)
				}
			}
			keys = keep
		}
		if add {
			n++
			id := string(rune('a' + n))
			keys = append(keys, &gallery.SigningKey{ID: id, Created: now, NotBefore: from, Retires: from.Add(keyLife)})
			published[id] = now
		}
		signs := current(keys, now)
		if signs == nil {
			t.Fatalf("at %s: no key signs", now)
		}
		if _, begun := lastSigned[signs.ID]; !begun && n > 1 && now.Sub(published[signs.ID]) < keyAhead-Skew {
			t.Errorf("at %s: key %s signs %s after it was published", now, signs.ID, now.Sub(published[signs.ID]))
		}
		lastSigned[signs.ID] = now
		if len(keys) > 3 {
			t.Fatalf("at %s: %d keys", now, len(keys))
		}
	}
	if n < 6 || n > 7 {
		t.Errorf("%d keys in 180 days, want one in 30", n)
	}
}

func TestOldKeySignsUntilThereIsANewOne(t *testing.T) {
	r := newRig(t)
	r.now = start.Add(2 * keyLife)
	if _, err := r.mint(r.rows, r.rows.principals[0], nil, ""); err != nil {
		t.Errorf("a cluster that had no leader for a month issues no tokens: %v", err)
	}
}

func TestKeysOpenOnlyUnderTheirSecretAndID(t *testing.T) {
	r := newRig(t)
	row := *r.rows.keys[0]
	wrong := newKeyring([]byte(strings.Repeat("x", 32)))
	if _, err := wrong.signing(&row); err == nil {
		t.Error("another secret opens the key")
	}
	row.ID = "00000000-0000-4000-8000-0000000000aa"
	if _, err := newKeyring(clusterSecret).signing(&row); err == nil {
		t.Error("the key opens under another id")
	}
}

func FuzzVerify(f *testing.F) {
	r := &rig{now: start, rows: &rows{cluster: gallery.Cluster{ID: clusterID, Tenant: tenantID}}}
	key := firstKey()
	r.rows.keys = []*gallery.SigningKey{&key}
	s := New(Options{State: func() View { return r.rows }, Secret: clusterSecret, Now: func() time.Time { return r.now }})
	m, err := s.mint(r.rows, &gallery.Principal{ID: objectID, Tenant: tenantID}, nil, "")
	if err != nil {
		f.Fatal(err)
	}
	parts := strings.Split(m.Token, ".")
	for _, seed := range []string{"", m.Token, "a.b.c", parts[0] + ".." + parts[2], segment(map[string]any{"alg": "none"}) + "." + parts[1] + ".", strings.Repeat(".", 9000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := s.Verify(r.rows, text)
		if err == nil && got.Principal != objectID { // the last bits of a signature's text may differ
			t.Fatalf("a token that was never issued is good: %q gives %+v", text, got)
		}
		if err != nil && !errors.Is(err, gallery.ErrUnauthenticated) {
			t.Fatalf("error %v is not typed", err)
		}
	})
}
