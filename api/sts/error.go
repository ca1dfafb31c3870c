package sts

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// ErrWrite says that a grant needs a write: the leader answers it.
var ErrWrite = errors.New("the grant needs a write")

// Error is a refusal of the token endpoint (RFC 6749, section 5.2). Number is Azure's code of it, which its libraries
// look for in the text.
type Error struct {
	Code        string
	Number      int
	Description string
	Status      int
	RetryAfter  time.Duration
}

func (e *Error) Error() string { return e.Code + ": " + e.Description }

// The refusals. Whoever is unknown, disabled or has the wrong secret hears the same.
var (
	ErrClient       = &Error{Code: "invalid_client", Number: 7000215, Description: "The client is not known here, or its secret or assertion is wrong or has expired.", Status: http.StatusUnauthorized}
	ErrUnavailable  = &Error{Code: "temporarily_unavailable", Number: 90033, Description: "The token cannot be issued at the moment; try again.", Status: http.StatusServiceUnavailable, RetryAfter: time.Second}
	ErrGrantType    = &Error{Code: "unsupported_grant_type", Number: 70003, Description: "The grant_type must be client_credentials or urn:ietf:params:oauth:grant-type:token-exchange.", Status: http.StatusBadRequest}
	ErrSubjectToken = &Error{Code: "invalid_grant", Number: 50027, Description: "The subject_token is not a good ID token of an issuer that is trusted here.", Status: http.StatusBadRequest}
	ErrNoUser       = &Error{Code: "invalid_grant", Number: 50034, Description: "The user does not exist here or is disabled.", Status: http.StatusBadRequest}
)

// Invalid refuses a request whose form is wrong; it names the parameter and the rule.
func Invalid(parameter, rule string, args ...any) *Error {
	return &Error{Code: "invalid_request", Number: 900144, Description: fmt.Sprintf("The request parameter '%s' %s.", parameter, fmt.Sprintf(rule, args...)), Status: http.StatusBadRequest}
}

// refusal is the body of an error.
type refusal struct {
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         []int  `json:"error_codes"`
	Timestamp     string `json:"timestamp"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
}

// refuse answers an error. What is no *Error is logged and not told.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	Refuse(h.o.Log, h.o.Now(), w, r, err)
}

// Refuse answers an error as a token endpoint does; one that is no *Error is logged and told as ErrUnavailable.
func Refuse(log *slog.Logger, now time.Time, w http.ResponseWriter, r *http.Request, err error) {
	var e *Error
	if !errors.As(err, &e) {
		if r.Context().Err() == nil {
			log.Warn("a token was not issued", "error", err)
		}
		e = ErrUnavailable
	}
	now = now.UTC()
	trace, correlation := uuid.NewString(), r.Header.Get("client-request-id")
	if uuid.Validate(correlation) != nil {
		correlation = trace
	}
	stamp := now.Format("2006-01-02 15:04:05Z")
	w.Header().Set("x-ms-request-id", trace)
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
	}
	if e.Status == http.StatusUnauthorized && r.Header.Get("Authorization") != "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="loggia"`)
	}
	unkept(w, e.Status, refusal{Error: e.Code, Codes: []int{e.Number}, Timestamp: stamp, TraceID: trace, CorrelationID: correlation,
		Description: fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", e.Number, e.Description, trace, correlation, stamp)})
}
