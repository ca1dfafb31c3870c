package pki

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
)

// SecretSize is the length of a cluster's secret, in bytes.
const SecretSize = 32

// ErrSeal is returned for a sealed key that this secret does not open.
var ErrSeal = errors.New("sealed key")

// What is sealed: each purpose has a key of its own, so that nothing opens in the place of another thing.
const (
	purposeCA      = "loggia CA key 1"
	purposeSigning = "loggia signing key 1"
)

// sealer derives the key of AES-256-GCM from the cluster's secret (HKDF, RFC 5869).
func sealer(secret []byte, purpose string) (cipher.AEAD, error) {
	if len(secret) != SecretSize {
		return nil, fmt.Errorf("%w: secret of %d bytes, want %d", ErrSeal, len(secret), SecretSize)
	}
	key, err := hkdf.Key(sha256.New, secret, nil, purpose, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Seal encrypts the authority's key under the cluster's secret: logs and snapshots never hold
// the plain key.
func (c *CA) Seal(secret []byte) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		return nil, fmt.Errorf("encode CA key: %w", err)
	}
	return seal(secret, purposeCA, der, c.cert.Raw)
}

func seal(secret []byte, purpose string, plain, bound []byte) ([]byte, error) {
	aead, err := sealer(secret, purpose)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails since Go 1.24
	return aead.Seal(nonce, nonce, plain, bound), nil
}

func open(secret []byte, purpose string, sealed, bound []byte) ([]byte, error) {
	aead, err := sealer(secret, purpose)
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, fmt.Errorf("%w: too short", ErrSeal)
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], bound)
	if err != nil {
		return nil, fmt.Errorf("%w: the secret does not open it", ErrSeal)
	}
	return plain, nil
}

// SealSigningKey encrypts a private key (PKCS #8) that signs access tokens under the cluster's secret. It opens only
// under the id that it was sealed with.
func SealSigningKey(id string, der, secret []byte) ([]byte, error) {
	return seal(secret, purposeSigning, der, []byte(id))
}

// OpenSigningKey opens what SealSigningKey wrote.
func OpenSigningKey(id string, sealed, secret []byte) ([]byte, error) {
	return open(secret, purposeSigning, sealed, []byte(id))
}

// Unseal opens what Seal wrote; the certificate must be the one it was sealed with.
func Unseal(certPEM, sealed, secret []byte) (*CA, error) {
	cert, err := ParseCert(certPEM)
	if err != nil {
		return nil, err
	}
	der, err := open(secret, purposeCA, sealed, cert.Raw)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(encode("PRIVATE KEY", der))
	if err != nil {
		return nil, err
	}
	return &CA{cert, key}, nil
}
