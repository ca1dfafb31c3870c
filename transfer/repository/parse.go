package repository

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"loggia/internal/digest"
)

// Object is what a key of a repository says.
type Object struct {
	Kind  byte // the letter: p, m, i, v, u or g
	Epoch uint64
	ID    digest.Digest // of a checkpoint: zero
	Seq   uint64        // of a checkpoint
}

// Parse reads a key that one of the other methods wrote. All else is ErrKey.
func (k Keys) Parse(key string) (Object, error) {
	rest, ok := strings.CutPrefix(key, k.prefix)
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 || len(parts[0]) != 1 || !strings.Contains("pmivug", parts[0]) {
		return Object{}, fmt.Errorf("%w: %q", ErrKey, key)
	}
	o := Object{Kind: parts[0][0]}
	var err error
	if o.Epoch, err = hex64(parts[1]); err == nil {
		if o.Kind == 'u' {
			o.Seq, err = hex64(parts[2])
		} else {
			o.ID, err = digest.Parse(parts[2])
		}
	}
	if err != nil || k.Of(o) != key {
		return Object{}, fmt.Errorf("%w: %q", ErrKey, key)
	}
	return o, nil
}

// Of is the key of an object.
func (k Keys) Of(o Object) string {
	if o.Kind == 'u' {
		return k.Checkpoint(o.Epoch, o.Seq)
	}
	return k.under(o.Kind, o.Epoch) + o.ID.String()
}

func hex64(s string) (uint64, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 8 {
		return 0, ErrKey
	}
	return binary.BigEndian.Uint64(b), nil
}
