// Package digest names content by the SHA-256 of its bytes.
package digest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// Size is the length of a Digest in bytes.
const Size = sha256.Size

// Digest is the SHA-256 (FIPS 180-4) of some bytes. The zero value names nothing.
type Digest [Size]byte

// ErrInvalid is returned for text or bytes that are no digest.
var ErrInvalid = errors.New("invalid digest")

// Of returns the digest of b.
func Of(b []byte) Digest { return sha256.Sum256(b) }

// Parse reads the 64 lower-case hex digits that String writes.
func Parse(s string) (Digest, error) {
	var d Digest
	if len(s) != 2*Size {
		return d, fmt.Errorf("%w: %d characters, want %d", ErrInvalid, len(s), 2*Size)
	}
	for _, c := range s {
		if c >= 'A' && c <= 'F' {
			return d, fmt.Errorf("%w: upper-case hex", ErrInvalid)
		}
	}
	if _, err := hex.Decode(d[:], []byte(s)); err != nil {
		return Digest{}, fmt.Errorf("%w: not hex", ErrInvalid)
	}
	return d, nil
}

// FromBytes copies a digest out of exactly Size bytes.
func FromBytes(b []byte) (Digest, error) {
	if len(b) != Size {
		return Digest{}, fmt.Errorf("%w: %d bytes, want %d", ErrInvalid, len(b), Size)
	}
	return Digest(b), nil
}

// String returns 64 lower-case hex digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Short returns the first twelve hex digits, for people.
func (d Digest) Short() string { return hex.EncodeToString(d[:6]) }

// IsZero says whether d names nothing.
func (d Digest) IsZero() bool { return d == Digest{} }

// Compare orders digests by their bytes.
func (d Digest) Compare(o Digest) int { return bytes.Compare(d[:], o[:]) }

// MarshalText writes what String returns; the zero digest is the empty text.
func (d Digest) MarshalText() ([]byte, error) {
	if d.IsZero() {
		return []byte{}, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (d *Digest) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = Digest{}
		return nil
	}
	v, err := Parse(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}
