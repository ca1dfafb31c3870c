package authn

import (
	"context"
	"net/http"
	"strings"
)

// Principal is who asks.
type Principal struct {
	ID   string // of the token
	Name string
}

// Verifier decides whether a token's text is good at this moment.
type Verifier interface {
	// Verify returns who the token stands for, or an error of the kind gallery.ErrUnauthenticated.
	Verify(ctx context.Context, token string) (Principal, error)
}

type key struct{}

// From returns who asks, as Require found out.
func From(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(key{}).(Principal)
	return p, ok
}

// Require lets only requests with a good bearer token through to next; refuse answers the others.
func Require(v Verifier, next http.Handler, refuse func(http.ResponseWriter, *http.Request, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := v.Verify(r.Context(), bearer(r.Header.Get("Authorization")))
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, p)))
	})
}

func bearer(header string) string {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
