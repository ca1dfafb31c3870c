package node

import (
	"context"
	"net"
	"net/url"
	"slices"
	"time"

	"loggia/gallery"
	"loggia/node/access"
	"loggia/node/tokens"
)

// access makes the parts that know who asks and what they may do.
func (n *Node) access() (*access.Access, access.Rights, *tokens.Service) {
	rows := func() access.View { return n.m.View() }
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
