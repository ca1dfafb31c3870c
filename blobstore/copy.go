package blobstore

import (
	"context"
	"errors"
	"fmt"
)

// Copy copies inside s, where s or what it decorates can. Otherwise the error wraps
// errors.ErrUnsupported, and the caller gets and puts.
//
// Decorators have a Copy that goes through here, so that being a Copier by type says nothing
// about a decorated store: ask CanCopy.
func Copy(ctx context.Context, s Store, from, to string) error {
	c, ok := s.(Copier)
	if !ok {
		return fmt.Errorf("copy %s: %w", to, errors.ErrUnsupported)
	}
	return c.Copy(ctx, from, to)
}

// CanCopy says whether Copy works on s.
func CanCopy(s Store) bool {
	for {
		u, ok := s.(interface{ Unwrap() Store })
		if !ok {
			_, ok := s.(Copier)
			return ok
		}
		s = u.Unwrap()
	}
}
