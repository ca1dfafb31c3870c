package v1

import (
	"errors"
	"net/http"

	"loggia/gallery"
)

// ErrorBody is every answer that is no 2xx.
type ErrorBody struct {
	Error Error `json:"error"`
}

// Error says what was wrong. Code is a gallery.Kind.
type Error struct {
	Code     string `json:"code"`
	Message  string `json:"message"`
	Resource string `json:"resource,omitempty"`
	Target   string `json:"target,omitempty"` // JSON path of the field
}

// statuses is the one table from kinds to HTTP.
var statuses = map[gallery.Kind]int{
	gallery.ErrNotFound:         http.StatusNotFound,
	gallery.ErrInvalid:          http.StatusBadRequest,
	gallery.ErrConflict:         http.StatusConflict,
	gallery.ErrImmutable:        http.StatusConflict,
	gallery.ErrPrecondition:     http.StatusPreconditionFailed,
	gallery.ErrNotAllowed:       http.StatusConflict,
	gallery.ErrUnauthenticated:  http.StatusUnauthorized,
	gallery.ErrExpired:          http.StatusUnauthorized,
	gallery.ErrForbidden:        http.StatusForbidden,
	gallery.ErrNoLeader:         http.StatusServiceUnavailable,
	gallery.ErrUnavailable:      http.StatusServiceUnavailable,
	gallery.ErrUnknownOutcome:   http.StatusServiceUnavailable,
	gallery.ErrLimit:            http.StatusTooManyRequests,
	gallery.ErrVerification:     http.StatusUnprocessableEntity,
	gallery.ErrElsewhere:        http.StatusMisdirectedRequest,
	gallery.ErrInUse:            http.StatusConflict,
	gallery.ErrStaleClaim:       http.StatusConflict,
	gallery.ErrStaleRepository:  http.StatusConflict,
	gallery.ErrClaimed:          http.StatusConflict,
	gallery.ErrAssignmentExists: http.StatusConflict,
	gallery.ErrDeleting:         http.StatusConflict,
	gallery.ErrBlockedBeforeEOL: http.StatusConflict,
	gallery.ErrQuota:            http.StatusConflict,
	gallery.ErrNoGroup:          http.StatusNotFound,
	gallery.ErrInternal:         http.StatusInternalServerError,
}

// FromError returns what is answered for err and the HTTP status. Of an internal error the
// text stays inside: it may name what the caller must not know.
func FromError(err error) (int, Error) {
	kind := gallery.KindOf(err)
	status, ok := statuses[kind]
	if !ok {
		kind, status = gallery.ErrInternal, http.StatusInternalServerError
	}
	e := Error{Code: string(kind), Message: err.Error()}
	if kind == gallery.ErrInternal {
		e.Message = "the node failed to answer; its log says why"
	}
	var g *gallery.Error
	if errors.As(err, &g) {
		e.Resource, e.Target = g.Resource, g.Field
	}
	return status, e
}

// ToGallery turns an answered error back into the error that it was, as far as its kind goes.
func ToGallery(e Error) error {
	return &answered{message: e.Message, err: &gallery.Error{Kind: gallery.Kind(e.Code), Resource: e.Resource, Field: e.Target, Message: e.Message}}
}

// answered prints the message alone: it already names operation, resource and field.
type answered struct {
	message string
	err     *gallery.Error
}

func (a *answered) Error() string { return a.message }
func (a *answered) Unwrap() error { return a.err }
