package tokens

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"loggia/api/sts"
	"loggia/gallery"
)

func jwk(t *testing.T, key any, kid string) []byte {
	t.Helper()
	b, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: kid})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const endpoint = "https://gallery.example.org/adfs/oauth2/token"

func TestAssertions(t *testing.T) {
	good := func() map[string]any {
		return map[string]any{"iss": appID, "sub": appID, "aud": endpoint, "jti": "one", "exp": start.Add(5 * time.Minute).Unix(), "iat": start.Unix()}
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
	mine, stranger := otherRSA(), otherEC()
	by := func(kid string, c map[string]any) string {
		return signed(t, jose.RS256, jose.JSONWebKey{Key: mine, KeyID: kid}, nil, c)
	}
	hdr := func(c map[string]any, h map[jose.HeaderKey]any) string { return signed(t, jose.PS256, mine, h, c) }
	for _, tc := range []struct {
		name, assertion string
		good            bool
	}{
		{"by the key's id", by("mine", good()), true},
		{"by a thumbprint, as MSAL does", hdr(good(), map[jose.HeaderKey]any{"x5t": "AAAA"}), true},
		{"for the issuer", by("mine", with("aud", IssuerOf(clusterID))), true},
		{"for several, us among them", by("mine", with("aud", []string{"https://example.org", endpoint})), true},
		{"expired", by("mine", with("exp", start.Add(-3*time.Minute).Unix())), false},
		{"never expires", by("mine", with("exp", nil)), false},
		{"lives too long", by("mine", with("exp", start.Add(time.Hour).Unix())), false},
		{"not good yet", by("mine", with("nbf", start.Add(5*time.Minute).Unix())), false},
		{"for another server", by("mine", with("aud", "https://example.org/token")), false},
		{"for nobody", by("mine", with("aud", nil)), false},
		{"no jti", by("mine", with("jti", nil)), false},
		{"long jti", by("mine", with("jti", strings.Repeat("j", 257))), false},
		{"of another issuer", by("mine", with("iss", "someone")), false},
		{"for another client", by("mine", with("sub", "00000000-0000-4000-8000-0000000000ee")), false},
		{"by a stranger's key", signed(t, jose.ES256, jose.JSONWebKey{Key: stranger, KeyID: "mine"}, nil, good()), false},
		{"by a stranger's key in the header", signed(t, jose.ES256, stranger, map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: stranger.Public()}}, good()), false},
		{"HS256 with the client's secret", signed(t, jose.HS256, []byte(strings.Repeat("s", 43)), nil, good()), false},
		{"nonsense", "nonsense", false},
		{"too large", by("mine", with("x", strings.Repeat("x", maxToken))), false},
	} {
		r := newRig(t)
		r.rows.principals[0].Keys = []gallery.PublicKey{{ID: "k", JWK: jwk(t, mine.Public(), "mine")}, {ID: "l", JWK: []byte("damaged")}}
		g := sts.Grant{Type: sts.GrantClient, Assertion: tc.assertion, Audiences: []string{IssuerOf(clusterID), endpoint}}
		_, err := r.Token(t.Context(), g)
		switch {
		case tc.good && err != nil:
			t.Errorf("%s: %v", tc.name, err)
		case !tc.good && err != sts.ErrClient:
			t.Errorf("%s: got %v, want the one refusal", tc.name, err)
		}
		if !tc.good {
			continue
		}
		if _, err := r.Token(t.Context(), g); err != sts.ErrClient {
			t.Errorf("%s, once more: got %v, want a refusal", tc.name, err)
		}
		g.Client = "00000000-0000-4000-8000-0000000000ee"
		if _, err := r.Token(t.Context(), g); err != sts.ErrClient {
			t.Errorf("%s, with another client_id beside: got %v, want a refusal", tc.name, err)
		}
	}
}

func TestReplayTableIsBounded(t *testing.T) {
	r := replay{seen: map[string]time.Time{}}
	for i := range maxReplay {
		if ok, full := r.first(strconv.Itoa(i), start.Add(time.Minute), start); !ok || full {
			t.Fatalf("entry %d: %v, %v", i, ok, full)
		}
	}
	if ok, full := r.first("one more", start.Add(time.Minute), start); ok || !full {
		t.Errorf("above the bound: %v, %v; want it to be refused as full", ok, full)
	}
	if ok, _ := r.first("one more", start.Add(time.Hour), start.Add(2*time.Minute)); !ok || len(r.seen) != 1 {
		t.Errorf("what has passed was not forgotten: %d left", len(r.seen))
	}
}

func TestCheckKey(t *testing.T) {
	for _, tc := range []struct {
		name string
		jwk  []byte
		good bool
	}{
		{"RSA", jwk(t, otherRSA().Public(), ""), true}, {"EC", jwk(t, otherEC().Public(), ""), true},
		{"private", jwk(t, otherEC(), ""), false}, {"symmetric", jwk(t, []byte("secret"), ""), false}, {"nonsense", []byte("{"), false}, {"empty", nil, false},
	} {
		if err := CheckKey(tc.jwk); (err == nil) != tc.good || err != nil && !errors.Is(err, gallery.ErrInvalid) {
			t.Errorf("%s: %v, want good %v", tc.name, err, tc.good)
		}
	}
}
