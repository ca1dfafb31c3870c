// Package respond decodes requests and encodes answers of the JSON surfaces.
package respond

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"loggia/api/v1"
	"loggia/gallery"
)

// maxBody bounds a JSON request, in bytes.
const maxBody = 1 << 20

// JSON answers v.
func JSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "no-cache")
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone; nobody is left to tell
}

// Error answers err as its kind asks. What is internal is logged and not told.
func Error(log *slog.Logger, w http.ResponseWriter, r *http.Request, err error) {
	status, e := v1.FromError(err)
	if status == http.StatusInternalServerError && r.Context().Err() == nil {
		log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	JSON(w, status, v1.ErrorBody{Error: e})
}

// Decode reads the JSON body into v, strictly: an unknown field is an error that names it.
func Decode(w http.ResponseWriter, r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return bad(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return &gallery.Error{Kind: gallery.ErrInvalid, Field: "body", Message: "must hold one JSON value"}
	}
	return nil
}

// bad names the field where the decoder knows it.
func bad(err error) error {
	e := &gallery.Error{Kind: gallery.ErrInvalid, Field: "body", Message: err.Error()}
	var typ *json.UnmarshalTypeError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &typ):
		if typ.Field != "" {
			e.Field = typ.Field
		}
		e.Message = "must be of type " + typ.Type.String()
	case errors.As(err, &large):
		e.Kind, e.Message = gallery.ErrLimit, "larger than 1 MiB"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.Message = "must hold one JSON value"
	}
	return e
}
