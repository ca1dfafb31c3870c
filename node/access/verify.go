package access

import (
	"context"
	"log/slog"
	"time"

	"loggia/api/authn"
	"loggia/gallery"
	"loggia/internal/digest"
	"loggia/node/tokens"
)

// View is the state as access reads it; rows that are not there are nil.
type View interface {
	tokens.View
	AccessToken(id gallery.TokenID) *gallery.AccessToken
	AccessTokenByHash(hash digest.Digest) *gallery.AccessToken
	Principal(id gallery.PrincipalID) *gallery.Principal
	Subscription(id gallery.SubscriptionID) *gallery.Subscription
	Subscriptions(tenant gallery.TenantID) []*gallery.Subscription
	GroupsOf(p *gallery.Principal, also ...gallery.PrincipalID) []gallery.PrincipalID
	AssignmentsOf(id gallery.PrincipalID) []*gallery.RoleAssignment
	Role(id gallery.RoleID) *gallery.RoleDefinition
	Gallery(ref gallery.GalleryRef) *gallery.Gallery
	Upload(id gallery.UploadID) *gallery.Upload
	Uploads() []*gallery.Upload
	VersionsOfDisk(id gallery.DiskID) []*gallery.ImageVersion
	SnapshotsOfDisk(id gallery.DiskID) []*gallery.Snapshot
}

// Options is what Access needs.
type Options struct {
	State  func() View
	Tokens interface {
		Verify(v tokens.View, token string) (tokens.Bearer, error)
	}
	Now func() time.Time
	Log *slog.Logger
}

// Access is safe for use by many goroutines.
type Access struct{ o Options }

var _ authn.Verifier = (*Access)(nil)

// New returns access.
func New(o Options) *Access { return &Access{o} }

func refused(why string) error {
	return &gallery.Error{Kind: gallery.ErrUnauthenticated, Op: "authenticate", Message: why}
}

func expired(why string) error {
	return &gallery.Error{Kind: gallery.ErrExpired, Op: "authenticate", Message: why}
}

// Verify implements authn.Verifier: an access token of the cluster, or one of our JWTs. The principal's row is looked at
// every time, so that disabling somebody works as fast as the log travels.
func (a *Access) Verify(_ context.Context, token string) (authn.Principal, error) {
	v := a.o.State()
	switch {
	case token == "":
		return authn.Principal{}, refused("no bearer token; log in, set LOGGIA_TOKEN, or give --token")
	case authn.IsToken(token) || !looksSigned(token):
		return a.static(v, token)
	}
	b, err := a.o.Tokens.Verify(v, token)
	if err != nil {
		return authn.Principal{}, err
	}
	p, err := a.principal(v, b.Principal, b.Groups)
	if err != nil {
		return authn.Principal{}, err
	}
	if p.Tenant != b.Tenant {
		return authn.Principal{}, errGone
	}
	p.Until = b.Expires
	return p, nil
}

// looksSigned says whether text has the three parts of a JWT.
func looksSigned(text string) bool {
	dots := 0
	for i := range len(text) {
		if text[i] == '.' {
			dots++
		}
	}
	return dots == 2
}

// static finds an access token by the hash of its secret.
func (a *Access) static(v View, token string) (authn.Principal, error) {
	id, hash, err := authn.ParseToken(token)
	if err != nil {
		return authn.Principal{}, refused("the access token is malformed")
	}
	row := v.AccessTokenByHash(hash)
	switch {
	case row == nil || string(row.ID) != id:
		return authn.Principal{}, refused("the access token is not known here")
	case row.Expired(a.o.Now()):
		return authn.Principal{}, expired("the access token expired at " + row.Expires.Format(time.RFC3339))
	case row.Owner == "":
		return authn.Principal{Name: row.Principal, Token: row.ID, Until: row.Expires}, nil
	}
	p, err := a.principal(v, row.Owner, nil)
	if err != nil {
		return authn.Principal{}, err
	}
	p.Token, p.Until = row.ID, row.Expires
	return p, nil
}

// errGone says the same of a principal that was deleted, disabled or moved.
var errGone = refused("the principal of the access token does not exist or is disabled")

func (a *Access) principal(v View, id gallery.PrincipalID, vouched []gallery.PrincipalID) (authn.Principal, error) {
	row := v.Principal(id)
	if row == nil || row.Disabled || row.Kind == gallery.KindGroup {
		return authn.Principal{}, errGone
	}
	name := row.Name
	if row.UserName != "" {
		name = row.UserName
	}
	return authn.Principal{ID: row.ID, Tenant: row.Tenant, Kind: row.Kind, AppID: row.AppID, Name: name, Groups: v.GroupsOf(row, vouched...)}, nil
}
