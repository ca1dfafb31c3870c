package tokens

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"loggia/cluster/pki"
	"loggia/gallery"
)

// keyBits is the size of a signing key.
const keyBits = 2048

// The life of a signing key: it is published a day before it signs, signs for thirty days, and stays published until
// the last token that it signed has expired.
const (
	keyAhead = 24 * time.Hour
	keyLife  = 30 * 24 * time.Hour
	keyAfter = TokenLife + 2*Skew
)

// NewSigningKey makes a key that signs from the time given on.
func NewSigningKey(secret []byte, from time.Time) (gallery.SigningKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return gallery.SigningKey{}, fmt.Errorf("make a signing key: %w", err)
	}
	id := uuid.NewString()
	public, err := json.Marshal(jose.JSONWebKey{Key: private.Public(), KeyID: id, Algorithm: string(jose.RS256), Use: "sig"})
	if err != nil {
		return gallery.SigningKey{}, fmt.Errorf("encode a signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return gallery.SigningKey{}, fmt.Errorf("encode a signing key: %w", err)
	}
	sealed, err := pki.SealSigningKey(id, der, secret)
	if err != nil {
		return gallery.SigningKey{}, err
	}
	return gallery.SigningKey{ID: id, Public: public, Private: sealed, NotBefore: from, Retires: from.Add(keyLife)}, nil
}

// keyring opens signing keys once. A key never changes under its id.
type keyring struct {
	secret []byte

	mu      sync.Mutex
	public  map[string]*rsa.PublicKey
	private map[string]*rsa.PrivateKey
}

func newKeyring(secret []byte) *keyring {
	return &keyring{secret: secret, public: map[string]*rsa.PublicKey{}, private: map[string]*rsa.PrivateKey{}}
}

// verifying returns the public key of a row.
func (k *keyring) verifying(row *gallery.SigningKey) (*rsa.PublicKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p := k.public[row.ID]; p != nil {
		return p, nil
	}
	var jwk jose.JSONWebKey
	if err := json.Unmarshal(row.Public, &jwk); err != nil {
		return nil, fmt.Errorf("signing key %s: %w", row.ID, err)
	}
	p, ok := jwk.Key.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("signing key %s: is a %T", row.ID, jwk.Key)
	}
	k.public[row.ID] = p
	return p, nil
}

// signing returns the private key of a row.
func (k *keyring) signing(row *gallery.SigningKey) (*rsa.PrivateKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p := k.private[row.ID]; p != nil {
		return p, nil
	}
	der, err := pki.OpenSigningKey(row.ID, row.Private, k.secret)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", row.ID, err)
	}
	any, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", row.ID, err)
	}
	p, ok := any.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("signing key %s: is a %T", row.ID, any)
	}
	k.private[row.ID] = p
	return p, nil
}

// forget drops keys that are in the state no more.
func (k *keyring) forget(rows []*gallery.SigningKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.public)+len(k.private) <= 2*len(rows)+8 {
		return
	}
	live := map[string]bool{}
	for _, r := range rows {
		live[r.ID] = true
	}
	for id := range k.public {
		if !live[id] {
			delete(k.public, id)
		}
	}
	for id := range k.private {
		if !live[id] {
			delete(k.private, id)
		}
	}
}

// current returns the row that signs at now: the newest that may, nil where there is none. A key that should have
// retired goes on while no other has taken its place: without a leader logins go on.
func current(rows []*gallery.SigningKey, now time.Time) *gallery.SigningKey {
	var best *gallery.SigningKey
	for _, r := range rows {
		if r.NotBefore.After(now.Add(Skew)) {
			continue
		}
		if best == nil || r.NotBefore.After(best.NotBefore) || r.NotBefore.Equal(best.NotBefore) && r.ID > best.ID {
			best = r
		}
	}
	return best
}

// Rotation says what the leader has to do for the keys at now: make one that signs from a time on, drop those that
// nothing needs any more, or neither.
func Rotation(rows []*gallery.SigningKey, now time.Time) (from time.Time, add bool, drop []string) {
	signs := current(rows, now)
	if signs == nil {
		return now, true, nil
	}
	if !signs.Retires.After(now.Add(keyAhead)) && !ahead(rows, now) {
		from, add = now.Add(keyAhead), true
	}
	for _, r := range rows {
		if r.NotBefore.Before(signs.NotBefore) && !signs.NotBefore.Add(keyAfter).After(now) {
			drop = append(drop, r.ID)
		}
	}
	return from, add, drop
}

// ahead says whether a key waits for its time.
func ahead(rows []*gallery.SigningKey, now time.Time) bool {
	for _, r := range rows {
		if r.NotBefore.After(now.Add(Skew)) {
			return true
		}
	}
	return false
}
