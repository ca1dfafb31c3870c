package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"loggia/internal/bulk"
)

// Options says how the cluster is reached.
type Options struct {
	Addresses []string // https URLs of nodes; the first that answers is used
	Token     string   // bearer token
	CACert    string   // file with the cluster's CA in PEM; empty: the system's
	Agent     string   // User-Agent
}

// Client calls a cluster through any of its nodes. It is safe for use by many goroutines.
type Client struct {
	bases   []*url.URL
	token   string
	agent   string
	http    *http.Client
	current atomic.Int64 // index in bases of the node that answered last
}

// New returns a client; it connects at the first call.
func New(o Options) (*Client, error) {
	if len(o.Addresses) == 0 {
		return nil, errors.New("address: none given; set LOGGIA_ADDRESS or --address")
	}
	c := &Client{token: o.Token, agent: o.Agent}
	for _, a := range o.Addresses {
		u, err := url.Parse(a)
		if err != nil || u.Scheme != "https" || u.Host == "" || (u.Path != "" && u.Path != "/") {
			return nil, fmt.Errorf("address: %q: must be an https URL without a path", a)
		}
		u.Path = ""
		c.bases = append(c.bases, u)
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(16)}
	if o.CACert != "" {
		pem, err := os.ReadFile(o.CACert)
		if err != nil {
			return nil, fmt.Errorf("CA certificate: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA certificate %s: holds no certificate", o.CACert)
		}
	}
	c.http = &http.Client{Transport: transport(conf)}
	return c, nil
}

// transport uses HTTP/1.1 with several connections: bulk data then never shares one connection's
// window with other transfers. Batches and frames pass its buffers by: a record of TLS is 16 KiB, and larger reads than the read
// buffer go to their reader directly.
func transport(conf *tls.Config) *http.Transport {
	d := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           d.DialContext,
		DialTLSContext:        bulk.TLS(d.DialContext, conf, 10*time.Second),
		TLSClientConfig:       conf, // behind a proxy
		TLSNextProto:          map[string]func(string, *tls.Conn) http.RoundTripper{},
		TLSHandshakeTimeout:   10 * time.Second,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
		ReadBufferSize:        32 << 10,
		DisableCompression:    true,
	}
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Nodes returns how many addresses the client may use.
func (c *Client) Nodes() int { return len(c.bases) }

// Next makes the client prefer the address after the one in use, as after a node has failed.
func (c *Client) Next() { c.current.Add(1) }

func (c *Client) base(offset int64) *url.URL {
	return c.bases[uint64(c.current.Load()+offset)%uint64(len(c.bases))]
}

// request builds a request for one base.
func (c *Client) request(ctx context.Context, base *url.URL, method, path string, query url.Values) (*http.Request, error) {
	u := *base
	u.Path = path
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.agent != "" {
		req.Header.Set("User-Agent", c.agent)
	}
	return req, nil
}
