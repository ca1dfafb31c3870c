// Package clientsecret is the text of a service principal's secret. Both ends make one: the client where a request
// that is sent again must carry the same, the node where the client left it out.
package clientsecret

import (
	"crypto/rand"
	"encoding/base64"
)

// size is how many random bytes a secret holds.
const size = 32

var encoding = base64.RawURLEncoding.Strict()

// New makes a secret of 256 random bits in base64url. It never begins with "-": "az login -p SECRET", and most other
// command lines, would take that for a flag.
func New() string {
	var raw [size]byte
	for {
		_, _ = rand.Read(raw[:]) // never fails since Go 1.24
		if text := encoding.EncodeToString(raw[:]); text[0] != '-' {
			return text
		}
	}
}

// Valid says whether text has the form of a secret: 32 bytes in base64url without padding and without the line ends
// that a decoder passes over. A word that people think of has not.
func Valid(text string) bool {
	raw, err := encoding.DecodeString(text)
	return err == nil && len(raw) == size && len(text) == encoding.EncodedLen(size)
}
