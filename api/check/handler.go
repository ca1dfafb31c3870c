package check

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"loggia/api/authz"
	"loggia/api/respond"
	"loggia/api/v1"
	"loggia/gallery"
)

// Service is what the handler asks of the node.
type Service interface {
	// Check checks the stores of a region that this node belongs to, and calls emit for what it finds and how far it is, one at a time.
	Check(ctx context.Context, region string, r v1.CheckRequest, emit func(v1.CheckEvent) error) error
}

// writeTimeout is how long a reader may take for one line.
const writeTimeout = 30 * time.Second

// Handler serves POST /v1/regions/{region}/verify. There wraps it where another region's nodes are asked: the right is checked here and there.
func Handler(s Service, guard *authz.Guard, there func(http.Handler) http.Handler, log *slog.Logger) http.Handler {
	mux := guard.Mux()
	mux.Handle(http.MethodPost, "/v1/regions/{region}/verify", there(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in v1.CheckRequest
		if err := respond.Decode(w, r, &in); err != nil {
			respond.Error(log, w, r, err)
			return
		}
		l := &lines{w: w, out: http.NewResponseController(w), r: r}
		err := s.Check(r.Context(), r.PathValue("region"), in, l.emit)
		switch {
		case err == nil:
			_ = l.emit(v1.CheckEvent{Type: "done"}) // the reader may be gone
		case l.begun:
			_ = l.emit(v1.CheckEvent{Type: "failed", Message: err.Error()})
		case r.Context().Err() == nil:
			respond.Error(log, w, r, err)
		}
	})))
	return mux
}

// lines writes one JSON object a line.
type lines struct {
	w     http.ResponseWriter
	out   *http.ResponseController
	r     *http.Request
	begun bool
}

func (l *lines) emit(e v1.CheckEvent) error {
	if err := authz.Still(l.r.Context()); err != nil {
		return err
	}
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "application/x-ndjson")
		l.w.Header().Set("Cache-Control", "no-cache")
		l.w.WriteHeader(http.StatusOK)
	}
	if err := l.out.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := l.w.Write(append(b, '\n')); err != nil {
		return &gallery.Error{Kind: gallery.ErrUnavailable, Op: "send lines", Err: err}
	}
	err = l.out.Flush()
	_ = l.out.SetWriteDeadline(time.Time{}) // of the next answer on this connection
	return err
}
