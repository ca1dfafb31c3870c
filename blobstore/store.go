package blobstore

import (
	"context"
	"errors"
	"io"
	"time"
)

// MaxObject bounds one object, in bytes. Everything that Loggia stores is cut to fit, so that
// every write is one request of known size, held in one buffer that a retry can send again.
const MaxObject = 64 << 20

// Store keeps immutable objects by key. It is safe for use by many goroutines.
//
// Keys are relative paths of one or more segments of [a-z0-9._-], joined by single slashes; no
// segment is "." or ".."; at most 512 bytes, and 255 per segment. Anything else is refused with
// ErrInvalidKey (CheckKey). No caller uses one key as a folder of another ("a" and "a/b"): many
// stores are file systems, which refuse that with ErrInvalidKey.
//
// A decorator (retry, limit, metrics) keeps this same contract; the conformance suite in
// storetest holds every implementation and every decorator to it.
type Store interface {
	// Put stores data under key. It is atomic: a reader sees the whole object or none, also
	// after a crash; when Put returns nil the object is durable. Writing the same bytes twice
	// is harmless; the caller never writes other bytes under a key in use. Put keeps no
	// reference to data. A Put whose context has ended before it began leaves nothing; one that
	// is cancelled or fails on its way leaves the whole object or nothing that List shows, never
	// a part (a request that has left cannot be unsent, and deleting after it could hit an
	// object that was there before).
	// Errors: ErrFull, ErrTooLarge, ErrInvalidKey, ErrThrottled, ErrForbidden, ErrUnavailable.
	Put(ctx context.Context, key string, data []byte) error

	// Get opens n bytes of the object from offset off; n < 0 means to its end. The reader gives
	// exactly the bytes asked for and then io.EOF, or fails with ErrDamaged where the store
	// ends early or sends more: a short body is never taken for a short object. A range that
	// starts or ends beyond the object fails with ErrRange, at once or at the first Read.
	// The caller closes the reader. Errors: ErrNotFound, ErrRange, ErrDamaged and as for Put.
	Get(ctx context.Context, key string, off, n int64) (io.ReadCloser, error)

	// Stat returns what is known of one object. Error: ErrNotFound.
	Stat(ctx context.Context, key string) (Info, error)

	// List calls fn for every object whose key starts with prefix and sorts after the key
	// after (which may be empty), in byte order of the keys. An error of fn ends the list and is
	// returned as it is. A listing that fails half-way returns an error after fn has seen a part.
	List(ctx context.Context, prefix, after string, fn func(Info) error) error

	// Delete removes the object; that it was not there is no error.
	Delete(ctx context.Context, key string) error

	// Capacity says how much room there is. A store that cannot tell (most S3 services)
	// answers Known false.
	Capacity(ctx context.Context) (Capacity, error)
}

// Copier is implemented by stores that copy an object without moving its bytes through the caller.
// Callers use the functions Copy and CanCopy, which see through decorators.
type Copier interface {
	// Copy makes to an equal, durable copy of from. Error: ErrNotFound and as for Put.
	Copy(ctx context.Context, from, to string) error
}

// Info describes one object.
type Info struct {
	Key      string
	Size     int64     // bytes
	Modified time.Time // by the store's clock
}

// Capacity is the room of a store, in bytes.
type Capacity struct {
	Known       bool
	Total, Free int64
}

// The kinds of failure. Errors of a Store wrap one of these, or the context's error.
var (
	ErrNotFound    = errors.New("object not found")
	ErrInvalidKey  = errors.New("invalid object key")
	ErrRange       = errors.New("range outside the object")
	ErrTooLarge    = errors.New("object too large")
	ErrFull        = errors.New("store is full")
	ErrThrottled   = errors.New("store asks to slow down")
	ErrForbidden   = errors.New("store refuses access")
	ErrUnavailable = errors.New("store is unavailable")
	ErrDamaged     = errors.New("store returned damaged bytes")
)

// Permanent says whether repeating the same call cannot help before somebody changes something.
// Unknown errors are taken for passing ones; a cancelled context is permanent for its call.
func Permanent(err error) bool {
	for _, k := range []error{ErrNotFound, ErrInvalidKey, ErrRange, ErrTooLarge, ErrFull, ErrForbidden,
		context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}
