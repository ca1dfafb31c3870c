// Package fault holds the errors of Azure's Resource Manager, as its clients expect them.
package fault

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// Code is an error code of the wire. Clients compare it; codes only grow.
type Code string

// The codes. Each belongs to one HTTP status (Status).
const (
	InvalidParameter         Code = "InvalidParameter"
	InvalidRequestContent    Code = "InvalidRequestContent"
	InvalidResourceName      Code = "InvalidResourceName"
	LocationNotAvailable     Code = "LocationNotAvailableForResourceType"
	LocationRequired         Code = "LocationRequired"
	MissingAPIVersion        Code = "MissingApiVersionParameter"
	InvalidAPIVersion        Code = "InvalidApiVersionParameter"
	InvalidFilter            Code = "InvalidFilterInQueryString"
	RequestTooLarge          Code = "RequestEntityTooLarge"
	AuthenticationFailed     Code = "AuthenticationFailed"
	InvalidToken             Code = "InvalidAuthenticationToken"
	ExpiredToken             Code = "ExpiredAuthenticationToken"
	AuthorizationFailed      Code = "AuthorizationFailed"
	LinkedAuthorization      Code = "LinkedAuthorizationFailed"
	SubscriptionNotFound     Code = "SubscriptionNotFound"
	ResourceGroupNotFound    Code = "ResourceGroupNotFound"
	ResourceNotFound         Code = "ResourceNotFound"
	ParentNotFound           Code = "ParentResourceNotFound"
	ImageNotFound            Code = "GalleryImageNotFound"
	NotFound                 Code = "NotFound"
	RoleDefinitionNotFound   Code = "RoleDefinitionDoesNotExist"
	AssignmentNotFound       Code = "RoleAssignmentNotFound"
	PrincipalNotFound        Code = "PrincipalNotFound"
	MethodNotAllowed         Code = "MethodNotAllowed"
	Conflict                 Code = "Conflict"
	OperationNotAllowed      Code = "OperationNotAllowed"
	PropertyChangeNotAllowed Code = "PropertyChangeNotAllowed"
	CannotDelete             Code = "CannotDeleteResource"
	ScopeLocked              Code = "ScopeLocked"
	InvalidLocation          Code = "InvalidResourceLocation"
	BlockedBeforeEndOfLife   Code = "DeleteGalleryImageVersionBlockedBeforeEndOfLife"
	AssignmentExists         Code = "RoleAssignmentExists"
	GroupBeingDeleted        Code = "ResourceGroupBeingDeleted"
	PreconditionFailed       Code = "PreconditionFailed"
	TooManyRequests          Code = "TooManyRequests"
	ServiceUnavailable       Code = "ServiceUnavailable"
	InternalServerError      Code = "InternalServerError"

	// These are inside failed operations; the Location form of one answers with their status.
	ReplicationNotCompleted Code = "ReplicationJobsNotCompleted"
	ImportFailed            Code = "ImportFailed"
	ResourceDeleted         Code = "ResourceDeleted"
	OperationTimedOut       Code = "OperationTimedOut"
)

// statuses is the one table from codes to HTTP.
var statuses = map[Code]int{
	InvalidParameter: http.StatusBadRequest, InvalidRequestContent: http.StatusBadRequest, InvalidResourceName: http.StatusBadRequest,
	LocationNotAvailable: http.StatusBadRequest, LocationRequired: http.StatusBadRequest, MissingAPIVersion: http.StatusBadRequest,
	InvalidAPIVersion: http.StatusBadRequest, InvalidFilter: http.StatusBadRequest, RoleDefinitionNotFound: http.StatusBadRequest,
	PrincipalNotFound: http.StatusBadRequest, RequestTooLarge: http.StatusRequestEntityTooLarge,
	AuthenticationFailed: http.StatusUnauthorized, InvalidToken: http.StatusUnauthorized, ExpiredToken: http.StatusUnauthorized,
	AuthorizationFailed: http.StatusForbidden, LinkedAuthorization: http.StatusForbidden,
	SubscriptionNotFound: http.StatusNotFound, ResourceGroupNotFound: http.StatusNotFound, ResourceNotFound: http.StatusNotFound,
	ParentNotFound: http.StatusNotFound, ImageNotFound: http.StatusNotFound, NotFound: http.StatusNotFound, AssignmentNotFound: http.StatusNotFound,
	MethodNotAllowed: http.StatusMethodNotAllowed,
	Conflict:         http.StatusConflict, OperationNotAllowed: http.StatusConflict, PropertyChangeNotAllowed: http.StatusConflict,
	CannotDelete: http.StatusConflict, ScopeLocked: http.StatusConflict, InvalidLocation: http.StatusConflict,
	BlockedBeforeEndOfLife: http.StatusConflict, AssignmentExists: http.StatusConflict, GroupBeingDeleted: http.StatusConflict,
	PreconditionFailed: http.StatusPreconditionFailed,
	TooManyRequests:    http.StatusTooManyRequests, ServiceUnavailable: http.StatusServiceUnavailable,
	InternalServerError: http.StatusInternalServerError, ReplicationNotCompleted: http.StatusConflict, ImportFailed: http.StatusConflict, ResourceDeleted: http.StatusConflict, OperationTimedOut: http.StatusConflict,
}

// Codes returns every code, in order.
func Codes() []Code { return slices.Sorted(maps.Keys(statuses)) }

// Status returns the HTTP status of a code; 500 for one that has none.
func (c Code) Status() int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// Fault is one error as it goes over the wire.
type Fault struct {
	Code    Code     `json:"code"`
	Message string   `json:"message"`
	Target  string   `json:"target,omitempty"` // JSON path of the member at fault, or a region
	Details []*Fault `json:"details,omitempty"`
}

// New returns a fault.
func New(code Code, message string, args ...any) *Fault {
	return &Fault{Code: code, Message: fmt.Sprintf(message, args...)}
}

// At returns a fault about one member of the body.
func At(code Code, target, message string, args ...any) *Fault {
	return &Fault{Code: code, Target: target, Message: fmt.Sprintf(message, args...)}
}

// Join makes one fault of many: the first is its head, all are its details. It is nil for none.
func Join(all ...*Fault) *Fault {
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return &Fault{Code: all[0].Code, Message: all[0].Message, Target: all[0].Target, Details: all}
}

// Error writes code, target and message.
func (f *Fault) Error() string {
	if f.Target != "" {
		return string(f.Code) + ": " + f.Target + ": " + f.Message
	}
	return string(f.Code) + ": " + f.Message
}

// Is says whether target is a fault of the same code.
func (f *Fault) Is(target error) bool {
	var other *Fault
	return errors.As(target, &other) && other.Code == f.Code
}
