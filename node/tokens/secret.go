package tokens

import (
	"crypto/subtle"
	"time"

	"github.com/google/uuid"

	"loggia/gallery"
	"loggia/internal/clientsecret"
	"loggia/internal/digest"
)

// hintLength is how much of a secret is kept in clear, so that people can tell theirs apart.
const hintLength = 3

// NewSecret makes a client secret of 256 random bits: its text, which is shown once, and the row that is kept. It is
// random through and through, so a plain SHA-256 of it cannot be searched.
func NewSecret(name string, expires time.Time) (string, gallery.Secret) {
	text := clientsecret.New()
	return text, gallery.Secret{ID: uuid.NewString(), Hash: digest.Of([]byte(text)), Hint: text[:hintLength], Name: name, Expires: expires}
}

// hasSecret says whether text is one of a principal's secrets that are good at now. Every secret is compared, in
// constant time, and one comparison is made where there is none.
func hasSecret(p *gallery.Principal, text string, now time.Time) bool {
	h := digest.Of([]byte(text))
	if p == nil {
		var nobody digest.Digest
		_ = subtle.ConstantTimeCompare(h[:], nobody[:])
		return false
	}
	good := 0
	for i := range p.Secrets {
		s := &p.Secrets[i]
		same := subtle.ConstantTimeCompare(h[:], s.Hash[:])
		if !s.Expired(now) {
			good |= same
		}
	}
	return good == 1
}

// SecretOf makes the row of a secret whose text the client made, as NewSecret makes it.
func SecretOf(text, name string, expires time.Time) (gallery.Secret, error) {
	if !clientsecret.Valid(text) {
		return gallery.Secret{}, &gallery.Error{Kind: gallery.ErrInvalid, Op: "add secret", Field: "secret", Message: "must be 32 random bytes in base64url without padding"}
	}
	return gallery.Secret{ID: uuid.NewString(), Hash: digest.Of([]byte(text)), Hint: text[:hintLength], Name: name, Expires: expires}, nil
}
