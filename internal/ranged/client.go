package ranged

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"loggia/internal/bulk"
)

// Options say from where links are followed.
type Options struct {
	Origin   string // https://host[:port]; http:// only with Insecure
	CA       []byte // certificates in PEM that vouch for it; empty: the system's
	Insecure bool   // allows http://: what is read is for everybody on the way, and to be checked by who reads
	Agent    string // User-Agent

	Stall   time.Duration // without a byte, or without an answer; 0 means 20 s
	Connect time.Duration // until a connection stands; 0 means 5 s. A store that cannot be reached is found out soon: there is another way
}

// The reasons for refusing an origin or an answer. Errors of a Client never repeat a link.
var (
	// ErrOrigin: links of that origin are not followed.
	ErrOrigin = errors.New("origin of links is refused")
	// ErrRefused: the store answers something else than the range.
	ErrRefused = errors.New("the store refuses the link")
	// ErrAnswer: the answer is not the bytes asked for: too few, too many, others.
	ErrAnswer = errors.New("the store answers other bytes than asked for")
)

const (
	stall   = 20 * time.Second
	connect = 5 * time.Second
	maxCA   = 256 << 10
)

// Client follows links of one origin. It is safe for use by many goroutines.
type Client struct {
	origin *url.URL
	agent  string
	stall  time.Duration
	http   *http.Client
}

// New makes a Client; it connects at the first Get.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.Origin)
	if err != nil || u.Host == "" || u.Path != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || len(o.Origin) > 512 {
		return nil, fmt.Errorf("%w: not scheme, host and port", ErrOrigin)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !o.Insecure) {
		return nil, fmt.Errorf("%w: %s is not https", ErrOrigin, u.Scheme)
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(16)}
	if len(o.CA) > 0 {
		conf.RootCAs = x509.NewCertPool()
		if len(o.CA) > maxCA || !conf.RootCAs.AppendCertsFromPEM(o.CA) {
			return nil, fmt.Errorf("%w: its CA is no certificate", ErrOrigin)
		}
	}
	c := &Client{origin: u, agent: o.Agent, stall: cmp.Or(o.Stall, stall)}
	c.http = &http.Client{Transport: transport(conf, c.stall, cmp.Or(o.Connect, connect)),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// Origin is what the client was made for.
func (c *Client) Origin() string { return c.origin.String() }

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func transport(conf *tls.Config, stall, connect time.Duration) *http.Transport {
	d := &net.Dialer{Timeout: connect, KeepAlive: 15 * time.Second, Control: allowed}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            d.DialContext,
		DialTLSContext:         bulk.TLS(d.DialContext, conf, connect),
		Protocols:              protocols,
		TLSClientConfig:        conf, // behind a proxy
		TLSHandshakeTimeout:    connect,
		ResponseHeaderTimeout:  stall,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second,
		ReadBufferSize:         32 << 10, // larger reads pass it by
		DisableCompression:     true,
	}
}

// allowed looks at the address that is really dialled: links lead to stores, never to the services of this machine's own
// cloud (metadata, credentials), whoever names them.
func allowed(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: address %s", ErrOrigin, address)
	}
	ip := a.Addr().Unmap()
	if ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() {
		return fmt.Errorf("%w: %s is no store's address", ErrOrigin, ip)
	}
	return nil
}

// request builds the GET of n bytes from off.
func (c *Client) request(ctx context.Context, path string, off, n int64) (*http.Request, error) {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || len(path) > MaxPath {
		return nil, fmt.Errorf("%w: a link without a path, or of more than %d bytes", ErrOrigin, MaxPath)
	}
	rest, err := url.ParseRequestURI(path)
	if err != nil || rest.Host != "" || rest.Scheme != "" {
		return nil, fmt.Errorf("%w: a link that is no path", ErrOrigin) // without the link, which err repeats
	}
	rest.Scheme, rest.Host = c.origin.Scheme, c.origin.Host
	req := (&http.Request{Method: http.MethodGet, URL: rest, Host: c.origin.Host, Header: http.Header{}}).WithContext(ctx)
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	return req, nil
}

// MaxPath bounds a link's path and query, in bytes: a key of 1,024, escaped, and a signature with a session's token.
const MaxPath = 8 << 10
