package outgoing

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"
)

// The bounds of a request.
const (
	maxRedirects  = 5
	dialTimeout   = 10 * time.Second
	headerTimeout = 30 * time.Second
	idleTimeout   = 60 * time.Second // between two bytes of a body
	maxHeader     = 64 << 10
)

// Options is what a Client needs.
type Options struct {
	Policy   Policy
	CA       *x509.CertPool // nil: the system's
	Resolver *net.Resolver  // nil: the system's
}

// Client fetches what its policy allows. It is safe for use by many goroutines.
type Client struct {
	rules *rules
	http  *http.Client
}

// New returns a client.
func New(o Options) (*Client, error) {
	r, err := o.Policy.rules()
	if err != nil {
		return nil, err
	}
	c := &Client{rules: r}
	dialer := &net.Dialer{Timeout: dialTimeout, Resolver: o.Resolver, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		return r.dials(address) // the address that is really dialled, whatever the name said before
	}}
	c.http = &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: o.CA, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: headerTimeout, MaxResponseHeaderBytes: maxHeader, IdleConnTimeout: time.Minute,
			MaxIdleConnsPerHost: 4, DisableCompression: true}, // no Proxy: the environment has no say
		CheckRedirect: c.redirect,
	}
	return c, nil
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Check says whether a URL may be fetched, as far as its text tells.
func (c *Client) Check(text string) error {
	u, err := parse(text)
	if err != nil {
		return err
	}
	return c.rules.allows(u)
}

func (c *Client) redirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("%w: more than %d redirects", ErrForbidden, maxRedirects)
	}
	if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return fmt.Errorf("%w: a redirect from https to %s", ErrForbidden, req.URL.Scheme)
	}
	u, err := parse(req.URL.String())
	if err != nil {
		return err
	}
	req.Header.Del("Referer")
	return c.rules.allows(u)
}

// get asks for a range, or for everything where from is negative.
func (c *Client) get(ctx context.Context, text string, from, to int64, match string) (*http.Response, error) {
	if err := c.Check(text); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, text, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: no request can be made of it", ErrInvalid)
	}
	if from >= 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to))
	}
	if match != "" {
		req.Header.Set("If-Match", match)
	}
	req.Header.Set("User-Agent", "loggia-import")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch from %s: %w", req.URL.Host, refusal(err))
	}
	err = status(resp)
	if coding := resp.Header.Get("Content-Encoding"); err == nil && coding != "" && coding != "identity" {
		err = fmt.Errorf("%w: its bytes come packed, which was not asked for", ErrContent)
	}
	if err != nil {
		resp.Body.Close()
		return nil, fmt.Errorf("fetch from %s: %w", req.URL.Host, err)
	}
	return resp, nil
}

var errStatus = errors.New("unexpected answer")

func status(resp *http.Response) error {
	switch code := resp.StatusCode; {
	case code == http.StatusOK || code == http.StatusPartialContent:
		return nil
	case code == http.StatusNotFound || code == http.StatusGone:
		return ErrMissing
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return ErrRefused
	case code == http.StatusPreconditionFailed:
		return ErrChanged
	case code == http.StatusRequestedRangeNotSatisfiable:
		return fmt.Errorf("%w: it is empty", ErrContent)
	case code == http.StatusRequestTimeout || code == http.StatusTooEarly || code == http.StatusTooManyRequests:
		return fmt.Errorf("%w %d", errStatus, code) // later it may be another
	case code/100 == 4:
		return fmt.Errorf("%w: it answers %d", ErrRefused, code)
	default:
		return fmt.Errorf("%w %d", errStatus, code)
	}
}
