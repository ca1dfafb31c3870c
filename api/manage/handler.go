package manage

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"loggia/api/authz"
	"loggia/api/respond"
	"loggia/api/v1"
	"loggia/gallery"
)

// Handler serves the routes of package v1 that are metadata. Writer wraps the routes that write:
// the node forwards those to the leader.
func Handler(s Service, guard *authz.Guard, writer func(http.Handler) http.Handler, log *slog.Logger) http.Handler {
	h := &handler{s: s, log: log, writer: writer, mux: guard.Mux()}
	h.galleries()
	h.images()
	h.versions()
	h.snapshots()
	h.cluster()
	h.limits()
	h.distances()
	h.tokens()
	h.collections()
	h.acl()
	return h.mux
}

type handler struct {
	s      Service
	log    *slog.Logger
	writer func(http.Handler) http.Handler
	mux    *authz.Mux
}

// answer computes what a route says; a nil value is 204.
type answer func(w http.ResponseWriter, r *http.Request) (any, error)

// read adds a route whose state is settled first, so that rights are checked as they are now.
func (h *handler) read(pattern string, a answer) {
	h.mux.HandleFunc(http.MethodGet, pattern, func(w http.ResponseWriter, r *http.Request) { h.answer(w, r, a) }, h.settled)
}

func (h *handler) settled(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		age, stale, err := h.s.Settle(r.Context(), r.URL.Query().Get("consistency"))
		if err != nil {
			respond.Error(h.log, w, r, err)
			return
		}
		if stale {
			w.Header().Set(v1.AgeHeader, strconv.FormatFloat(age.Seconds(), 'f', 3, 64))
		}
		next.ServeHTTP(w, r)
	})
}

// write adds a route that changes something.
func (h *handler) write(method, pattern string, a answer) {
	h.mux.HandleFunc(method, pattern, func(w http.ResponseWriter, r *http.Request) { h.answer(w, r, a) }, h.writer)
}

func (h *handler) answer(w http.ResponseWriter, r *http.Request, a answer) {
	v, err := a(w, r)
	switch {
	case err != nil:
		respond.Error(h.log, w, r, err)
	case v == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		respond.JSON(w, http.StatusOK, v)
	}
}

// condition reads If-Match and If-None-Match (RFC 9110, section 13).
func condition(r *http.Request) (Condition, error) {
	var c Condition
	if v := r.Header.Get("If-Match"); v != "" && v != "*" {
		n, err := strconv.ParseUint(strings.Trim(v, `"`), 10, 64)
		if err != nil || n == 0 {
			// An etag that this cluster never gave matches nothing.
			return c, &gallery.Error{Kind: gallery.ErrPrecondition, Field: "If-Match", Message: fmt.Sprintf("%s is not the resource's etag", v)}
		}
		c.IfMatch = n
	}
	switch v := r.Header.Get("If-None-Match"); v {
	case "":
	case "*":
		c.OnlyNew = true
	default:
		return c, &gallery.Error{Kind: gallery.ErrInvalid, Field: "If-None-Match", Message: "only * is supported"}
	}
	return c, nil
}

func list[T any](v []T) v1.List[T] {
	if v == nil {
		v = []T{}
	}
	return v1.List[T]{Value: v}
}

func etag(n uint64) string { return strconv.FormatUint(n, 10) }
