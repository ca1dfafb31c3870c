package tokens

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"loggia/gallery"
)

// The bounds of a token that is looked at.
const (
	maxToken  = 8 << 10 // bytes, before anything is parsed
	maxClaims = 6 << 10 // bytes of its payload
)

// Skew is how far clocks may be apart.
const Skew = 2 * time.Minute

// The algorithms that are taken from others. Ours is RS256 alone.
var (
	ownAlgorithms     = []jose.SignatureAlgorithm{jose.RS256}
	outsideAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.EdDSA}
)

// errToken is what every refusal of a token's text is.
var errToken = errors.New("token refused")

func refused(why string, args ...any) error {
	return fmt.Errorf("%w: %s", errToken, fmt.Sprintf(why, args...))
}

// keysOf returns the public keys that a key id may mean; none: it is not known. Keys come from the state or from an
// issuer's own document, never from a token.
type keysOf func(id string, alg jose.SignatureAlgorithm) []any

// claims is what is read of every token.
type claims struct {
	Issuer    string    `json:"iss"`
	Subject   string    `json:"sub"`
	Audience  audience  `json:"aud"`
	ID        string    `json:"jti"`
	Expires   *unixTime `json:"exp"`
	NotBefore *unixTime `json:"nbf"`
	Issued    *unixTime `json:"iat"`
}

// open checks a token's form and signature and returns its payload. What the header says of keys is refused rather
// than ignored: who sends it wants us to use it.
func open(token string, algs []jose.SignatureAlgorithm, keys keysOf) ([]byte, error) {
	if len(token) > maxToken {
		return nil, refused("longer than %d bytes", maxToken)
	}
	if strings.Count(token, ".") != 2 {
		return nil, refused("not three parts")
	}
	jws, err := jose.ParseSignedCompact(token, algs)
	if err != nil {
		return nil, refused("no signed token of a known algorithm")
	}
	if len(jws.Signatures) != 1 {
		return nil, refused("not one signature")
	}
	h := jws.Signatures[0].Protected
	if err := header(h); err != nil {
		return nil, err
	}
	payload, err := verified(jws, keys(h.KeyID, jose.SignatureAlgorithm(h.Algorithm)))
	if err != nil {
		return nil, err
	}
	if len(payload) > maxClaims {
		return nil, refused("claims of more than %d bytes", maxClaims)
	}
	return payload, nil
}

func verified(jws *jose.JSONWebSignature, keys []any) ([]byte, error) {
	if len(keys) == 0 {
		return nil, errUnknownKey
	}
	for _, k := range keys {
		if payload, err := jws.Verify(k); err == nil {
			return payload, nil
		}
	}
	return nil, refused("the signature is wrong")
}

// errUnknownKey says that a token names a key that is not known.
var errUnknownKey = refused("signed with a key that is not known")

func header(h jose.Header) error {
	if h.JSONWebKey != nil {
		return refused("its header carries a key")
	}
	for _, name := range []jose.HeaderKey{"jku", "x5u", "x5c", "jwk"} {
		if _, ok := h.ExtraHeaders[name]; ok {
			return refused("its header carries %s", name)
		}
	}
	if len(h.KeyID) > 256 {
		return refused("its kid is longer than 256 bytes")
	}
	return nil
}

// read decodes claims.
func read(payload []byte) (claims, error) {
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return c, refused("its claims are malformed")
	}
	return c, nil
}

// timely checks the times of a token: it must say when it ends.
func (c *claims) timely(now time.Time) error {
	switch {
	case c.Expires == nil:
		return refused("it never expires")
	case !now.Before(c.Expires.time().Add(Skew)):
		return errExpired
	case c.NotBefore != nil && now.Add(Skew).Before(c.NotBefore.time()):
		return refused("it is not good yet")
	case c.Issued != nil && now.Add(Skew).Before(c.Issued.time()):
		return refused("it was issued in the future")
	}
	return nil
}

// errExpired is a refusal that people can act on: they log in again.
var errExpired = refused("it has expired")

// unixTime is a number of seconds since 1970 (RFC 7519: NumericDate), a fraction is cut off.
type unixTime int64

// maxUnix is the end of the year 9999.
const maxUnix = 253402300799

func (t *unixTime) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	if f < 0 || f > maxUnix {
		return errors.New("time out of range")
	}
	*t = unixTime(f)
	return nil
}

func (t unixTime) time() time.Time { return time.Unix(int64(t), 0) }

// audience is one text or a list of them.
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// is says whether the token is for aud and nobody else.
func (a audience) is(aud string) bool { return len(a) == 1 && a[0] == aud }

func (a audience) has(aud ...string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(aud, s) })
}

// reason is why a token was refused, for its bearer.
func reason(err error) string {
	return strings.TrimPrefix(err.Error(), errToken.Error()+": ")
}

func unauthenticated(why string) error {
	return &gallery.Error{Kind: gallery.ErrUnauthenticated, Op: "authenticate", Message: why}
}
