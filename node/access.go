package node

import (
	"context"
	"net"
	"net/url"
	"slices"
	"time"

	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/node/access"
	"loggia/node/tokens"
)

// view is the state as identity and access read it.
type view struct{ *state.View }

// access makes the parts that know who asks and what they may do.
func (n *Node) access() (*access.Access, access.Rights, *tokens.Service) {
	rows := func() access.View { return view{n.m.View()} }
	log := n.log.With("component", "access")
	issuing := tokens.New(tokens.Options{State: func() tokens.View { return rows() }, Secret: n.id.Secret, Create: n.createPrincipal, Now: time.Now, Logger: log})
	a := access.New(access.Options{State: rows, Tokens: issuing, Now: time.Now, Log: log})
	return a, access.Rights{Access: a, Names: access.Names{State: rows}}, issuing
}

// ownOrigin says whether an origin is one of this node's names: those in its certificate.
func (n *Node) ownOrigin(origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" {
		return false
	}
	host := u.Host
	if h, _, err := net.SplitHostPort(u.Host); err == nil {
		host = h
	}
	return slices.Contains(n.hosts(), host)
}

func (n *Node) createPrincipal(context.Context, gallery.Principal) error {
	return &gallery.Error{Kind: gallery.ErrUnavailable, Message: "users are not made here yet"}
}

func (view) SigningKey(string) *gallery.SigningKey                           { return nil }
func (view) SigningKeys() []*gallery.SigningKey                              { return nil }
func (view) PrincipalByApp(gallery.AppID) *gallery.Principal                 { return nil }
func (view) PrincipalByExternal(gallery.ExternalIdentity) *gallery.Principal { return nil }
func (view) Issuers() []*gallery.Issuer                                      { return nil }
func (view) Principal(gallery.PrincipalID) *gallery.Principal                { return nil }
func (view) Subscription(gallery.SubscriptionID) *gallery.Subscription       { return nil }
func (view) RoleAssignmentsOf(gallery.PrincipalID) []*gallery.RoleAssignment { return nil }
func (view) RoleDefinition(gallery.RoleID) *gallery.RoleDefinition           { return nil }
