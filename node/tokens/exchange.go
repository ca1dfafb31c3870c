package tokens

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"loggia/api/sts"
	"loggia/gallery"
)

// The bounds of what is read of an outside token.
const (
	maxSubject       = 255 // bytes, OpenID Connect's own bound
	maxOutsideGroups = 512
)

// exchange answers a token exchange (RFC 8693): an outside issuer's ID token against one of ours.
func (s *Service) exchange(ctx context.Context, g sts.Grant) (Minted, error) {
	v := s.o.State()
	who, err := s.outsider(ctx, v, g)
	if err != nil {
		return Minted{}, err
	}
	p := v.UserByExternal(gallery.ExternalIdentity{Issuer: who.issuer.ID, Subject: who.subject})
	if p == nil {
		if p, err = s.welcome(ctx, who, g.Write); err != nil {
			return Minted{}, err
		}
	}
	if p.Disabled || p.Tenant != who.issuer.Tenant {
		return Minted{}, sts.ErrNoUser
	}
	groups := s.groupsOf(v, who)
	if len(groups) > MaxGroups {
		return Minted{}, &sts.Error{Code: "invalid_grant", Number: 50034, Status: http.StatusBadRequest,
			Description: "The user is in more groups than a token can carry; assign roles to fewer groups of the issuer."}
	}
	return s.mint(v, p, groups, "")
}

// outsider is whom an outside issuer vouches for.
type outsider struct {
	issuer  *gallery.Issuer
	subject string
	name    string
	login   string // a name that the person knows, such as a mail address
	groups  []string
}

// outsider checks the subject token: an issuer that is configured, its own keys, its audience and its times.
func (s *Service) outsider(ctx context.Context, v View, g sts.Grant) (outsider, error) {
	refuse := func(err error) (outsider, error) {
		s.o.Logger.Info("an ID token was refused", "error", err)
		return outsider{}, sts.ErrSubjectToken
	}
	issuer := issuerOf(v, g)
	if issuer == nil {
		return refuse(refused("no issuer that is configured here"))
	}
	var asked error
	payload, err := open(g.SubjectToken, outsideAlgorithms, func(kid string, _ jose.SignatureAlgorithm) []any {
		var keys []any
		keys, asked = s.outside.keysFor(ctx, issuer, kid)
		return keys
	})
	if asked != nil {
		s.o.Logger.Warn("an outside issuer's keys cannot be had", "issuer", issuer.Name, "error", asked)
		return outsider{}, sts.ErrUnavailable
	}
	if err != nil {
		return refuse(err)
	}
	c, err := read(payload)
	if err == nil {
		err = forUs(&c, payload, issuer)
	}
	if err == nil {
		err = c.timely(s.o.Now())
	}
	if err != nil {
		return refuse(err)
	}
	out, err := describe(issuer, payload)
	if err != nil {
		return refuse(err)
	}
	return out, nil
}

// issuerOf finds the issuer that a token claims to be of, unproven: its address and audience together.
func issuerOf(v View, g sts.Grant) *gallery.Issuer {
	if len(g.SubjectToken) > maxToken {
		return nil
	}
	jws, err := jose.ParseSignedCompact(g.SubjectToken, outsideAlgorithms)
	if err != nil {
		return nil
	}
	c, err := read(jws.UnsafePayloadWithoutVerification())
	if err != nil {
		return nil
	}
	for _, i := range v.Issuers() {
		if i.URL == c.Issuer && c.Audience.has(i.ClientID) && (g.Tenant == "" || g.Tenant == string(i.Tenant)) {
			return i
		}
	}
	return nil
}

// forUs checks issuer and audience (OpenID Connect Core, section 3.1.3.7).
func forUs(c *claims, payload []byte, i *gallery.Issuer) error {
	var more struct {
		Party string `json:"azp"`
	}
	if err := json.Unmarshal(payload, &more); err != nil {
		return refused("its claims are malformed")
	}
	switch {
	case c.Issuer != i.URL:
		return refused("it is of another issuer")
	case !c.Audience.has(i.ClientID):
		return refused("it is for somebody else")
	case len(c.Audience) > 1 && more.Party != i.ClientID, more.Party != "" && more.Party != i.ClientID:
		return refused("it was given to another client")
	}
	return nil
}

// describe reads the claims that the issuer's row names.
func describe(i *gallery.Issuer, payload []byte) (outsider, error) {
	var all map[string]any
	if err := json.Unmarshal(payload, &all); err != nil {
		return outsider{}, refused("its claims are malformed")
	}
	out := outsider{issuer: i}
	out.subject, _ = claim(all, or(i.UserClaim, "sub")).(string)
	if out.subject == "" || len(out.subject) > maxSubject {
		return out, refused("the claim that names the user must be a text of 1 to %d bytes", maxSubject)
	}
	out.name, _ = claim(all, or(i.NameClaim, "name")).(string)
	for _, name := range []string{"preferred_username", "upn", "email"} {
		if s, _ := all[name].(string); s != "" && out.login == "" {
			out.login = s
		}
	}
	if i.GroupClaim != "" {
		out.groups = texts(claim(all, i.GroupClaim))
	}
	if len(out.groups) > maxOutsideGroups {
		return out, refused("more than %d groups", maxOutsideGroups)
	}
	return out, nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// claim finds a claim by its name, else by a path with dots, as in realm_access.roles.
func claim(all map[string]any, name string) any {
	if v, ok := all[name]; ok {
		return v
	}
	head, rest, ok := strings.Cut(name, ".")
	if !ok {
		return nil
	}
	inner, _ := all[head].(map[string]any)
	return claim(inner, rest)
}

// texts reads one text or a list of them; what is no text is passed over.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, x := range v {
			if s, ok := x.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// groupsOf maps the values of the group claim to the groups that stand for them here.
func (s *Service) groupsOf(v View, who outsider) []gallery.PrincipalID {
	var out []gallery.PrincipalID
	for _, name := range who.groups {
		name, ok := strings.CutPrefix(name, who.issuer.GroupPrefix)
		if !ok || name == "" || len(name) > maxSubject {
			continue
		}
		p := v.GroupByExternal(gallery.ExternalIdentity{Issuer: who.issuer.ID, Subject: name})
		if p != nil && !p.Disabled && p.Tenant == who.issuer.Tenant && !slices.Contains(out, p.ID) {
			out = append(out, p.ID)
		}
	}
	return out
}

// welcome makes a principal for a user who logs in for the first time, where the issuer is configured so.
func (s *Service) welcome(ctx context.Context, who outsider, write bool) (*gallery.Principal, error) {
	switch {
	case !who.issuer.AutoCreate:
		return nil, sts.ErrNoUser
	case !write:
		return nil, sts.ErrWrite
	}
	p := gallery.Principal{ID: gallery.PrincipalID(uuid.NewString()), Tenant: who.issuer.Tenant, Kind: gallery.KindUser, Name: clip(or(who.name, or(who.login, who.subject))),
		UserName: who.login, External: &gallery.ExternalIdentity{Issuer: who.issuer.ID, Subject: who.subject}}
	if err := s.o.Create(ctx, p); errors.Is(err, gallery.ErrConflict) && p.UserName != "" {
		p.UserName = "" // somebody else has that name here: it is for people to read, and says nothing of who they are
		if err = s.o.Create(ctx, p); err != nil && !errors.Is(err, gallery.ErrConflict) {
			return nil, err
		}
	} else if err != nil && !errors.Is(err, gallery.ErrConflict) {
		return nil, err
	}
	made := s.o.State().UserByExternal(*p.External)
	if made == nil {
		return nil, sts.ErrUnavailable
	}
	s.o.Logger.Info("a user logged in for the first time", "principal", made.ID, "issuer", who.issuer.Name)
	return made, nil
}

// maxName bounds a display name that comes from outside, in bytes.
const maxName = 128

// clip makes a display name of any text.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
	for len(s) > maxName {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return strings.TrimSpace(s)
}
