// Package membership is how a node comes to its cluster: the token it joins with, and whom it trusts with it.
package membership

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"loggia/internal/digest"
)

// Token is what a new node is given: whom to trust, and what to show.
type Token struct {
	CA     digest.Digest // of the cluster's CA certificate
	ID     string        // UUID of the token's row
	Secret [32]byte
}

const (
	prefix  = "loggia1."
	idSize  = 16
	sumSize = 4
	size    = digest.Size + idSize + 32 + sumSize
)

// ErrToken is returned for text that is no join token.
var ErrToken = errors.New("join token")

var encoding = base64.RawURLEncoding.Strict()

// Format writes the token: prefix, then in base64url the CA's hash, id, secret and the first four
// bytes of their SHA-256, which catches a token that was cut or mistyped.
func (t Token) Format() (string, error) {
	id, err := hex.DecodeString(strings.ReplaceAll(t.ID, "-", ""))
	if err != nil || len(id) != idSize {
		return "", fmt.Errorf("%w: id %q is no UUID", ErrToken, t.ID)
	}
	b := append(append(bytes.Clone(t.CA[:]), id...), t.Secret[:]...)
	sum := sha256.Sum256(b)
	return prefix + encoding.EncodeToString(append(b, sum[:sumSize]...)), nil
}

// Parse reads what Format writes.
func Parse(s string) (Token, error) {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return Token{}, fmt.Errorf("%w: does not begin with %q", ErrToken, prefix)
	}
	if len(rest) != encoding.EncodedLen(size) {
		return Token{}, fmt.Errorf("%w: has %d characters, want %d: was it cut?", ErrToken, len(s), len(prefix)+encoding.EncodedLen(size))
	}
	b, err := encoding.DecodeString(rest)
	if err != nil || len(b) != size { // the decoder passes over line ends
		return Token{}, fmt.Errorf("%w: is no base64url", ErrToken)
	}
	body, sum := b[:size-sumSize], sha256.Sum256(b[:size-sumSize])
	if !bytes.Equal(b[size-sumSize:], sum[:sumSize]) {
		return Token{}, fmt.Errorf("%w: checksum is wrong: was it mistyped?", ErrToken)
	}
	id := hex.EncodeToString(body[digest.Size : digest.Size+idSize])
	t := Token{CA: digest.Digest(body[:digest.Size]), ID: id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]}
	copy(t.Secret[:], body[digest.Size+idSize:])
	return t, nil
}

// Hash is what the log keeps of the secret.
func (t Token) Hash() digest.Digest { return digest.Of(t.Secret[:]) }
