package sts

import (
	"encoding/base64"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// The bounds of a form.
const (
	maxForm       = 32 << 10 // bytes
	maxParameters = 32
	maxClientID   = 256
	maxSecret     = 1 << 10
	maxJWT        = 8 << 10
)

// Parameters of the token endpoint.
const (
	paramGrant         = "grant_type"
	paramClient        = "client_id"
	paramSecret        = "client_secret"
	paramAssertion     = "client_assertion"
	paramAssertionType = "client_assertion_type"
	paramSubject       = "subject_token"
	paramSubjectType   = "subject_token_type"
	paramRequestedType = "requested_token_type"

	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	typeIDToken   = "urn:ietf:params:oauth:token-type:id_token"
	typeJWT       = "urn:ietf:params:oauth:token-type:jwt"
	typeAccess    = "urn:ietf:params:oauth:token-type:access_token"
)

// readForm reads a request's body; the bytes are returned too, since the leader may have to read them.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, []byte, error) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/x-www-form-urlencoded" {
		return nil, nil, Invalid("Content-Type", "must be application/x-www-form-urlencoded")
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return nil, nil, Invalid("body", "must be a form of at most %d bytes", maxForm)
	}
	v, err := parseForm(string(raw))
	return v, raw, err
}

// parseForm reads a form's parameters. None may be there twice (RFC 6749, section 3.2), and an empty one counts as absent.
func parseForm(raw string) (url.Values, error) {
	if strings.Count(raw, "&") >= maxParameters {
		return nil, Invalid("body", "must have at most %d parameters", maxParameters)
	}
	v, err := url.ParseQuery(raw)
	if err != nil {
		return nil, Invalid("body", "must be a form of type application/x-www-form-urlencoded")
	}
	for name, values := range v {
		if len(values) > 1 && known(name) {
			return nil, Invalid(name, "must not be repeated")
		}
		if values[0] == "" {
			delete(v, name)
		}
	}
	return v, nil
}

func known(name string) bool {
	switch name {
	case paramGrant, paramClient, paramSecret, paramAssertion, paramAssertionType, paramSubject, paramSubjectType, paramRequestedType:
		return true
	}
	return false
}

// grant makes of a form what it asks for.
func grant(v url.Values, authorization string) (Grant, error) {
	g := Grant{Type: v.Get(paramGrant), Client: v.Get(paramClient), Secret: v.Get(paramSecret), Assertion: v.Get(paramAssertion), SubjectToken: v.Get(paramSubject)}
	if err := g.basic(authorization); err != nil {
		return g, err
	}
	for _, p := range []struct {
		name, value string
		limit       int
	}{{paramClient, g.Client, maxClientID}, {paramSecret, g.Secret, maxSecret}, {paramAssertion, g.Assertion, maxJWT}, {paramSubject, g.SubjectToken, maxJWT}} {
		if len(p.value) > p.limit {
			return g, Invalid(p.name, "must have at most %d bytes", p.limit)
		}
	}
	switch g.Type {
	case "":
		return g, Invalid(paramGrant, "is missing")
	case GrantClient:
		return g, g.clientForm(v)
	case GrantExchange:
		return g, g.exchangeForm(v)
	}
	return g, ErrGrantType
}

// basic reads client_secret_basic (RFC 6749, section 2.3.1): both parts are form-encoded once more.
func (g *Grant) basic(authorization string) error {
	scheme, text, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	id, secret, ok := strings.Cut(string(raw), ":")
	if err != nil || !ok {
		return Invalid("Authorization", "must be Basic with client_id:client_secret")
	}
	if id, err = url.QueryUnescape(id); err != nil {
		return Invalid("Authorization", "must hold a form-encoded client_id")
	}
	if secret, err = url.QueryUnescape(secret); err != nil {
		return Invalid("Authorization", "must hold a form-encoded client_secret")
	}
	if g.Client != "" && g.Client != id || g.Secret != "" || g.Assertion != "" {
		return Invalid("Authorization", "must be the only way in which the client authenticates")
	}
	g.Client, g.Secret = id, secret
	return nil
}

func (g *Grant) clientForm(v url.Values) error {
	switch {
	case g.Secret != "" && g.Assertion != "":
		return Invalid(paramAssertion, "must not come beside client_secret")
	case g.Assertion != "" && v.Get(paramAssertionType) != assertionType:
		return Invalid(paramAssertionType, "must be %s", assertionType)
	case g.Assertion == "" && g.Client == "":
		return Invalid(paramClient, "is missing")
	case g.Assertion == "" && g.Secret == "":
		return Invalid(paramSecret, "is missing, and so is client_assertion")
	}
	return nil
}

func (g *Grant) exchangeForm(v url.Values) error {
	switch {
	case g.SubjectToken == "":
		return Invalid(paramSubject, "is missing")
	case v.Get(paramSubjectType) != typeIDToken && v.Get(paramSubjectType) != typeJWT:
		return Invalid(paramSubjectType, "must be %s", typeIDToken)
	}
	if t := v.Get(paramRequestedType); t != "" && t != typeAccess && t != typeJWT {
		return Invalid(paramRequestedType, "must be %s", typeAccess)
	}
	return nil
}
