package service

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"loggia/api/authn"
	"loggia/api/v1"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/internal/digest"
)

// Cluster is what the service asks of consensus and gossip.
type Cluster interface {
	Leader() (gallery.NodeID, bool)
	Servers() ([]Server, error)
	TransferLeadership(ctx context.Context) error
	// Alive says what gossip has heard of a node: alive, dead or unknown.
	Alive(gallery.NodeID) string
	// JoinToken writes a join token's text: it carries the hash of the cluster's CA.
	JoinToken(id gallery.TokenID, secret [32]byte) (string, error)
}

// Server is a member of the raft configuration.
type Server struct {
	ID      gallery.NodeID
	Address string
	Voter   bool
}

// Regions implements manage.Service.
func (s *Service) Regions(context.Context) ([]v1.Region, error) {
	v := s.o.State()
	var out []v1.Region
	for _, r := range v.Regions() {
		out = append(out, region(v, r))
	}
	return out, nil
}

// Region implements manage.Service.
func (s *Service) Region(_ context.Context, name string) (v1.Region, error) {
	r, err := gallery.ParseRegionName(name)
	if err != nil {
		return v1.Region{}, err
	}
	v := s.o.State()
	row := v.Region(r)
	if row == nil {
		return v1.Region{}, notFound("get region", name)
	}
	return region(v, row), nil
}

func region(v *state.View, r *gallery.Region) v1.Region {
	out := v1.Region{Name: string(r.Name), Nodes: len(v.Nodes(r.Name)), Stores: []v1.Store{}, Limits: limitsOf(v, r.Name), Distances: distancesOf(v, r.Name),
		Collection: regionCollection(v, r.Name), Check: regionCheck(v, r.Name)}
	for _, s := range v.Stores(r.Name) {
		store := v1.Store{ID: string(s.ID), Name: s.Name, Zone: s.Zone, Class: string(s.Class), Kind: string(s.Kind), State: string(s.State),
			Reason: s.Reason, Total: s.Capacity.Total, Free: s.Capacity.Free, Checked: s.Checked}
		if len(s.Abilities) > 0 {
			store.Abilities = json.RawMessage(s.Abilities)
		}
		out.Stores = append(out.Stores, store)
	}
	return out
}

// RemoveRegion implements manage.Service.
func (s *Service) RemoveRegion(ctx context.Context, name string, lost bool) ([]string, error) {
	r, err := gallery.ParseRegionName(name)
	if err != nil {
		return nil, err
	}
	removed, err := put[command.RegionRemoved](ctx, s, &command.RegionRemove{Region: r, Lost: lost})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, ref := range removed.NoSource {
		out = append(out, ref.String())
	}
	return out, nil
}

// Members implements manage.Service.
func (s *Service) Members(context.Context) ([]v1.Member, error) {
	leader, _ := s.o.Cluster.Leader()
	out := []v1.Member{}
	for _, n := range s.o.State().Nodes("") {
		out = append(out, v1.Member{ID: string(n.ID), Region: string(n.Region), Zone: n.Zone, Address: n.Address, Seat: string(n.Seat),
			Leader: n.ID == leader, Alive: s.o.Cluster.Alive(n.ID), Version: n.Version, Joined: n.Joined})
	}
	slices.SortFunc(out, func(a, b v1.Member) int { return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

// RemoveMember implements manage.Service. The leader's upkeep takes the node out of the raft
// configuration.
func (s *Service) RemoveMember(ctx context.Context, id string) error {
	_, err := s.propose(ctx, &command.NodeRemove{ID: gallery.NodeID(id)})
	return err
}

// RaftPeers implements manage.Service.
func (s *Service) RaftPeers(context.Context) ([]v1.RaftPeer, error) {
	servers, err := s.o.Cluster.Servers()
	if err != nil {
		return nil, err
	}
	leader, _ := s.o.Cluster.Leader()
	v := s.o.State()
	out := []v1.RaftPeer{}
	for _, srv := range servers {
		p := v1.RaftPeer{ID: string(srv.ID), Address: srv.Address, Voter: srv.Voter, Leader: srv.ID == leader}
		if n := v.Node(srv.ID); n != nil {
			p.Region, p.Address = string(n.Region), n.Address
		}
		out = append(out, p)
	}
	return out, nil
}

// TransferLeadership implements manage.Service.
func (s *Service) TransferLeadership(ctx context.Context) error {
	return s.o.Cluster.TransferLeadership(ctx)
}

// Promote implements manage.Service: the seat is the request, the leader's upkeep carries it out.
func (s *Service) Promote(ctx context.Context, id string) error {
	row := s.o.State().Node(gallery.NodeID(id))
	if row == nil {
		return notFound("promote", id)
	}
	n := *row
	n.Seat = gallery.SeatVoter
	_, err := s.propose(ctx, &command.NodeUpdate{Node: n})
	return err
}

// defaultJoinLife is how long a join token may be used where nothing else is asked.
const defaultJoinLife = 24 * time.Hour

// CreateJoinToken implements manage.Service.
func (s *Service) CreateJoinToken(ctx context.Context, r v1.JoinTokenRequest) (v1.JoinToken, error) {
	region, err := gallery.ParseRegionName(r.Region)
	if err != nil {
		return v1.JoinToken{}, err
	}
	seat := gallery.Seat(r.Seat)
	if seat == "" {
		seat = gallery.SeatStandby
	}
	if !seat.Valid() {
		return v1.JoinToken{}, &gallery.Error{Kind: gallery.ErrInvalid, Field: "seat", Message: "must be voter, standby or witness"}
	}
	life, err := lifetime(r.TTL, defaultJoinLife)
	if err != nil {
		return v1.JoinToken{}, err
	}
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails since Go 1.24
	t := gallery.JoinToken{ID: gallery.TokenID(uuid.NewString()), Hash: digest.Of(secret[:]), Region: region, Zone: r.Zone, Seat: seat,
		Expires: s.o.Now().Add(life), Uses: 1}
	text, err := s.o.Cluster.JoinToken(t.ID, secret)
	if err != nil {
		return v1.JoinToken{}, err
	}
	made, err := put[gallery.JoinToken](ctx, s, &command.JoinTokenPut{Token: t})
	return v1.JoinToken{Token: text, Expires: made.Expires}, err
}

func lifetime(text string, otherwise time.Duration) (time.Duration, error) {
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, &gallery.Error{Kind: gallery.ErrInvalid, Field: "ttl", Message: fmt.Sprintf("%q: must be a positive duration such as 24h", text)}
	}
	return d, nil
}

// Tokens implements manage.Service.
func (s *Service) Tokens(ctx context.Context) ([]gallery.AccessToken, error) {
	v := s.o.State()
	return slices.DeleteFunc(values(v.AccessTokens()), func(t gallery.AccessToken) bool { return !s.mayTouch(ctx, v, &t) }), nil
}

// CreateToken implements manage.Service.
func (s *Service) CreateToken(ctx context.Context, r v1.TokenRequest) (v1.Token, error) {
	life, err := lifetime(r.TTL, 0)
	if err != nil {
		return v1.Token{}, err
	}
	owner, err := s.tokenOwner(ctx, r.Principal)
	if err != nil {
		return v1.Token{}, err
	}
	id := uuid.NewString()
	text, hash := authn.NewToken(id)
	t := gallery.AccessToken{ID: gallery.TokenID(id), Hash: hash, Name: r.Name, Principal: r.Name, Owner: owner}
	if life > 0 {
		t.Expires = s.o.Now().Add(life)
	}
	made, err := put[gallery.AccessToken](ctx, s, &command.AccessTokenPut{Token: t})
	return v1.Token{ID: id, Name: made.Name, Principal: string(made.Owner), Secret: text, Created: made.Created, Expires: made.Expires}, err
}

// DeleteToken implements manage.Service.
func (s *Service) DeleteToken(ctx context.Context, id string) error {
	v := s.o.State()
	if t := v.AccessToken(gallery.TokenID(id)); t != nil && !s.mayTouch(ctx, v, t) {
		return notFound("delete token", id)
	}
	_, err := s.propose(ctx, &command.AccessTokenDelete{ID: gallery.TokenID(id)})
	return err
}

// mayTouch says whether the caller deals with a token: the operator with all, others with those of their tenant.
func (s *Service) mayTouch(ctx context.Context, v *state.View, t *gallery.AccessToken) bool {
	if p, ok := authn.From(ctx); ok && p.Operator() {
		return true
	}
	owner := v.Principal(t.Owner)
	return owner != nil && visible(ctx, owner.Tenant)
}

// tokenOwner is the principal that a new token stands for. Only the operator makes further tokens of the operator.
func (s *Service) tokenOwner(ctx context.Context, name string) (gallery.PrincipalID, error) {
	if name == "" {
		p, _ := authn.From(ctx)
		return p.ID, nil
	}
	p, err := s.principal(ctx, s.o.State(), name)
	if err != nil {
		return "", err
	}
	return p.ID, nil
}
