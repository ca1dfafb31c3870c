package tokens

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"time"

	"github.com/go-jose/go-jose/v4"

	"loggia/api/sts"
	"loggia/gallery"
)

// The bounds of a client's assertion.
const (
	assertionLife = 10 * time.Minute // it may end at most that far ahead
	maxJTI        = 256
)

// assertedClient is the client that an assertion speaks for, unproven. client_id may be left out (RFC 7521, section
// 4.2); where it is there it must be the same.
func assertedClient(assertion, client string) string {
	if len(assertion) > maxToken {
		return ""
	}
	jws, err := jose.ParseSignedCompact(assertion, outsideAlgorithms)
	if err != nil {
		return ""
	}
	c, err := read(jws.UnsafePayloadWithoutVerification())
	if err != nil || client != "" && c.Subject != client {
		return ""
	}
	return c.Subject
}

// assertion checks a client's assertion (private_key_jwt, RFC 7523) with the principal's keys. Where there is no such
// principal it does the same work with a key that nobody has.
func (s *Service) assertion(_ View, p *gallery.Principal, g sts.Grant) error {
	id := ""
	if p != nil {
		id = string(p.AppID)
	}
	payload, err := open(g.Assertion, outsideAlgorithms, func(kid string, _ jose.SignatureAlgorithm) []any { return s.clientKeys(p, kid) })
	if err != nil {
		return err
	}
	c, err := read(payload)
	if err != nil {
		return err
	}
	now := s.o.Now()
	switch {
	case p == nil || c.Issuer != id || c.Subject != id:
		return refused("iss and sub must be the client's id")
	case !c.Audience.has(g.Audiences...):
		return refused("aud must be the token endpoint or the issuer")
	case c.ID == "" || len(c.ID) > maxJTI:
		return refused("jti must be there and have at most %d bytes", maxJTI)
	}
	if err := c.timely(now); err != nil {
		return err
	}
	until := c.Expires.time().Add(Skew)
	if until.After(now.Add(assertionLife + 2*Skew)) {
		return refused("exp is further ahead than %s", assertionLife)
	}
	switch first, full := s.used.first(id+"\x00"+c.ID, until, now); {
	case full:
		return sts.ErrUnavailable
	case !first:
		return refused("it was used before")
	}
	return nil
}

// clientKeys are the keys of a principal that a kid names, all where it names none of them: certificates are named by
// thumbprints that a JWK need not carry.
func (s *Service) clientKeys(p *gallery.Principal, kid string) []any {
	var all, named []any
	if p != nil {
		for _, row := range p.Keys {
			var k jose.JSONWebKey
			if json.Unmarshal(row.JWK, &k) != nil || !k.Valid() || !k.IsPublic() {
				continue
			}
			all = append(all, k.Key)
			if kid != "" && (row.ID == kid || k.KeyID == kid) {
				named = append(named, k.Key)
			}
		}
	}
	switch {
	case len(named) > 0:
		return named
	case len(all) > 0:
		return all
	}
	return s.decoy()
}

// newDecoy makes a public key whose private half is thrown away.
func newDecoy() []any {
	k, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil
	}
	return []any{k.Public()}
}

// CheckKey refuses a JWK that no client may have: it must be a public key for one of the algorithms that are taken.
func CheckKey(jwk []byte) error {
	var k jose.JSONWebKey
	bad := func(rule string) error {
		return &gallery.Error{Kind: gallery.ErrInvalid, Field: "key", Message: rule}
	}
	if err := json.Unmarshal(jwk, &k); err != nil || !k.Valid() {
		return bad("must be a JWK")
	}
	if !k.IsPublic() {
		return bad("must be the public key alone")
	}
	if r, ok := k.Key.(*rsa.PublicKey); ok && (r.N.BitLen() < keyBits || r.N.BitLen() > 4*keyBits) {
		return bad("an RSA key must have 2048 to 8192 bits")
	}
	if _, symmetric := k.Key.([]byte); symmetric {
		return bad("must be an RSA, EC or Ed25519 key")
	}
	return nil
}
