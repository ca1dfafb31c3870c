package tokens

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"loggia/gallery"
)

// TokenLife is how long an access token is good for.
const TokenLife = time.Hour

// MaxGroups bounds the groups that a token carries from an outside issuer.
const MaxGroups = 64

// IssuerOf is the issuer of a cluster's tokens: a name, not an address.
func IssuerOf(c gallery.ClusterID) string { return "https://sts.loggia/" + string(c) + "/" }

// AudienceOf is whom a cluster's tokens are for.
func AudienceOf(c gallery.ClusterID) string { return "https://gallery.loggia/" + string(c) }

// How a client proved who it is, as Azure's tokens say it (appidacr).
const (
	bySecret    = "1"
	byAssertion = "2"
)

// body is the payload of our tokens, in the order that people read them.
type body struct {
	Audience  string   `json:"aud"`
	Issuer    string   `json:"iss"`
	Issued    int64    `json:"iat"`
	NotBefore int64    `json:"nbf"`
	Expires   int64    `json:"exp"`
	AppID     string   `json:"appid,omitempty"`
	AppACR    string   `json:"appidacr,omitempty"`
	IDType    string   `json:"idtyp"` // app or user
	Object    string   `json:"oid"`
	Subject   string   `json:"sub"`
	Tenant    string   `json:"tid"`
	Name      string   `json:"name,omitempty"`
	UPN       string   `json:"upn,omitempty"`
	Groups    []string `json:"groups,omitempty"`
	Unique    string   `json:"uti"`
	Version   string   `json:"ver"`
}

// Minted is an access token.
type Minted struct {
	Token     string
	Issued    time.Time
	Expires   time.Time
	Principal gallery.PrincipalID
}

// mint signs a token for a principal. groups are those that an outside issuer vouches for.
func (s *Service) mint(v View, p *gallery.Principal, groups []gallery.PrincipalID, how string) (Minted, error) {
	c := v.Cluster()
	now := s.o.Now()
	row := current(v.SigningKeys(), now)
	if c == nil || row == nil {
		return Minted{}, errNoKey
	}
	private, err := s.keys.signing(row)
	if err != nil {
		return Minted{}, err
	}
	b := body{Audience: AudienceOf(c.ID), Issuer: IssuerOf(c.ID), Issued: now.Unix(), NotBefore: now.Unix(), Expires: now.Add(TokenLife).Unix(),
		AppID: string(p.AppID), AppACR: how, IDType: "app", Object: string(p.ID), Subject: string(p.ID), Tenant: string(p.Tenant), Name: p.Name,
		UPN: p.UserName, Unique: uuid.NewString(), Version: "1.0"}
	if p.Kind == gallery.KindUser {
		b.IDType = "user"
	}
	for _, g := range groups {
		b.Groups = append(b.Groups, string(g))
	}
	text, err := sign(b, private, row.ID)
	if err != nil {
		return Minted{}, err
	}
	return Minted{Token: text, Issued: now, Expires: now.Add(TokenLife), Principal: p.ID}, nil
}

// errNoKey passes: the leader makes a key as soon as there is none.
var errNoKey = &gallery.Error{Kind: gallery.ErrUnavailable, Op: "issue token", Message: "the cluster has no signing key yet; its leader is about to make one"}

func sign(b any, key any, kid string) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	payload, err := json.Marshal(b)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return jws.CompactSerialize()
}

// Bearer is what one of our tokens says.
type Bearer struct {
	Principal gallery.PrincipalID
	Tenant    gallery.TenantID
	Groups    []gallery.PrincipalID // that an outside issuer vouched for
	Expires   time.Time
}

// Verify checks one of our tokens against the view: algorithm, key, signature, issuer, audience and times. Whether its
// principal may still do anything is for the caller to look up. Its error is of the kind gallery.ErrUnauthenticated.
func (s *Service) Verify(v View, token string) (Bearer, error) {
	cluster := v.Cluster()
	if cluster == nil {
		return Bearer{}, unauthenticated("the access token is not known here")
	}
	payload, c, err := s.verify(v, token, IssuerOf(cluster.ID), AudienceOf(cluster.ID))
	if err != nil {
		if errors.Is(err, errExpired) {
			return Bearer{}, &gallery.Error{Kind: gallery.ErrExpired, Op: "authenticate", Message: "the access token has expired"}
		}
		return Bearer{}, unauthenticated("the access token was refused: " + reason(err))
	}
	var got struct {
		Object string   `json:"oid"`
		Tenant string   `json:"tid"`
		Groups []string `json:"groups"`
	}
	if err := json.Unmarshal(payload, &got); err != nil || !gallery.ValidID(got.Object) || c.Subject != got.Object || len(got.Groups) > MaxGroups {
		return Bearer{}, unauthenticated("the access token was refused: its claims are malformed")
	}
	out := Bearer{Principal: gallery.PrincipalID(got.Object), Tenant: gallery.TenantID(got.Tenant), Expires: c.Expires.time()}
	for _, g := range got.Groups {
		out.Groups = append(out.Groups, gallery.PrincipalID(g))
	}
	return out, nil
}

func (s *Service) verify(v View, token, issuer, aud string) ([]byte, claims, error) {
	payload, err := open(token, ownAlgorithms, func(id string, _ jose.SignatureAlgorithm) []any {
		if len(id) > 64 {
			return nil
		}
		row := v.SigningKey(id)
		if row == nil {
			return nil
		}
		k, err := s.keys.verifying(row)
		if err != nil {
			s.o.Logger.Error("a signing key cannot be read", "key", row.ID, "error", err)
			return nil
		}
		return []any{k}
	})
	if err != nil {
		return nil, claims{}, err
	}
	got, err := read(payload)
	if err != nil {
		return nil, got, err
	}
	switch {
	case got.Issuer != issuer:
		return nil, got, refused("it is of another issuer")
	case !got.Audience.is(aud):
		return nil, got, refused("it is for somebody else")
	}
	return payload, got, got.timely(s.o.Now())
}
