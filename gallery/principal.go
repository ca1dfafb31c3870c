package gallery

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"loggia/internal/digest"
)

// PrincipalKind says what a principal is.
type PrincipalKind string

// The kinds of principals.
const (
	KindUser             PrincipalKind = "User"
	KindGroup            PrincipalKind = "Group"
	KindServicePrincipal PrincipalKind = "ServicePrincipal"
)

// Valid says whether k is a kind of principal.
func (k PrincipalKind) Valid() bool {
	return k == KindUser || k == KindGroup || k == KindServicePrincipal
}

// ExternalIdentity is who an outside issuer says that somebody is.
type ExternalIdentity struct {
	Issuer  IssuerID `cbor:"1,keyasint"`
	Subject string   `cbor:"2,keyasint"` // of a user; of a group its value in the group claim
}

// Secret is a service principal's password. Only its hash is kept.
type Secret struct {
	ID      string        `cbor:"1,keyasint"`          // a UUID
	Hash    digest.Digest `cbor:"2,keyasint,omitzero"` // SHA-256 of the text, which holds 256 random bits
	Hint    string        `cbor:"3,keyasint,omitempty"`
	Name    string        `cbor:"4,keyasint,omitempty"`
	Created time.Time     `cbor:"5,keyasint,omitzero"`
	Expires time.Time     `cbor:"6,keyasint,omitzero"` // zero: never
}

// Expired says whether the secret is no longer good at now.
func (s *Secret) Expired(now time.Time) bool { return !s.Expires.IsZero() && !now.Before(s.Expires) }

// PublicKey checks a service principal's client assertions.
type PublicKey struct {
	ID  string `cbor:"1,keyasint"` // its kid
	JWK []byte `cbor:"2,keyasint"` // JSON (RFC 7517), public members only
}

// Bounds of a principal.
const (
	MaxSecrets        = 16
	MaxSecretHint     = 3
	MaxPublicKeys     = 8
	MaxJWK            = 2 << 10 // bytes
	MaxGroups         = 200     // direct memberships
	MaxGroupDepth     = 8
	MaxGroupClosure   = 1000 // memberships, direct or not
	maxKeyID          = 128
	maxUserName       = 254 // a mail address
	maxSubject        = 255 // OpenID Connect's bound
	maxExternalText   = 1024
	maxIssuerCA       = 8 << 10
	maxClaimName      = 64
	maxIssuerClientID = 256
)

// Principal is a user, a group or a service principal of a tenant.
type Principal struct {
	ID       PrincipalID       `cbor:"1,keyasint"` // the object id
	Tenant   TenantID          `cbor:"2,keyasint"`
	Kind     PrincipalKind     `cbor:"3,keyasint"`           // immutable
	AppID    AppID             `cbor:"4,keyasint,omitempty"` // of a service principal: its client id, unique and immutable
	Name     string            `cbor:"5,keyasint"`
	UserName string            `cbor:"6,keyasint,omitempty"` // of a user: unique in the tenant; case does not count
	External *ExternalIdentity `cbor:"7,keyasint,omitempty"` // unique
	Groups   []PrincipalID     `cbor:"8,keyasint,omitempty"` // that it is a direct member of
	Secrets  []Secret          `cbor:"9,keyasint,omitempty"`
	Keys     []PublicKey       `cbor:"10,keyasint,omitempty"`
	Disabled bool              `cbor:"11,keyasint,omitempty"` // it has no rights and gets no tokens
	ETag     uint64            `cbor:"12,keyasint"`
	Created  time.Time         `cbor:"13,keyasint,omitzero"`
	Updated  time.Time         `cbor:"14,keyasint,omitzero"`
}

// Secret returns the secret with an id, or nil.
func (p *Principal) Secret(id string) *Secret {
	if i := slices.IndexFunc(p.Secrets, func(s Secret) bool { return s.ID == id }); i >= 0 {
		return &p.Secrets[i]
	}
	return nil
}

// SecretByHash returns the secret with a hash that has not expired, or nil. All are looked at, whichever fits (S6).
func (p *Principal) SecretByHash(hash digest.Digest, now time.Time) *Secret {
	var found *Secret
	for i := range p.Secrets {
		if s := &p.Secrets[i]; s.Hash == hash && !s.Expired(now) {
			found = s
		}
	}
	return found
}

// Validate checks what needs no other row.
func (p *Principal) Validate() error {
	var f faults
	f.id("id", string(p.ID))
	f.id("tenant", string(p.Tenant))
	f.unless(p.Kind.Valid(), "kind", "User, Group or ServicePrincipal")
	f.unless(p.Name != "", "name", "required")
	f.text("name", p.Name, maxDisplay)
	f.text("userName", p.UserName, maxUserName)
	f.unless(p.UserName == "" || p.Kind == KindUser, "userName", "of a user only")
	f.unless((p.AppID != "") == (p.Kind == KindServicePrincipal), "appId", "of a service principal, which has one")
	if p.AppID != "" {
		f.id("appId", string(p.AppID))
	}
	f.unless(p.Kind == KindServicePrincipal || len(p.Secrets)+len(p.Keys) == 0, "secrets", "secrets and keys of a service principal only")
	f.external(p)
	f.groups(p)
	f.unless(len(p.Secrets) <= MaxSecrets, "secrets", "at most %d", MaxSecrets)
	for i := range p.Secrets {
		f.secret(fmt.Sprintf("secrets[%d]", i), &p.Secrets[i])
		f.unless(!slices.ContainsFunc(p.Secrets[:i], func(o Secret) bool { return o.ID == p.Secrets[i].ID }), fmt.Sprintf("secrets[%d].id", i), "not given twice")
	}
	f.keys(p.Keys)
	return f.err()
}

func (f *faults) external(p *Principal) {
	if p.External == nil {
		return
	}
	f.unless(p.Kind != KindServicePrincipal, "external", "of a user or a group only")
	f.id("external.issuer", string(p.External.Issuer))
	f.unless(p.External.Subject != "", "external.subject", "required")
	f.text("external.subject", p.External.Subject, maxSubject)
}

func (f *faults) groups(p *Principal) {
	f.unless(len(p.Groups) <= MaxGroups, "groups", "at most %d", MaxGroups)
	for i, g := range p.Groups {
		at := fmt.Sprintf("groups[%d]", i)
		f.id(at, string(g))
		f.unless(g != p.ID, at, "a group is no member of itself")
		f.unless(!slices.Contains(p.Groups[:i], g), at, "not named twice")
	}
}

// Validate checks what needs no other row.
func (s *Secret) Validate() error {
	var f faults
	f.secret("secret", s)
	return f.err()
}

func (f *faults) secret(at string, s *Secret) {
	f.id(at+".id", s.ID)
	f.unless(!s.Hash.IsZero(), at+".hash", "required")
	f.text(at+".hint", s.Hint, MaxSecretHint)
	f.text(at+".name", s.Name, maxTokenName)
}

func (f *faults) keys(keys []PublicKey) {
	f.unless(len(keys) <= MaxPublicKeys, "keys", "at most %d", MaxPublicKeys)
	for i, k := range keys {
		at := fmt.Sprintf("keys[%d]", i)
		f.unless(k.ID != "" && len(k.ID) <= maxKeyID && utf8.ValidString(k.ID), at+".id", "1 to %d bytes", maxKeyID)
		f.unless(len(k.JWK) <= MaxJWK && json.Valid(k.JWK), at+".jwk", "JSON of at most %d bytes", MaxJWK)
		f.unless(!slices.ContainsFunc(keys[:i], func(o PublicKey) bool { return o.ID == k.ID }), at+".id", "not given twice")
	}
}

// CheckUpdate says what of p may not follow old: an *Error of kind ErrImmutable, or nil.
func (p *Principal) CheckUpdate(old *Principal) error {
	f := faults{kind: ErrImmutable}
	f.same(p.Tenant == old.Tenant, "tenant")
	f.same(p.Kind == old.Kind, "kind")
	f.same(p.AppID == old.AppID, "appId")
	return f.err()
}
