package tokens

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"loggia/gallery"
)

// The bounds of what an outside issuer is asked for. Its address is an operator's word; what it answers is not.
const (
	outsideTime    = 10 * time.Second // one document
	maxDocument    = 256 << 10        // bytes
	maxOutsideKeys = 64
	freshFor       = time.Hour        // keys are used that long
	staleFor       = 24 * time.Hour   // and that long while the issuer does not answer
	askEvery       = 20 * time.Second // at the soonest, whatever key ids tokens name
	maxIssuers     = 64               // whose keys are kept
)

// outside keeps the keys of outside issuers.
type outside struct {
	now func() time.Time

	mu   sync.Mutex
	sets map[string]*keySet // by id and etag of the issuer: a changed one begins anew
}

func newOutside(now func() time.Time) *outside {
	return &outside{now: now, sets: map[string]*keySet{}}
}

// keySet is the keys of one issuer. turn is held by who asks for them; others go on with what is there.
type keySet struct {
	turn chan struct{}

	mu    sync.Mutex
	keys  []jose.JSONWebKey
	asked time.Time // when the issuer was asked last
	got   time.Time // when it answered
}

func (o *outside) set(i *gallery.Issuer) *keySet {
	o.mu.Lock()
	defer o.mu.Unlock()
	name := fmt.Sprintf("%s/%d", i.ID, i.ETag)
	s := o.sets[name]
	if s == nil {
		if len(o.sets) >= maxIssuers {
			clear(o.sets)
		}
		s = &keySet{turn: make(chan struct{}, 1)}
		o.sets[name] = s
	}
	return s
}

// keysFor returns an issuer's keys for a key id, all of them where the token names none. It asks the issuer where they
// are not fresh or do not hold the id.
func (o *outside) keysFor(ctx context.Context, i *gallery.Issuer, kid string) ([]any, error) {
	s := o.set(i)
	if found, enough := s.find(kid, o.now()); enough {
		return found, s.silent()
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	found, enough := s.find(kid, o.now()) // another may have asked meanwhile
	if enough {
		return found, s.silent()
	}
	keys, err := fetchKeys(ctx, i)
	s.answered(keys, err, o.now())
	if err != nil && len(found) == 0 {
		return nil, err
	}
	found, _ = s.find(kid, o.now())
	return found, nil
}

// find returns the keys for a key id, and whether the issuer need not, or must not yet, be asked again.
func (s *keySet) find(kid string, now time.Time) (found []any, enough bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys {
		if (kid == "" || k.KeyID == kid) && now.Sub(s.got) < staleFor {
			found = append(found, k.Key)
		}
	}
	fresh := len(found) > 0 && now.Sub(s.got) < freshFor
	return found, fresh || !s.asked.IsZero() && now.Sub(s.asked) < askEvery
}

// silent is the error of an issuer that has never answered.
func (s *keySet) silent() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.got.IsZero() {
		return errSilent
	}
	return nil
}

var errSilent = errors.New("the issuer did not answer a moment ago")

func (s *keySet) answered(keys []jose.JSONWebKey, err error, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = now
	if err == nil {
		s.keys, s.got = keys, now
	}
}

// fetchKeys reads the issuer's discovery document (OpenID Connect Discovery, section 4) and then its keys.
func fetchKeys(ctx context.Context, i *gallery.Issuer) ([]jose.JSONWebKey, error) {
	cl, err := outsideClient(i)
	if err != nil {
		return nil, err
	}
	defer cl.CloseIdleConnections()
	var doc struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := fetch(ctx, cl, wellKnown(i.URL), &doc); err != nil {
		return nil, err
	}
	if doc.Issuer != i.URL {
		return nil, fmt.Errorf("issuer %s: its document names another issuer", i.Name)
	}
	if !sameSafety(i.URL, doc.Keys) {
		return nil, fmt.Errorf("issuer %s: its jwks_uri must be an https URL", i.Name)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := fetch(ctx, cl, doc.Keys, &set); err != nil {
		return nil, err
	}
	if len(set.Keys) > maxOutsideKeys {
		return nil, fmt.Errorf("issuer %s: has more than %d keys", i.Name, maxOutsideKeys)
	}
	var out []jose.JSONWebKey
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		// Keys of kinds that we do not know, and those that are not for signatures, are passed over.
		if json.Unmarshal(raw, &k) == nil && k.Valid() && k.IsPublic() && (k.Use == "" || k.Use == "sig") {
			out = append(out, k)
		}
	}
	return out, nil
}

func wellKnown(issuer string) string {
	for len(issuer) > 0 && issuer[len(issuer)-1] == '/' {
		issuer = issuer[:len(issuer)-1]
	}
	return issuer + "/.well-known/openid-configuration"
}

// sameSafety says whether a URL that an issuer names is as safe as its own: https, or plain where the issuer itself is.
func sameSafety(issuer, named string) bool {
	i, err1 := url.Parse(issuer)
	n, err2 := url.Parse(named)
	return err1 == nil && err2 == nil && n.Host != "" && n.User == nil && (n.Scheme == "https" || n.Scheme == "http" && i.Scheme == "http" && n.Host == i.Host)
}

// outsideClient calls an issuer: no proxy, no redirects, no cookies, its own CA where it has one.
func outsideClient(i *gallery.Issuer) (*http.Client, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(i.CACert) > 0 {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(i.CACert) {
			return nil, fmt.Errorf("issuer %s: its CA certificate cannot be read", i.Name)
		}
	}
	return &http.Client{Timeout: outsideTime,
		Transport:     &http.Transport{DialContext: (&net.Dialer{Timeout: outsideTime}).DialContext, TLSClientConfig: conf, MaxResponseHeaderBytes: 32 << 10, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
	}, nil
}

var errRedirect = errors.New("the issuer redirects, which is not followed")

func fetch(ctx context.Context, cl *http.Client, u string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return fmt.Errorf("ask the issuer: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := cl.Do(req)
	if err != nil {
		return fmt.Errorf("ask the issuer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the issuer: %s: %s", u, resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil {
		return fmt.Errorf("ask the issuer: %s: %w", u, err)
	}
	if len(b) > maxDocument {
		return fmt.Errorf("ask the issuer: %s: more than %d bytes", u, maxDocument)
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("ask the issuer: %s: %w", u, err)
	}
	return nil
}

// CheckIssuer refuses an issuer that could not be asked safely: it must be https, or on this machine's loopback address.
func CheckIssuer(i *gallery.Issuer) error {
	bad := func(field, rule string) error {
		return &gallery.Error{Kind: gallery.ErrInvalid, Op: "add issuer", Field: field, Message: rule}
	}
	u, err := url.Parse(i.URL)
	if err != nil || u.Host == "" {
		return bad("url", "must be an https URL")
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme != "https" && (ip == nil || !ip.IsLoopback()) {
		return bad("url", "must be an https URL; plain http is for a loopback address only")
	}
	if len(i.CACert) > 0 && !x509.NewCertPool().AppendCertsFromPEM(i.CACert) {
		return bad("caCert", "must be a certificate in PEM")
	}
	return nil
}
