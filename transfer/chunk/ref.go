package chunk

import "loggia/internal/digest"

// ID is the SHA-256 of a chunk's plain bytes.
type ID = digest.Digest

// Ref names a chunk and its length in bytes.
type Ref struct {
	ID     ID
	Length uint32
}
