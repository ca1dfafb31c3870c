package gallery

import (
	"encoding/json"
	"time"
	"unicode/utf8"
)

// SigningKey signs the cluster's access tokens. Each node can unseal it, so logins need no leader.
type SigningKey struct {
	ID        string    `cbor:"1,keyasint"`           // its kid
	Public    []byte    `cbor:"2,keyasint"`           // a JWK (RFC 7517)
	Private   []byte    `cbor:"3,keyasint,omitempty"` // sealed with the cluster's secret; never the plain key
	Created   time.Time `cbor:"4,keyasint,omitzero"`
	NotBefore time.Time `cbor:"5,keyasint,omitzero"` // published before, used from then on
	Retires   time.Time `cbor:"6,keyasint,omitzero"` // not used any more from then on; zero: not yet known
}

// Bounds of signing keys.
const (
	MaxSigningKeys = 16      // rows
	MaxSealedKey   = 8 << 10 // bytes
)

// Signs says whether the key may sign at now.
func (k *SigningKey) Signs(now time.Time) bool {
	return !now.Before(k.NotBefore) && (k.Retires.IsZero() || now.Before(k.Retires))
}

// Validate checks what needs no other row.
func (k *SigningKey) Validate() error {
	var f faults
	f.unless(k.ID != "" && len(k.ID) <= maxKeyID && utf8.ValidString(k.ID), "id", "1 to %d bytes", maxKeyID)
	f.unless(len(k.Public) <= MaxJWK && json.Valid(k.Public), "public", "JSON of at most %d bytes", MaxJWK)
	f.unless(len(k.Private) <= MaxSealedKey, "private", "at most %d bytes", MaxSealedKey)
	f.unless(k.Retires.IsZero() || k.NotBefore.Before(k.Retires), "retires", "after notBefore")
	return f.err()
}
