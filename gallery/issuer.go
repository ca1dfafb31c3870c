package gallery

import (
	"strings"
	"time"
)

// Issuer is an outside party (OpenID Connect) that vouches for users and groups of a tenant.
type Issuer struct {
	ID          IssuerID  `cbor:"1,keyasint"`
	Tenant      TenantID  `cbor:"2,keyasint"` // immutable
	Name        string    `cbor:"3,keyasint"` // unique in the cluster; case does not count
	URL         string    `cbor:"4,keyasint"` // exactly its tokens' issuer; unique with the client id
	ClientID    string    `cbor:"5,keyasint"` // the audience of its tokens
	CACert      []byte    `cbor:"6,keyasint,omitempty"`
	UserClaim   string    `cbor:"7,keyasint,omitempty"` // empty: sub
	NameClaim   string    `cbor:"8,keyasint,omitempty"`
	GroupClaim  string    `cbor:"9,keyasint,omitempty"`
	GroupPrefix string    `cbor:"10,keyasint,omitempty"`
	AutoCreate  bool      `cbor:"11,keyasint,omitempty"` // the first login makes the user
	ETag        uint64    `cbor:"12,keyasint"`
	Created     time.Time `cbor:"13,keyasint,omitzero"`
	Updated     time.Time `cbor:"14,keyasint,omitzero"`
}

// Validate checks what needs no other row.
func (i *Issuer) Validate() error {
	var f faults
	f.id("id", string(i.ID))
	f.id("tenant", string(i.Tenant))
	f.unless(madeOf(i.Name, maxStoreName, "._-"), "name", "1 to %d letters, digits, '.', '_' and '-'", maxStoreName)
	f.text("url", i.URL, maxExternalText)
	f.unless(validIssuerURL(i.URL), "url", "http or https with a host and no user, query or fragment")
	f.unless(i.ClientID != "", "clientId", "required")
	f.text("clientId", i.ClientID, maxIssuerClientID)
	f.unless(len(i.CACert) <= maxIssuerCA, "caCert", "at most %d bytes", maxIssuerCA)
	f.text("userClaim", i.UserClaim, maxClaimName)
	f.text("nameClaim", i.NameClaim, maxClaimName)
	f.text("groupClaim", i.GroupClaim, maxClaimName)
	f.text("groupPrefix", i.GroupPrefix, maxClaimName)
	return f.err()
}

// validIssuerURL looks at the shape alone: who asks the issuer parses it for good.
func validIssuerURL(s string) bool {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(s, "http://")
	}
	if !ok || rest == "" || rest[0] == '/' || strings.ContainsAny(rest, "@?#\\ ") {
		return false
	}
	for i := range len(rest) {
		if rest[i] <= ' ' || rest[i] >= 0x7f {
			return false
		}
	}
	return true
}

// CheckUpdate says what of i may not follow old: an *Error of kind ErrImmutable, or nil.
func (i *Issuer) CheckUpdate(old *Issuer) error {
	f := faults{kind: ErrImmutable}
	f.same(i.Tenant == old.Tenant, "tenant")
	return f.err()
}
