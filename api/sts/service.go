package sts

import (
	"context"
	"encoding/json"
	"time"

	"loggia/gallery"
)

// Service is what the handlers ask of the node.
type Service interface {
	// Names says what the documents call the cluster; it fails before the cluster is founded.
	Names() (Names, error)
	// Keys returns the public keys that tokens may be signed with, each a JWK.
	Keys() []json.RawMessage
	// Token answers a grant. Its errors are *Error, or ErrWrite where the grant must be answered by a node that leads.
	Token(ctx context.Context, g Grant) (Answer, error)
}

// Names are the cluster's names in tokens and documents.
type Names struct {
	Cluster  gallery.ClusterID
	Tenant   gallery.TenantID // the default one
	Issuer   string           // of access tokens
	Audience string           // of access tokens
}

// Grant is a request for a token whose form is right.
type Grant struct {
	Type         string   // GrantClient or GrantExchange
	Tenant       string   // as the path names it; "": any
	Client       string   // its id
	Secret       string   // or
	Assertion    string   // RFC 7523
	Audiences    []string // what the assertion may be for
	SubjectToken string   // an outside issuer's ID token
	Write        bool     // this node leads: it may write
}

// The grants.
const (
	GrantClient   = "client_credentials"
	GrantExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// Answer is an access token.
type Answer struct {
	Token           string
	Issued, Expires time.Time
}
