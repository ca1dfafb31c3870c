package login

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// Issuer is where people log in.
type Issuer struct {
	URL      string
	ClientID string
	CACert   []byte // PEM; empty: the system's
}

// The bounds of what an issuer answers.
const (
	requestTime = 30 * time.Second
	maxAnswer   = 256 << 10 // bytes
)

// Session is a login under way. It may be used once.
type Session struct {
	issuer Issuer
	conf   oauth2.Config
	http   *http.Client
}

// document is the part of the discovery document that a login needs.
type document struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	Device        string `json:"device_authorization_endpoint"`
}

// Begin asks the issuer where its endpoints are.
func Begin(ctx context.Context, i Issuer) (*Session, error) {
	cl, err := newClient(i)
	if err != nil {
		return nil, err
	}
	s := &Session{issuer: i, http: cl}
	var d document
	if err := s.get(ctx, strings.TrimRight(i.URL, "/")+"/.well-known/openid-configuration", &d); err != nil {
		return nil, err
	}
	if d.Issuer != i.URL {
		return nil, fmt.Errorf("issuer %s: its document names another issuer, %q", i.URL, d.Issuer)
	}
	for _, u := range []string{d.Authorization, d.Token, d.Device} {
		if !safe(i.URL, u) {
			return nil, fmt.Errorf("issuer %s: its document names an endpoint that is no https URL", i.URL)
		}
	}
	s.conf = oauth2.Config{ClientID: i.ClientID, Scopes: []string{"openid", "profile", "email"},
		Endpoint: oauth2.Endpoint{AuthURL: d.Authorization, TokenURL: d.Token, DeviceAuthURL: d.Device, AuthStyle: oauth2.AuthStyleInParams}}
	return s, nil
}

// Scopes adds scopes to those that are asked for, such as one that makes the issuer tell groups.
func (s *Session) Scopes(more ...string) { s.conf.Scopes = append(s.conf.Scopes, more...) }

// safe says whether an endpoint is https, or plain where the issuer itself is on the same host. None is safe, too.
func safe(issuer, endpoint string) bool {
	if endpoint == "" {
		return true
	}
	i, err1 := url.Parse(issuer)
	e, err2 := url.Parse(endpoint)
	return err1 == nil && err2 == nil && e.Host != "" && (e.Scheme == "https" || e.Scheme == "http" && i.Scheme == "http" && e.Host == i.Host)
}

func newClient(i Issuer) (*http.Client, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(i.CACert) > 0 {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(i.CACert) {
			return nil, errors.New("the issuer's CA certificate cannot be read")
		}
	}
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf, MaxResponseHeaderBytes: 32 << 10}
	return &http.Client{Timeout: requestTime, Transport: bounded{t}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// bounded cuts answers that are too long.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}

func (s *Session) get(ctx context.Context, u string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return err
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask the issuer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the issuer: %s: %s", u, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("ask the issuer: %s: %w", u, err)
	}
	return nil
}

// with makes the library use our client.
func (s *Session) with(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, s.http)
}

// idToken takes the ID token out of an answer.
func idToken(t *oauth2.Token, err error) (string, error) {
	if err != nil {
		return "", told(err)
	}
	text, _ := t.Extra("id_token").(string)
	if text == "" {
		return "", errors.New("the issuer gave no ID token; its client must be allowed the scope openid")
	}
	return text, nil
}

// told is an issuer's refusal in few words: its answers are not for a person to read whole.
func told(err error) error {
	var r *oauth2.RetrieveError
	if errors.As(err, &r) && r.ErrorCode != "" {
		return fmt.Errorf("the issuer refused the login: %s %s", clean(r.ErrorCode), clean(r.ErrorDescription))
	}
	return fmt.Errorf("log in at the issuer: %w", err)
}

// nonceOf reads the nonce of an ID token that the cluster is going to check.
func nonceOf(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var c struct {
		Nonce string `json:"nonce"`
	}
	if json.Unmarshal(raw, &c) != nil {
		return ""
	}
	return c.Nonce
}
