package authn

import (
	"context"
	"net/http"
	"strings"
	"time"

	"loggia/gallery"
)

// Principal is who asks: a principal of a tenant, or the operator.
type Principal struct {
	ID     gallery.PrincipalID   // "": the operator, who may do everything
	Tenant gallery.TenantID      //
	Kind   gallery.PrincipalKind //
	AppID  gallery.AppID         // of a service principal: its client id
	Name   string                // for people
	Groups []gallery.PrincipalID // that it is in, directly or through others
	Token  gallery.TokenID       // the access token that was shown, where it was one
	Until  time.Time             // when what was shown expires; zero: never
}

// Operator says whether this is the operator.
func (p Principal) Operator() bool { return p.ID == "" }

// Actor is the name under which the log and operations remember who asked: the object id, or the operator's token name.
func (p Principal) Actor() string {
	if p.Operator() {
		return p.Name
	}
	return string(p.ID)
}

// Client is how Azure's messages name who asks: the client id of a program, the name of a person.
func (p Principal) Client() string {
	if p.AppID != "" {
		return string(p.AppID)
	}
	return p.Name
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

// With puts who asks into a context.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, key{}, p)
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
		next.ServeHTTP(w, r.WithContext(With(r.Context(), p)))
	})
}

func bearer(header string) string {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
