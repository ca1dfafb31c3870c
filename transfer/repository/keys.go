package repository

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"loggia/internal/digest"
	"loggia/transfer/pack"
)

// ErrKey is returned for a key or prefix that no repository has.
var ErrKey = errors.New("invalid repository key")

// Keys makes the keys of one repository.
type Keys struct{ prefix string }

// NewKeys makes the keys of a domain's slot. domain is a digest or UUID in lower-case hex.
func NewKeys(domain string, slot int) (Keys, error) {
	if len(domain) < 8 || len(domain) > 80 || slot < 0 || strings.Trim(domain, "0123456789abcdef-") != "" ||
		strings.HasPrefix(domain, "-") {
		return Keys{}, fmt.Errorf("%w: domain %q, slot %d", ErrKey, domain, slot)
	}
	for _, c := range domain {
		if !strings.ContainsRune("0123456789abcdef-", c) {
			return Keys{}, fmt.Errorf("%w: domain %q", ErrKey, domain)
		}
	}
	return Keys{prefix: domain + "/" + strconv.Itoa(slot) + "/"}, nil
}

// Prefix is what all keys of the repository begin with.
func (k Keys) Prefix() string { return k.prefix }

// Pack is the key of a pack.
func (k Keys) Pack(kind pack.Kind, epoch uint64, id digest.Digest) string {
	return k.Packs(kind, epoch) + id.String()
}

// Packs is what the keys of one epoch's packs of one kind begin with.
func (k Keys) Packs(kind pack.Kind, epoch uint64) string { return k.under(byte(kind), epoch) }

// Segment is the key of an index segment.
func (k Keys) Segment(epoch uint64, id digest.Digest) string { return k.Segments(epoch) + id.String() }

// Segments is what the keys of one epoch's segments begin with.
func (k Keys) Segments(epoch uint64) string { return k.under('i', epoch) }

// Version is the key of a version record.
func (k Keys) Version(epoch uint64, root digest.Digest) string {
	return k.under('v', epoch) + root.String()
}

// Checkpoint is the key of an upload's checkpoint.
func (k Keys) Checkpoint(epoch, seq uint64) string {
	return k.Checkpoints(epoch) + fmt.Sprintf("%016x", seq)
}

// Checkpoints is what the keys of one epoch's checkpoints begin with.
func (k Keys) Checkpoints(epoch uint64) string { return k.under('u', epoch) }

// Condemned is the key of a collector's list.
func (k Keys) Condemned(epoch uint64, id digest.Digest) string {
	return k.under('g', epoch) + id.String()
}

func (k Keys) under(kind byte, epoch uint64) string {
	return k.prefix + fmt.Sprintf("%c/%016x/", kind, epoch)
}

// name is the digest that ends a key below dir.
func name(key, dir string) (digest.Digest, error) {
	rest, ok := strings.CutPrefix(key, dir)
	if !ok {
		return digest.Digest{}, fmt.Errorf("%w: %q", ErrKey, key)
	}
	id, err := digest.Parse(rest)
	if err != nil {
		return id, fmt.Errorf("%w: %q: %w", ErrKey, key, err)
	}
	return id, nil
}
