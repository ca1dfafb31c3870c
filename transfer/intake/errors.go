package intake

import (
	"errors"
	"fmt"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
)

// The reasons for refusing what a client sent, or what an earlier session left. What a refused
// record held is not kept; records before it in the same batch may be, and hurt nobody.
var (
	// ErrFrame: a frame does not unpack to the chunks that it is said to hold.
	ErrFrame = errors.New("frame does not hold what it says")
	// ErrLeaf: the bytes are no manifest leaf of that span, or it gives a chunk a wrong length.
	ErrLeaf = errors.New("invalid manifest leaf")
	// ErrBatch: the batch is longer than MaxBatch or holds a record that does not belong in one.
	ErrBatch = errors.New("invalid batch")
	// ErrTooMuch: the client sent more than the disk can hold.
	ErrTooMuch = errors.New("more chunks than the disk holds")
	// ErrPending: too many leaves wait for chunks that did not come.
	ErrPending = errors.New("too many leaves wait for chunks")
	// ErrUnresolved: a leaf names a chunk that was neither sent nor is in a base version.
	ErrUnresolved = errors.New("chunk was not sent")
	// ErrRoot: the client's root is not that of what it sent.
	ErrRoot = errors.New("root does not match")
	// ErrBase: a base version cannot be read in this repository.
	ErrBase = errors.New("base version cannot be read")
	// ErrCheckpoint: the bytes are no checkpoint.
	ErrCheckpoint = errors.New("invalid checkpoint")
	// ErrClosed: the session was closed, or is committed.
	ErrClosed = errors.New("upload session is closed")
)

// UnresolvedError says which chunk of which span is missing; it is ErrUnresolved.
type UnresolvedError struct {
	Span  int64
	Chunk chunk.ID
}

// Error names the span and the chunk.
func (e *UnresolvedError) Error() string {
	return fmt.Sprintf("%v: chunk %s of span %d", ErrUnresolved, e.Chunk, e.Span)
}

// Is makes the error an ErrUnresolved.
func (e *UnresolvedError) Is(target error) bool { return target == ErrUnresolved }

// RootError says both roots; it is ErrRoot.
type RootError struct{ Want, Got digest.Digest }

// Error names both roots.
func (e *RootError) Error() string {
	return fmt.Sprintf("%v: the client says %s, what it sent makes %s", ErrRoot, e.Want, e.Got)
}

// Is makes the error an ErrRoot.
func (e *RootError) Is(target error) bool { return target == ErrRoot }
