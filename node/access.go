package node

import (
	"context"
	"net"
	"net/url"
	"slices"
	"time"

	"loggia/fsm/command"
	"loggia/gallery"
	"loggia/node/access"
	"loggia/node/reads"
	"loggia/node/tokens"
)

// access makes the parts that know who asks and what they may do.
func (n *Node) access(current *reads.Reads) (*access.Access, access.Rights, *tokens.Service) {
	rows := func() access.View { return n.m.View() }
	log := n.log.With("component", "access")
	settle := func(ctx context.Context) { _, _, _ = current.Settle(ctx, "default") } // it answers from what is at hand where no leader does
	issuing := tokens.New(tokens.Options{State: func() tokens.View { return rows() }, Settle: settle, Secret: n.id.Secret, Create: n.createPrincipal, Now: time.Now, Logger: log})
	a := access.New(access.Options{State: rows, Tokens: issuing, Now: time.Now, Log: log})
	return a, access.Rights{Access: a, Names: access.Names{State: rows}}, issuing
}

// ownOrigin says whether an origin is one of this node's names: the configured one, and those in its certificate.
func (n *Node) ownOrigin(origin string) bool {
	if n.opts.API.URL != "" && origin == n.opts.API.URL {
		return true
	}
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

// createPrincipal makes a user for whom an outside issuer vouches, at the first login. This node leads.
func (n *Node) createPrincipal(ctx context.Context, p gallery.Principal) error {
	res, err := n.reports.Propose(ctx, command.Header{Principal: "issuer " + string(p.External.Issuer), Time: time.Now()},
		&command.PrincipalPut{Principal: p, If: command.Precondition{Absent: true}})
	if err != nil {
		return err
	}
	return res.Failure()
}

// rotator keeps the cluster in signing keys while this node leads.
func (n *Node) rotator() *tokens.Rotator {
	propose := func(ctx context.Context, c command.Command) error {
		res, err := n.reports.Propose(ctx, command.Header{Principal: "keys", Time: time.Now()}, c)
		if err != nil {
			return err
		}
		return res.Failure()
	}
	return &tokens.Rotator{Watched: n.m.Watched, Propose: propose, Secret: n.id.Secret, Now: time.Now, Log: n.log.With("component", "keys")}
}

func (n *Node) newSigningKey() (gallery.SigningKey, error) {
	return tokens.NewSigningKey(n.id.Secret, time.Now())
}
