package gallery

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Kind is a kind of failure. Each kind is itself an error, so that errors.Is(err, ErrNotFound)
// asks an *Error for its kind, on whichever side of the wire. Kinds only grow.
type Kind string

// The kinds.
const (
	ErrNotFound        Kind = "NotFound"
	ErrInvalid         Kind = "InvalidParameter"
	ErrConflict        Kind = "Conflict"
	ErrImmutable       Kind = "PropertyChangeNotAllowed"
	ErrPrecondition    Kind = "PreconditionFailed" // an etag that moved
	ErrNotAllowed      Kind = "OperationNotAllowed"
	ErrUnauthenticated Kind = "Unauthenticated"
	ErrForbidden       Kind = "Forbidden"
	ErrNoLeader        Kind = "NoLeader"
	ErrUnavailable     Kind = "Unavailable"
	ErrUnknownOutcome  Kind = "UnknownOutcome" // the write may have taken effect or not
	ErrLimit           Kind = "LimitExceeded"
	ErrVerification    Kind = "VerificationFailed"
	ErrElsewhere       Kind = "UploadElsewhere" // another node holds the upload
	ErrInternal        Kind = "Internal"

	// These are conflicts too: errors.Is(err, ErrConflict) is true of them.
	ErrInUse           Kind = "CannotDeleteResource" // it has children or users
	ErrStaleClaim      Kind = "StaleClaim"           // the reporter's claim epoch is not the live one (D5)
	ErrStaleRepository Kind = "StaleRepository"      // the repository's epoch or segments moved; look again
	ErrClaimed         Kind = "Claimed"              // another node holds a live claim
	// ErrAssignmentExists says that the principal has the role at the scope already, under another id.
	ErrAssignmentExists Kind = "RoleAssignmentExists"
	ErrDeleting         Kind = "ResourceGroupBeingDeleted" // nothing new comes into the group

	// ErrBlockedBeforeEOL is a kind of ErrNotAllowed: the safety profile guards the version until its end of life.
	ErrBlockedBeforeEOL Kind = "DeleteGalleryImageVersionBlockedBeforeEndOfLife"
	// ErrExpired is a kind of ErrUnauthenticated: the token was good once.
	ErrExpired Kind = "TokenExpired"
	// ErrNoGroup is a kind of ErrNotFound: the resource group is not there.
	ErrNoGroup Kind = "ResourceGroupNotFound"
	// ErrQuota is a kind of ErrNotAllowed: the subscription or the definition holds as many as it may.
	ErrQuota Kind = "QuotaExceeded"
)

// Error returns the kind's text.
func (k Kind) Error() string { return string(k) }

// Parent returns the wider kind that k belongs to, or k itself.
func (k Kind) Parent() Kind {
	switch k {
	case ErrInUse, ErrStaleClaim, ErrStaleRepository, ErrClaimed, ErrAssignmentExists, ErrDeleting:
		return ErrConflict
	case ErrBlockedBeforeEOL, ErrQuota:
		return ErrNotAllowed
	case ErrExpired:
		return ErrUnauthenticated
	case ErrNoGroup:
		return ErrNotFound
	}
	return k
}

// Error is a failure of the domain: what was wrong, with what, while doing what.
type Error struct {
	Kind     Kind   `cbor:"1,keyasint"`
	Op       string `cbor:"2,keyasint,omitempty"` // what was being done: "put version"
	Resource string `cbor:"3,keyasint,omitempty"` // "g/i/1.0.0"
	Field    string `cbor:"4,keyasint,omitempty"` // JSON path of the field at fault
	Message  string `cbor:"5,keyasint,omitempty"` // the rule, or what stands against it
	Err      error  `cbor:"-"`                    // the cause; only its text survives the wire
}

// Error writes op resource: field: message: cause.
func (e *Error) Error() string {
	var parts []string
	if head := strings.TrimSpace(e.Op + " " + e.Resource); head != "" {
		parts = append(parts, head)
	}
	if e.Field != "" {
		parts = append(parts, e.Field)
	}
	if e.Message != "" {
		parts = append(parts, e.Message)
	} else {
		parts = append(parts, string(e.Kind))
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is says whether target is the error's kind or the wider kind that it belongs to.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && (k == e.Kind || k == e.Kind.Parent())
}

// KindOf returns the kind of the first *Error or Kind in err's chain; ErrInternal where there is
// none, and the empty Kind for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	var k Kind
	if errors.As(err, &k) {
		return k
	}
	return ErrInternal
}

type errorJSON struct {
	Kind     Kind   `json:"code"`
	Op       string `json:"op,omitempty"`
	Resource string `json:"resource,omitempty"`
	Field    string `json:"target,omitempty"`
	Message  string `json:"message,omitempty"`
	Cause    string `json:"cause,omitempty"`
}

// MarshalJSON writes the error with its cause as text.
func (e *Error) MarshalJSON() ([]byte, error) {
	j := errorJSON{Kind: e.Kind, Op: e.Op, Resource: e.Resource, Field: e.Field, Message: e.Message}
	if e.Err != nil {
		j.Cause = e.Err.Error()
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *Error) UnmarshalJSON(b []byte) error {
	var j errorJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*e = Error{Kind: j.Kind, Op: j.Op, Resource: j.Resource, Field: j.Field, Message: j.Message}
	if j.Cause != "" {
		e.Err = errors.New(j.Cause)
	}
	return nil
}

func invalid(field, rule string, args ...any) *Error {
	return &Error{Kind: ErrInvalid, Field: field, Message: fmt.Sprintf(rule, args...)}
}
