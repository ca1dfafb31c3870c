// Package links serves disks to whoever has a link: signed, for one disk, read-only, until it ends or is taken back.
package links

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"loggia/gallery"
)

// Path is where links begin.
const Path = "/v1/links/"

// maxToken bounds a token's text, in bytes.
const maxToken = 1 << 10

// errLink is the one answer to every link that is not good: why is nobody's business (S2).
var errLink = errors.New("the link is not valid, or is no longer")

// Signer makes and reads the tokens of links. Every node of a cluster has the same key.
type Signer struct{ key []byte }

// NewSigner derives the key from the cluster's secret (HKDF, RFC 5869).
func NewSigner(secret []byte) (*Signer, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "loggia links 1", sha256.Size)
	return &Signer{key}, err
}

// Sign returns the path of a link to a snapshot's disk.
func (s *Signer) Sign(ref gallery.SnapshotRef, access gallery.Access) string {
	body := strings.Join([]string{string(ref.Subscription), string(ref.Group), string(ref.Name), string(access.ID)}, "\x00")
	b := binary.BigEndian.AppendUint64(nil, uint64(access.Expires.Unix()))
	b = append(b, body...)
	return Path + base64.RawURLEncoding.EncodeToString(append(b, s.sum(b)...))
}

func (s *Signer) sum(b []byte) []byte {
	m := hmac.New(sha256.New, s.key)
	m.Write(b)
	return m.Sum(nil)
}

// Read returns what a token is for. It says nothing of whether the access still stands.
func (s *Signer) Read(token string, now time.Time) (gallery.SnapshotRef, gallery.AccessID, error) {
	var ref gallery.SnapshotRef
	if len(token) > maxToken {
		return ref, "", errLink
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < 8+sha256.Size {
		return ref, "", errLink
	}
	b, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if !hmac.Equal(sum, s.sum(b)) {
		return ref, "", errLink
	}
	parts := strings.Split(string(b[8:]), "\x00")
	expires := time.Unix(int64(binary.BigEndian.Uint64(b)), 0)
	if len(parts) != 4 || !now.Before(expires) {
		return ref, "", errLink
	}
	ref = gallery.SnapshotRef{GroupRef: gallery.GroupRef{Subscription: gallery.SubscriptionID(parts[0]), Group: gallery.GroupName(parts[1])}, Name: gallery.SnapshotName(parts[2])}
	return ref, gallery.AccessID(parts[3]), nil
}
