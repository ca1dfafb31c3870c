package collect

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"loggia/transfer/repository"
)

const (
	listHeader = "loggia condemned keys 1\n"
	// maxList bounds a stored list in bytes: MaxKeys keys of at most 84 bytes.
	maxList = len(listHeader) + MaxKeys*84
)

// List is the sorted keys of one collection, without the repository's prefix (docs/formats/repository.md).
type List struct{ keys []string }

// NewList makes a list of keys in any order; what is named twice is listed once.
func NewList(keys []string) List {
	keys = slices.Clone(keys)
	slices.Sort(keys)
	return List{slices.Compact(keys)}
}

// Len is the number of keys.
func (l List) Len() int { return len(l.keys) }

// Contains says whether a key, without the prefix, is listed.
func (l List) Contains(key string) bool {
	_, ok := slices.BinarySearch(l.keys, key)
	return ok
}

// Encode returns the list's bytes, whose SHA-256 is its id.
func (l List) Encode() []byte {
	var b bytes.Buffer
	b.WriteString(listHeader)
	for _, k := range l.keys {
		b.WriteString(k)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// DecodeList reads what Encode writes for a repository and refuses all else.
func DecodeList(b []byte, keys repository.Keys) (List, error) {
	text, ok := strings.CutPrefix(string(b), listHeader)
	if !ok || len(b) > maxList || text != "" && !strings.HasSuffix(text, "\n") {
		return List{}, fmt.Errorf("%w: no list in %d bytes", ErrList, len(b))
	}
	var l List
	for line := range strings.Lines(text) {
		key := strings.TrimSuffix(line, "\n")
		if n := len(l.keys); n == MaxKeys || n > 0 && l.keys[n-1] >= key {
			return List{}, fmt.Errorf("%w: key %d is out of order, or beyond %d", ErrList, n, MaxKeys)
		}
		if _, err := keys.Parse(keys.Prefix() + key); err != nil {
			return List{}, fmt.Errorf("%w: %w", ErrList, err)
		}
		l.keys = append(l.keys, key)
	}
	return l, nil
}
