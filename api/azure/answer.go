package azure

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"loggia/api/azure/fault"
	"loggia/gallery"
)

// answer is what a route says. A nil body has no content.
type answer struct {
	status int
	body   any
	etag   uint64
	header http.Header
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

func empty(status int) answer { return answer{status: status} }

// tagged adds the resource's etag.
func (a answer) tagged(etag uint64) answer {
	a.etag = etag
	return a
}

func (a answer) with(name, value string) answer {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set(name, value)
	return a
}

func (a answer) write(w http.ResponseWriter) {
	for name, v := range a.header {
		w.Header()[name] = v
	}
	if a.etag != 0 {
		w.Header().Set("ETag", quoteETag(a.etag))
	}
	if a.body == nil {
		// Some clients parse what has a length, or no content type: say neither.
		w.Header().Set("Content-Length", "0")
		if a.status == http.StatusNoContent {
			w.Header().Del("Content-Length")
		}
		w.WriteHeader(a.status)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body) // the client is gone; nobody is left to tell
}

func quoteETag(n uint64) string { return `"` + strconv.FormatUint(n, 10) + `"` }

func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	Refuse(h.o.Log, w, r, err)
}

// Refuse answers an error as Resource Manager does. What is internal is logged and not told.
func Refuse(log *slog.Logger, w http.ResponseWriter, r *http.Request, err error) {
	f := toFault(err)
	if f.Code == fault.InternalServerError && r.Context().Err() == nil {
		log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	switch f.Code {
	case fault.ServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	case fault.TooManyRequests:
		w.Header().Set("Retry-After", "5")
	}
	w.Header().Set("x-ms-error-code", string(f.Code))
	answer{status: f.Code.Status(), body: map[string]any{"error": f}}.write(w)
}

// codes is the one table from the domain's kinds to Azure's codes.
var codes = map[gallery.Kind]fault.Code{
	gallery.ErrNotFound:        fault.ResourceNotFound,
	gallery.ErrInvalid:         fault.InvalidParameter,
	gallery.ErrConflict:        fault.Conflict,
	gallery.ErrImmutable:       fault.PropertyChangeNotAllowed,
	gallery.ErrPrecondition:    fault.PreconditionFailed,
	gallery.ErrNotAllowed:      fault.OperationNotAllowed,
	gallery.ErrUnauthenticated: fault.InvalidToken,
	gallery.ErrExpired:         fault.ExpiredToken,
	gallery.ErrForbidden:       fault.AuthorizationFailed,
	gallery.ErrNoLeader:        fault.ServiceUnavailable,
	gallery.ErrUnavailable:     fault.ServiceUnavailable,
	gallery.ErrUnknownOutcome:  fault.ServiceUnavailable,
	gallery.ErrLimit:           fault.TooManyRequests,
	gallery.ErrInUse:           fault.CannotDelete,
	gallery.ErrNoGroup:         fault.ResourceGroupNotFound,
	gallery.ErrDeleting:        fault.GroupBeingDeleted,

	gallery.ErrAssignmentExists: fault.AssignmentExists,
	gallery.ErrBlockedBeforeEOL: fault.BlockedBeforeEndOfLife,
}

// toFault turns any error into one of the wire.
func toFault(err error) *fault.Fault {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) { // of a node that would have passed it on
		return fault.New(fault.RequestTooLarge, "The body is larger than %d bytes.", maxBody)
	}
	kind := gallery.KindOf(err)
	code, known := codes[kind]
	if !known {
		code, known = codes[kind.Parent()]
	}
	if !known {
		return fault.New(fault.InternalServerError, "The node failed to answer; its log says why.")
	}
	return &fault.Fault{Code: code, Message: told(err), Target: fieldOf(err)}
}

// told is what of an error is for the caller: its message, without the name of the step that failed.
func told(err error) string {
	var g *gallery.Error
	if !errors.As(err, &g) {
		return err.Error()
	}
	text := g.Message
	if text == "" {
		text = string(g.Kind)
	}
	if g.Resource != "" {
		text = g.Resource + ": " + text
	}
	return text
}

func fieldOf(err error) string {
	var g *gallery.Error
	if errors.As(err, &g) {
		return g.Field
	}
	return ""
}
