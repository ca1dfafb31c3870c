// Package authn tells who is asking.
package authn

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"loggia/internal/digest"
)

// prefix marks an access token, so that people and secret scanners know one when they see it.
const prefix = "loggia-token."

// maxToken bounds the text of a token, in bytes, before it is looked at.
const maxToken = 8 << 10

// ErrMalformed is returned for text that is no access token.
var ErrMalformed = errors.New("malformed access token")

// IsToken says whether text begins as an access token does.
func IsToken(text string) bool { return strings.HasPrefix(text, prefix) }

var encoding = base64.RawURLEncoding.Strict()

// NewToken makes an access token for the id: its text, which is shown once, and the hash that is
// kept. The secret has 256 bits, so a plain SHA-256 of it cannot be searched.
func NewToken(id string) (text string, hash digest.Digest) {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails since Go 1.24
	return prefix + id + "." + encoding.EncodeToString(secret[:]), digest.Of(secret[:])
}

// ParseToken splits a token's text into its id and the hash of its secret.
func ParseToken(text string) (id string, hash digest.Digest, err error) {
	if len(text) > maxToken {
		return "", hash, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, maxToken)
	}
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return "", hash, fmt.Errorf("%w: does not begin with %q", ErrMalformed, prefix)
	}
	id, secret, ok := strings.Cut(rest, ".")
	if !ok || id == "" {
		return "", hash, fmt.Errorf("%w: has no secret", ErrMalformed)
	}
	raw, err := encoding.DecodeString(secret)
	if err != nil || len(raw) != 32 || len(secret) != encoding.EncodedLen(32) { // the decoder passes over line ends
		return "", hash, fmt.Errorf("%w: secret is not 32 bytes of base64url", ErrMalformed)
	}
	return id, digest.Of(raw), nil
}
