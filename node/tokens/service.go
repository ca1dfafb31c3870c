package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"loggia/api/sts"
	"loggia/gallery"
)

// View is the state as a service reads it; rows that are not there are nil.
type View interface {
	Cluster() *gallery.Cluster
	SigningKey(id string) *gallery.SigningKey
	SigningKeys() []*gallery.SigningKey
	PrincipalByApp(app gallery.AppID) *gallery.Principal
	UserByExternal(x gallery.ExternalIdentity) *gallery.Principal
	GroupByExternal(x gallery.ExternalIdentity) *gallery.Principal
	Issuers() []*gallery.Issuer
}

// Options is what a Service needs.
type Options struct {
	State func() View
	// Create puts a new principal into the log; the node leads. gallery.ErrConflict: another has its names.
	Create func(ctx context.Context, p gallery.Principal) error
	// Settle brings the state up to date, as far as a leader can be asked in a moment. A client that is not known here may have been
	// made on another node just now.
	Settle func(ctx context.Context)
	Secret []byte // the cluster's: it opens the signing keys
	Now    func() time.Time
	Logger *slog.Logger
}

// Service issues and checks tokens from the node's own state, so that logins work without a leader. It is safe for use
// by many goroutines.
type Service struct {
	o       Options
	keys    *keyring
	used    replay
	outside *outside
	decoy   func() []any // a public key that no client has
}

var _ sts.Service = (*Service)(nil)

// New returns a service.
func New(o Options) *Service {
	return &Service{o: o, keys: newKeyring(o.Secret), used: replay{seen: map[string]time.Time{}}, outside: newOutside(o.Now),
		decoy: sync.OnceValue(newDecoy)}
}

// Names implements sts.Service.
func (s *Service) Names() (sts.Names, error) {
	c := s.o.State().Cluster()
	if c == nil {
		return sts.Names{}, &gallery.Error{Kind: gallery.ErrUnavailable, Message: "the cluster is not founded yet"}
	}
	return sts.Names{Cluster: c.ID, Tenant: c.Tenant, Issuer: IssuerOf(c.ID), Audience: AudienceOf(c.ID)}, nil
}

// Keys implements sts.Service.
func (s *Service) Keys() []json.RawMessage {
	rows := s.o.State().SigningKeys()
	s.keys.forget(rows)
	var out []json.RawMessage
	for _, r := range rows {
		out = append(out, json.RawMessage(r.Public))
	}
	return out
}

// Token implements sts.Service.
func (s *Service) Token(ctx context.Context, g sts.Grant) (sts.Answer, error) {
	var m Minted
	var err error
	if g.Type == sts.GrantExchange {
		m, err = s.exchange(ctx, g)
	} else {
		m, err = s.client(s.o.State(), g)
		if errors.Is(err, sts.ErrClient) {
			s.o.Settle(ctx)
			m, err = s.client(s.o.State(), g)
		}
	}
	if err != nil {
		return sts.Answer{}, err
	}
	return sts.Answer{Token: m.Token, Issued: m.Issued, Expires: m.Expires}, nil
}

// client answers client_credentials.
func (s *Service) client(v View, g sts.Grant) (Minted, error) {
	id := g.Client
	if g.Assertion != "" {
		id = assertedClient(g.Assertion, g.Client)
	}
	p := v.PrincipalByApp(gallery.AppID(id))
	good, how := s.proves(v, p, g)
	// Only after the same work as for one that is known (S2).
	if !good || p == nil || p.Disabled || p.Kind != gallery.KindServicePrincipal || g.Tenant != "" && g.Tenant != string(p.Tenant) {
		return Minted{}, sts.ErrClient
	}
	return s.mint(v, p, nil, how)
}

// proves says whether the client proved that it is p. It does the same work where p is nil.
func (s *Service) proves(v View, p *gallery.Principal, g sts.Grant) (bool, string) {
	if g.Assertion != "" {
		if err := s.assertion(v, p, g); err != nil {
			s.o.Logger.Debug("a client assertion was refused", "client", g.Client, "error", err)
			return false, ""
		}
		return true, byAssertion
	}
	return hasSecret(p, g.Secret, s.o.Now()), bySecret
}
