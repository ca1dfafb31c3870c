package v1

import (
	"encoding/json"
	"time"
)

// Identity is who a token stands for.
type Identity struct {
	ID       string    `json:"id,omitempty"` // object id; empty for the operator
	Kind     string    `json:"kind"`         // Operator, User, ServicePrincipal
	Name     string    `json:"name"`
	ClientID string    `json:"clientId,omitempty"`
	Tenant   string    `json:"tenant,omitempty"`
	Groups   []string  `json:"groups,omitempty"` // object ids, nested ones too
	Expires  time.Time `json:"expires,omitzero"` // of what was shown
	// Region is that of the node that was asked, Subscription the default one, for who belongs to its tenant.
	Region       string `json:"region"`
	Subscription string `json:"subscription,omitempty"`
}

// Bootstrap is the answer to the first making of a principal: what programs log in with.
type Bootstrap struct {
	Tenant       string `json:"tenant"`
	Subscription string `json:"subscription"`
	ID           string `json:"id"` // object id
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret,omitempty"` // shown once
}

// BootstrapRequest makes the first service principal and gives it everything, once in a cluster's life.
type BootstrapRequest struct {
	Name string `json:"name,omitempty"` // default: owner
	// Secret is made by the client, so that a request sent again still has it: 32 random bytes in base64url. Empty: the node makes it.
	Secret string `json:"secret,omitempty"`
}

// Principal is a user, a group or a service principal.
type Principal struct {
	ID       string    `json:"id"`
	Tenant   string    `json:"tenant"`
	Kind     string    `json:"kind"` // User, Group, ServicePrincipal
	Name     string    `json:"name"`
	ClientID string    `json:"clientId,omitempty"`
	UserName string    `json:"userName,omitempty"`
	Issuer   string    `json:"issuer,omitempty"`  // name of the outside issuer that vouches for it
	Subject  string    `json:"subject,omitempty"` // there; of a group its value in the group claim
	Groups   []string  `json:"groups,omitempty"`  // direct memberships
	Secrets  []Secret  `json:"secrets,omitempty"`
	Keys     []string  `json:"keys,omitempty"` // ids of public keys
	Disabled bool      `json:"disabled,omitempty"`
	Created  time.Time `json:"created,omitzero"`
	ETag     string    `json:"etag,omitempty"`
}

// PrincipalRequest makes a principal.
type PrincipalRequest struct {
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	UserName string `json:"userName,omitempty"`
	Issuer   string `json:"issuer,omitempty"`  // name or id
	Subject  string `json:"subject,omitempty"` //
	Tenant   string `json:"tenant,omitempty"`  // default: the caller's, or the default one
}

// Tenant is an organisation: its principals, and the border of what is shared and deduplicated.
type Tenant struct {
	ID      string    `json:"id,omitempty"`
	Name    string    `json:"name"`
	Default bool      `json:"default,omitempty"`
	Created time.Time `json:"created,omitzero"`
}

// Subscription holds the resource groups of a tenant.
type Subscription struct {
	ID      string    `json:"id,omitempty"`
	Tenant  string    `json:"tenant"`
	Name    string    `json:"name"`
	Default bool      `json:"default,omitempty"`
	Created time.Time `json:"created,omitzero"`
}

// PrincipalPatch changes what is present.
type PrincipalPatch struct {
	Name     *string `json:"name,omitempty"`
	Disabled *bool   `json:"disabled,omitempty"`
}

// Secret is a client secret. Its text is in the answer to its making and nowhere else.
type Secret struct {
	ID      string    `json:"id"`
	Name    string    `json:"name,omitempty"`
	Hint    string    `json:"hint,omitempty"` // its first letters
	Secret  string    `json:"secret,omitempty"`
	Created time.Time `json:"created,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
}

// SecretRequest makes a client secret.
type SecretRequest struct {
	Name   string `json:"name,omitempty"`
	TTL    string `json:"ttl,omitempty"`    // default: a year
	Secret string `json:"secret,omitempty"` // as in BootstrapRequest
}

// KeyRequest adds a public key that a client signs its assertions with.
type KeyRequest struct {
	JWK json.RawMessage `json:"jwk"`
}

// Issuer is an outside OpenID Connect issuer.
type Issuer struct {
	ID          string `json:"id,omitempty"`
	Name        string `json:"name"`
	URL         string `json:"url"`
	ClientID    string `json:"clientId"`
	CACert      string `json:"caCert,omitempty"` // PEM
	UserClaim   string `json:"userClaim,omitempty"`
	NameClaim   string `json:"nameClaim,omitempty"`
	GroupClaim  string `json:"groupClaim,omitempty"`
	GroupPrefix string `json:"groupPrefix,omitempty"` // values without it are not looked at, and it is cut off
	AutoCreate  bool   `json:"autoCreate,omitempty"`
	Tenant      string `json:"tenant,omitempty"`
}

// LoginIssuer is what a person's client needs of an issuer to log in there.
type LoginIssuer struct {
	Name     string `json:"name"`
	URL      string `json:"url"`
	ClientID string `json:"clientId"`
	CACert   string `json:"caCert,omitempty"`
}

// Role is a role that can be assigned.
type Role struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	BuiltIn     bool   `json:"builtIn,omitempty"`
}

// Assignment gives a principal a role at a scope and below.
type Assignment struct {
	ID        string    `json:"id"`
	Principal string    `json:"principal"`
	Name      string    `json:"name,omitempty"` // of the principal
	Role      string    `json:"role"`           // its name
	RoleID    string    `json:"roleId"`
	Scope     string    `json:"scope"`
	Created   time.Time `json:"created,omitzero"`
}

// AssignmentRequest assigns a role.
type AssignmentRequest struct {
	Principal string `json:"principal"` // object id, client id or user name
	Role      string `json:"role"`      // name or id
	Scope     string `json:"scope"`     // canonical id; / is everything
}
