// Package joining makes a node a member: of a cluster that it founds, or of one that gave it a token.
package joining

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"loggia/api/respond"
	"loggia/api/v1"
	"loggia/cluster/membership"
	"loggia/cluster/pki"
	"loggia/fsm/command"
	"loggia/gallery"
	"loggia/internal/digest"
	"loggia/node/identity"
)

// Request is what a new node says to the cluster: POST /v1/join.
type Request struct {
	Token  string       `json:"token"`  // id of the join token
	Secret []byte       `json:"secret"` // of the join token
	Node   gallery.Node `json:"node"`
	Hosts  []string     `json:"hosts"`
	CSR    string       `json:"csr"` // PEM
}

// Answer is what the cluster says to the new node.
type Answer struct {
	Cluster    gallery.ClusterID `json:"cluster"`
	Generation uint64            `json:"generation"`
	Cert       string            `json:"cert"` // PEM
	CA         string            `json:"ca"`   // PEM
	Secret     []byte            `json:"secret"`
	Gossip     []byte            `json:"gossip"`
}

// Local is what a node says of itself when it founds or joins.
type Local struct {
	Dir     identity.Dir
	Node    gallery.Node // without its id
	Hosts   []string
	Version string
	Now     func() time.Time
	Log     *slog.Logger
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return b
}

// Found makes the identity of the first node of a new cluster. The cluster itself comes to be when
// the log takes ClusterInit.
func Found(l Local) (identity.Identity, error) {
	id := identity.Identity{Node: gallery.NodeID(identity.NewID()), Cluster: gallery.ClusterID(identity.NewID()), Generation: 1,
		Region: l.Node.Region, Secret: random(pki.SecretSize), Gossip: random(32), Bootstrap: true}
	ca, err := pki.NewCA(string(id.Cluster), l.Now())
	if err != nil {
		return id, err
	}
	key, csr, err := pki.NewKey()
	if err != nil {
		return id, err
	}
	cert, err := ca.Issue(csr, pki.Node{Cluster: string(id.Cluster), ID: string(id.Node)}, l.Hosts, l.Now())
	if err != nil {
		return id, err
	}
	sealed, err := ca.Seal(id.Secret)
	if err != nil {
		return id, err
	}
	if err := l.Dir.SaveKeys(cert, key, ca.CertPEM()); err != nil {
		return id, err
	}
	if err := l.Dir.SaveSealed(sealed); err != nil {
		return id, err
	}
	return id, l.Dir.Save(id)
}

// Join asks the nodes at the addresses, one after the other, to take this node in.
func Join(ctx context.Context, l Local, token string, addrs []string) (identity.Identity, error) {
	t, err := membership.Parse(token)
	if err != nil {
		return identity.Identity{}, err
	}
	key, csr, err := pki.NewKey()
	if err != nil {
		return identity.Identity{}, err
	}
	n := l.Node
	n.ID = gallery.NodeID(identity.NewID())
	body, err := json.Marshal(Request{Token: t.ID, Secret: t.Secret[:], Node: n, Hosts: l.Hosts, CSR: string(csr)})
	if err != nil {
		return identity.Identity{}, err
	}
	tr := &http.Transport{TLSClientConfig: membership.Trust(t.CA, l.Now)}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr}
	for {
		var errs []error
		for _, a := range addrs {
			ans, err := ask(ctx, client, a, string(n.ID), body)
			if err == nil {
				return l.keep(n, ans, key)
			}
			errs = append(errs, fmt.Errorf("join through %s: %w", a, err))
			if final(err) {
				return identity.Identity{}, err
			}
		}
		err := errors.Join(errs...)
		l.Log.Warn("no node has let this one in yet; trying again", "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return identity.Identity{}, err
		}
	}
}

// final says whether asking again cannot help.
func final(err error) bool {
	for _, kind := range []error{gallery.ErrUnauthenticated, gallery.ErrInvalid, gallery.ErrConflict, gallery.ErrNotFound,
		gallery.ErrForbidden, gallery.ErrNotAllowed, membership.ErrUntrusted} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

func ask(ctx context.Context, client *http.Client, addr, request string, body []byte) (Answer, error) {
	var out Answer
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+addr+"/v1/join", bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(v1.RequestIDHeader, "join-"+request)
	resp, err := client.Do(req)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return out, err
	}
	if resp.StatusCode != http.StatusOK {
		var e v1.ErrorBody
		if json.Unmarshal(b, &e) == nil && e.Error.Code != "" {
			return out, v1.ToGallery(e.Error)
		}
		return out, fmt.Errorf("unexpected answer %s", resp.Status)
	}
	return out, json.Unmarshal(b, &out)
}

func (l Local) keep(n gallery.Node, a Answer, key []byte) (identity.Identity, error) {
	id := identity.Identity{Node: n.ID, Cluster: a.Cluster, Generation: a.Generation, Region: n.Region, Secret: a.Secret, Gossip: a.Gossip}
	if err := l.Dir.SaveKeys([]byte(a.Cert), key, []byte(a.CA)); err != nil {
		return id, err
	}
	return id, l.Dir.Save(id)
}

// Door takes new nodes in, on the leader.
type Door struct {
	Propose   func(ctx context.Context, h command.Header, c command.Command) (command.Result, error)
	Authority func() (*pki.CA, error)
	Seat      func(token gallery.TokenID) gallery.Seat // that the token names; the log checks the token itself
	Identity  identity.Identity
	Now       func() time.Time
	Log       *slog.Logger
}

// ServeHTTP implements POST /v1/join. Who shows a good token gets the cluster's secrets.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in Request
	err := respond.Decode(w, r, &in)
	var out Answer
	if err == nil {
		out, err = d.take(r, in)
	}
	if err != nil {
		respond.Error(d.Log, w, r, err)
		return
	}
	respond.JSON(w, http.StatusOK, out)
}

func (d *Door) take(r *http.Request, in Request) (Answer, error) {
	ca, err := d.Authority()
	if err != nil {
		return Answer{}, err
	}
	cert, err := ca.Issue([]byte(in.CSR), pki.Node{Cluster: string(d.Identity.Cluster), ID: string(in.Node.ID)}, in.Hosts, d.Now())
	if err != nil {
		return Answer{}, &gallery.Error{Kind: gallery.ErrInvalid, Field: "csr", Err: err}
	}
	in.Node.Seat = d.Seat(gallery.TokenID(in.Token))
	h := command.Header{RequestID: r.Header.Get(v1.RequestIDHeader), Principal: "join token " + in.Token, Time: d.Now()}
	res, err := d.Propose(r.Context(), h, &command.NodeJoin{Node: in.Node, Token: gallery.TokenID(in.Token), Hash: digest.Of(in.Secret)})
	if err == nil {
		err = res.Failure()
	}
	if err != nil {
		return Answer{}, err
	}
	d.Log.Info("node joined", "node", in.Node.ID, "region", in.Node.Region, "seat", in.Node.Seat)
	return Answer{Cluster: d.Identity.Cluster, Generation: d.Identity.Generation, Cert: string(cert), CA: string(ca.CertPEM()),
		Secret: d.Identity.Secret, Gossip: d.Identity.Gossip}, nil
}
