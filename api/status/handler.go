package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"loggia/api/authz"
	"loggia/api/respond"
	"loggia/api/v1"
	"loggia/gallery"
)

// Service is what the handlers ask of the node.
type Service interface {
	// Ready says why the node cannot serve; nil: it can.
	Ready() error
	Status(ctx context.Context) (v1.Status, error)
	Version(ctx context.Context, g, i, v string) (v1.VersionStatus, error)
	// Follow calls fn for the versions as they are now and then for each change, until ctx ends
	// or fn fails. key "" means all versions.
	Follow(ctx context.Context, key string, fn func(v1.Event) error) error
}

// Health serves /livez, /readyz and, where metrics is not nil, /metrics, to everybody who can
// reach the port.
func Health(s Service) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := s.Ready(); err != nil {
			text(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		text(w, http.StatusOK, "ok")
	})
	return mux
}

func text(w http.ResponseWriter, status int, s string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, s)
}

// Handler serves the routes of package v1 that tell how things stand.
func Handler(s Service, metrics http.Handler, guard *authz.Guard, log *slog.Logger) http.Handler {
	h := &handler{s: s, log: log}
	mux := guard.Mux()
	mux.Handle("GET", "/metrics", metrics)
	mux.HandleFunc("GET", "/v1/status", func(w http.ResponseWriter, r *http.Request) {
		v, err := s.Status(r.Context())
		h.answer(w, r, v, err)
	})
	mux.HandleFunc("GET", "/v1/galleries/{g}/images/{i}/versions/{v}/status", func(w http.ResponseWriter, r *http.Request) {
		v, err := s.Version(r.Context(), r.PathValue("g"), r.PathValue("i"), r.PathValue("v"))
		h.answer(w, r, v, err)
	})
	mux.HandleFunc("GET", "/v1/events", h.events)
	return mux
}

type handler struct {
	s   Service
	log *slog.Logger
}

func (h *handler) answer(w http.ResponseWriter, r *http.Request, v any, err error) {
	if err != nil {
		respond.Error(h.log, w, r, err)
		return
	}
	respond.JSON(w, http.StatusOK, v)
}

// writeTimeout is how long a reader of events may take for one of them.
const writeTimeout = 30 * time.Second

// events streams server-sent events (HTML standard, section 9.2).
func (h *handler) events(w http.ResponseWriter, r *http.Request) {
	out := http.NewResponseController(w)
	begun := false
	err := h.s.Follow(r.Context(), r.URL.Query().Get("version"), func(e v1.Event) error {
		if err := authz.Still(r.Context()); err != nil {
			return err
		}
		if !begun {
			begun = true
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("Cache-Control", "no-cache")
			w.WriteHeader(http.StatusOK)
		}
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if err := out.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", e.Type, b); err != nil {
			return err
		}
		err = out.Flush()
		// The next answer on this connection would meet the deadline, too.
		_ = out.SetWriteDeadline(time.Time{})
		return err
	})
	if err != nil && !begun && r.Context().Err() == nil {
		respond.Error(h.log, w, r, err)
	}
}

// NotFound answers a route that is not there.
func NotFound(log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		respond.Error(log, w, r, &gallery.Error{Kind: gallery.ErrNotFound, Resource: r.URL.Path, Message: "no such route"})
	})
}
