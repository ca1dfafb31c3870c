package blobstore

import (
	"context"
	"errors"
)

// Kind is the short stable name of a failure, as metrics and status show it.
type Kind string

// The kinds, one per error of this package, and three more.
const (
	KindOK          Kind = "ok"
	KindNotFound    Kind = "not_found"
	KindInvalidKey  Kind = "invalid_key"
	KindRange       Kind = "range"
	KindTooLarge    Kind = "too_large"
	KindFull        Kind = "full"
	KindThrottled   Kind = "throttled"
	KindForbidden   Kind = "forbidden"
	KindUnavailable Kind = "unavailable"
	KindDamaged     Kind = "damaged"
	KindCanceled    Kind = "canceled" // the caller's context ended
	KindOther       Kind = "other"
)

// KindOf names the kind of err; nil is KindOK. Where an error wraps several, the one that says
// most about what to do comes first.
func KindOf(err error) Kind {
	if err == nil {
		return KindOK
	}
	for _, k := range []struct {
		err  error
		kind Kind
	}{
		{ErrNotFound, KindNotFound}, {ErrInvalidKey, KindInvalidKey}, {ErrRange, KindRange},
		{ErrTooLarge, KindTooLarge}, {ErrFull, KindFull}, {ErrForbidden, KindForbidden},
		{ErrThrottled, KindThrottled}, {ErrDamaged, KindDamaged}, {ErrUnavailable, KindUnavailable},
		{context.Canceled, KindCanceled}, {context.DeadlineExceeded, KindCanceled},
	} {
		if errors.Is(err, k.err) {
			return k.kind
		}
	}
	return KindOther
}
