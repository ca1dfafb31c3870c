package sts

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// Options is what a handler needs.
type Options struct {
	Service Service
	// Writer wraps what needs a write: the node forwards it to the leader, whole.
	Writer func(http.Handler) http.Handler
	// Base is the external origin of a request, "https://host:port", without a slash at its end.
	Base func(*http.Request) string
	// Own says whether a base is this node's: a client's assertion for another server must not be good here because
	// somebody sends it with that server's name.
	Own func(base string) bool
	Now func() time.Time
	Log *slog.Logger
}

// Handler serves the paths that Owns names; they need no token.
func Handler(o Options) http.Handler {
	return &handler{o: o, failures: newThrottle(o.Now)}
}

type handler struct {
	o        Options
	failures *throttle
}

// methods are what each place answers to.
var methods = map[place][]string{
	metadataPlace: {http.MethodGet, http.MethodHead}, discoveryPlace: {http.MethodGet, http.MethodHead},
	keysPlace: {http.MethodGet, http.MethodHead}, tokenPlace: {http.MethodPost},
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	where, prefix := locate(r.URL.Path)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if allowed := strings.Join(methods[where], ", "); !strings.Contains(allowed, r.Method) {
		w.Header().Set("Allow", allowed)
		h.refuse(w, r, &Error{Code: "invalid_request", Number: 900561, Description: "The endpoint only accepts " + allowed + " requests.", Status: http.StatusMethodNotAllowed})
		return
	}
	switch where {
	case metadataPlace:
		h.metadata(w, r)
	case discoveryPlace:
		h.discovery(w, r, prefix)
	case keysPlace:
		h.publicKeys(w, r)
	case tokenPlace:
		h.token(w, r, prefix)
	}
}

// token answers the token endpoint.
func (h *handler) token(w http.ResponseWriter, r *http.Request, prefix []string) {
	form, raw, err := readForm(w, r)
	var g Grant
	if err == nil {
		g, err = grant(form, r.Header.Get("Authorization"))
	}
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	g.Tenant, g.Audiences = tenantOf(prefix), h.audiences(r, prefix)
	if wait := h.failures.wait(g.Client, address(r)); wait > 0 {
		h.refuse(w, r, &Error{Code: "temporarily_unavailable", Number: 50196, Description: "Too many failed attempts; wait before you try again.",
			Status: http.StatusTooManyRequests, RetryAfter: wait})
		return
	}
	err = h.try(w, r, g)
	if !errors.Is(err, ErrWrite) {
		h.finish(w, r, g, err)
		return
	}
	g.Write = true
	r.Body = io.NopCloser(bytes.NewReader(raw))
	h.o.Writer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.finish(w, r, g, h.try(w, r, g))
	})).ServeHTTP(w, r)
}

// audiences is what a client's assertion may be for: this endpoint by its address, or the issuer by its name.
func (h *handler) audiences(r *http.Request, prefix []string) []string {
	var out []string
	if n, err := h.o.Service.Names(); err == nil {
		out = append(out, n.Issuer)
	}
	if base := h.o.Base(r); h.o.Own(base) {
		root := base + "/" + strings.Join(prefix, "/")
		out = append(out, root, root+"/v2.0", root+"/oauth2/token", root+"/oauth2/v2.0/token")
	}
	return out
}

// issued is a good answer (RFC 6749, section 5.1). Azure's libraries read the times, too.
type issued struct {
	Type       string `json:"token_type"`
	ExpiresIn  int    `json:"expires_in"`
	ExtExpires int    `json:"ext_expires_in"`
	ExpiresOn  int64  `json:"expires_on"`
	NotBefore  int64  `json:"not_before"`
	IssuedType string `json:"issued_token_type,omitempty"`
	Token      string `json:"access_token"`
}

func (h *handler) try(w http.ResponseWriter, r *http.Request, g Grant) error {
	a, err := h.o.Service.Token(r.Context(), g)
	if err != nil {
		return err
	}
	out := issued{Type: "Bearer", ExpiresOn: a.Expires.Unix(), NotBefore: a.Issued.Unix(), Token: a.Token}
	out.ExpiresIn = int(a.Expires.Sub(a.Issued)/time.Second) - 1
	out.ExtExpires = out.ExpiresIn
	if g.Type == GrantExchange {
		out.IssuedType = typeAccess
	}
	unkept(w, http.StatusOK, out)
	return nil
}

// unkept answers what no cache may keep (RFC 6749, section 5.1).
func unkept(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone; nobody is left to tell
}

// finish counts what came of a login and answers a refusal.
func (h *handler) finish(w http.ResponseWriter, r *http.Request, g Grant, err error) {
	if err == nil {
		h.failures.passed(g.Client, address(r))
		return
	}
	var e *Error
	if errors.As(err, &e) && (e.Code == ErrClient.Code || e.Code == ErrSubjectToken.Code) {
		h.failures.failed(g.Client, address(r))
	}
	h.refuse(w, r, err)
}
