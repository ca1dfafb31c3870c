package tokens

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"loggia/api/sts"
	"loggia/gallery"
)

const (
	clusterID = gallery.ClusterID("00000000-0000-4000-8000-000000000001")
	tenantID  = gallery.TenantID("00000000-0000-4000-8000-000000000002")
	appID     = "00000000-0000-4000-8000-000000000003"
	objectID  = gallery.PrincipalID("00000000-0000-4000-8000-00000000000a")
	groupID   = gallery.PrincipalID("00000000-0000-4000-8000-000000000005")
	issuerID  = gallery.IssuerID("00000000-0000-4000-8000-000000000006")
)

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// rows is a state.
type rows struct {
	cluster    gallery.Cluster
	keys       []*gallery.SigningKey
	principals []*gallery.Principal
	issuers    []*gallery.Issuer
}

func (r *rows) Cluster() *gallery.Cluster          { return &r.cluster }
func (r *rows) SigningKeys() []*gallery.SigningKey { return r.keys }
func (r *rows) Issuers() []*gallery.Issuer         { return r.issuers }

func (r *rows) SigningKey(id string) *gallery.SigningKey {
	for _, k := range r.keys {
		if k.ID == id {
			return k
		}
	}
	return nil
}

func (r *rows) PrincipalByApp(app gallery.AppID) *gallery.Principal {
	for _, p := range r.principals {
		if p.AppID == app && app != "" {
			return p
		}
	}
	return nil
}

func (r *rows) UserByExternal(x gallery.ExternalIdentity) *gallery.Principal {
	return r.external(x, gallery.KindUser)
}

func (r *rows) GroupByExternal(x gallery.ExternalIdentity) *gallery.Principal {
	return r.external(x, gallery.KindGroup)
}

func (r *rows) external(x gallery.ExternalIdentity, kind gallery.PrincipalKind) *gallery.Principal {
	for _, p := range r.principals {
		if p.External != nil && *p.External == x && p.Kind == kind {
			return p
		}
	}
	return nil
}

// rig is a service over rows, with a clock that stands.
type rig struct {
	*Service
	rows   *rows
	now    time.Time
	secret string
	// settled is called where the state is brought up to date.
	settled func()
}

var clusterSecret = make([]byte, 32)

// firstKey is made once: RSA keys are slow.
var firstKey = sync.OnceValue(func() gallery.SigningKey {
	k, err := NewSigningKey(clusterSecret, start.Add(-time.Hour))
	if err != nil {
		panic(err)
	}
	return k
})

func newRig(t *testing.T) *rig {
	t.Helper()
	key := firstKey()
	r := &rig{now: start, settled: func() {}}
	text, secret := NewSecret("one", start.Add(24*time.Hour))
	r.secret = text
	r.rows = &rows{cluster: gallery.Cluster{ID: clusterID, Tenant: tenantID}, keys: []*gallery.SigningKey{&key},
		principals: []*gallery.Principal{{ID: objectID, Tenant: tenantID, Kind: gallery.KindServicePrincipal, AppID: appID, Name: "deployer", Secrets: []gallery.Secret{secret}}}}
	r.Service = New(Options{State: func() View { return r.rows }, Settle: func(context.Context) { r.settled() }, Secret: clusterSecret, Now: func() time.Time { return r.now }, Logger: slog.New(slog.DiscardHandler)})
	return r
}

func (r *rig) grant() sts.Grant {
	return sts.Grant{Type: sts.GrantClient, Client: appID, Secret: r.secret}
}

func (r *rig) token(t *testing.T) string {
	t.Helper()
	a, err := r.Token(t.Context(), r.grant())
	if err != nil {
		t.Fatal(err)
	}
	return a.Token
}

var (
	otherRSA = sync.OnceValue(func() *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return k
	})
	otherEC = sync.OnceValue(func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		return k
	})
)

// signed makes a token with any header.
func signed(t *testing.T, alg jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any, claims map[string]any) string {
	t.Helper()
	o := (&jose.SignerOptions{}).WithType("JWT")
	for k, v := range header {
		o = o.WithHeader(k, v)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign(b)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func segment(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}
