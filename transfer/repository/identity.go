package repository

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"loggia/blobstore"
)

// IdentityKey is the key of the store's identity.
const IdentityKey = "loggia.json"

const (
	identityFormat = 1
	maxIdentity    = 4 << 10 // bytes
)

// The reasons for not touching a store.
var (
	// ErrNoIdentity: the store has no identity; a new one may be written.
	ErrNoIdentity = errors.New("store has no loggia.json")
	// ErrIdentity: the store belongs to somebody else, or to an older generation of the cluster.
	ErrIdentity = errors.New("store belongs to another owner")
	// ErrIdentityFormat: loggia.json cannot be read by this program.
	ErrIdentityFormat = errors.New("unreadable loggia.json")
)

// Identity says whose a store is. Cluster, Region and Store are UUIDs.
type Identity struct {
	Cluster    string `json:"cluster"`
	Generation uint64 `json:"generation"`
	Region     string `json:"region"`
	Store      string `json:"store"`
}

type identityObject struct {
	Format int `json:"format"`
	Identity
}

// ReadIdentity says whose the store is. Errors: ErrNoIdentity, ErrIdentityFormat, or the store's.
func ReadIdentity(ctx context.Context, s blobstore.Store) (Identity, error) {
	b, err := readAll(ctx, s, IdentityKey, maxIdentity)
	if errors.Is(err, blobstore.ErrNotFound) {
		return Identity{}, ErrNoIdentity
	}
	if errors.Is(err, errTooLong) {
		return Identity{}, fmt.Errorf("%w: %w", ErrIdentityFormat, err)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("read store identity: %w", err)
	}
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrIdentityFormat, err)
	}
	if head.Format != identityFormat {
		return Identity{}, fmt.Errorf("%w: format %d", ErrIdentityFormat, head.Format)
	}
	var o identityObject
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrIdentityFormat, err)
	}
	return o.Identity, nil
}

// WriteIdentity makes a store ours. One that has another identity is left alone (ErrIdentity), but
// that a greater generation of the same store replaces a smaller one.
func WriteIdentity(ctx context.Context, s blobstore.Store, id Identity) error {
	have, err := ReadIdentity(ctx, s)
	switch {
	case errors.Is(err, ErrNoIdentity):
	case err != nil:
		return err
	case have == id:
		return nil
	default:
		older := have
		older.Generation = id.Generation
		if older != id || have.Generation > id.Generation {
			return identityError(have, id)
		}
	}
	b, err := json.Marshal(identityObject{Format: identityFormat, Identity: id})
	if err != nil {
		return fmt.Errorf("write store identity: %w", err)
	}
	if err := s.Put(ctx, IdentityKey, append(b, '\n')); err != nil {
		return fmt.Errorf("write store identity: %w", err)
	}
	return nil
}

// CheckIdentity returns nil where the store is the one that is wanted. Errors: ErrNoIdentity,
// ErrIdentity, ErrIdentityFormat, or the store's.
func CheckIdentity(ctx context.Context, s blobstore.Store, want Identity) error {
	have, err := ReadIdentity(ctx, s)
	if err != nil {
		return err
	}
	if have != want {
		return identityError(have, want)
	}
	return nil
}

func identityError(have, want Identity) error {
	return fmt.Errorf("%w: it says %+v, want %+v", ErrIdentity, have, want)
}

var errTooLong = errors.New("object is too long")

// readAll reads a small object.
func readAll(ctx context.Context, s blobstore.Store, key string, limit int64) ([]byte, error) {
	r, err := s.Get(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", errTooLong, limit)
	}
	return b, nil
}
