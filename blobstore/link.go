package blobstore

import (
	"context"
	"time"
)

// MaxLinkLife bounds the life of a link.
const MaxLinkLife = time.Hour

// Link lets whoever has it read one range of one object until it runs out, without the store's credentials. It is a secret.
type Link struct {
	Origin string // scheme://host[:port] where it leads
	Path   string // its path and query, signature included
	CA     []byte // certificates in PEM that vouch for the origin; nil: the system's
}

// String keeps the secret out of logs.
func (l Link) String() string { return "link to " + l.Origin + " (hidden)" }

// GoString keeps it out of %#v too.
func (l Link) GoString() string { return "blobstore.Link{" + l.String() + "}" }

// Linker is implemented by stores that give links. Callers use LinkerOf, which sees through decorators: a link is made without
// asking the store, so there is nothing to repeat, to limit or to count.
type Linker interface {
	// Link makes a link to n > 0 bytes from offset off of an object, for life (at least a second, at most
	// MaxLinkLife). Who follows it sends `Range: bytes=<off>-<off+n-1>`, which is signed: the link opens no other
	// range, key or method, where the store keeps to signatures (the probe tries). Nothing says that the object
	// is there. Errors: ErrInvalidKey, ErrRange, or those of credentials.
	Link(ctx context.Context, key string, off, n int64, life time.Duration) (Link, error)
}

// LinkerOf returns what gives links to the objects of s, where s or what it decorates does.
func LinkerOf(s Store) (Linker, bool) {
	for {
		if l, ok := s.(Linker); ok {
			return l, true
		}
		u, ok := s.(interface{ Unwrap() Store })
		if !ok {
			return nil, false
		}
		s = u.Unwrap()
	}
}
