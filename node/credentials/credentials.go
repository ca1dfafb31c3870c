// Package credentials holds the node's certificate and renews it before it ends.
package credentials

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"loggia/cluster/pki"
	"loggia/cluster/port"
	"loggia/gallery"
	"loggia/node/identity"
)

// Holder is safe for use by many goroutines.
type Holder struct {
	dir     identity.Dir
	id      identity.Identity
	hosts   []string
	cluster func() *gallery.Cluster // nil before the cluster is founded
	now     func() time.Time
	log     *slog.Logger

	mu   sync.RWMutex
	cred port.Credentials
	leaf *x509.Certificate
}

// Open reads the node's keys.
func Open(dir identity.Dir, id identity.Identity, hosts []string, cluster func() *gallery.Cluster, now func() time.Time, log *slog.Logger) (*Holder, error) {
	h := &Holder{dir: dir, id: id, hosts: hosts, cluster: cluster, now: now, log: log}
	return h, h.load()
}

func (h *Holder) load() error {
	cert, key, ca, err := h.dir.Keys()
	if err != nil {
		return fmt.Errorf("node keys: %w", err)
	}
	// The CA goes along with the chain: a node that joins knows it by its hash only.
	pair, err := tls.X509KeyPair(append(append([]byte(nil), cert...), ca...), key)
	if err != nil {
		return fmt.Errorf("node keys: %w", err)
	}
	root, err := pki.ParseCert(ca)
	if err != nil {
		return err
	}
	leaf, err := pki.ParseCert(cert)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cred, h.leaf = port.Credentials{Cert: pair, CA: root, Cluster: string(h.id.Cluster)}, leaf
	return nil
}

// Current returns what the node shows now.
func (h *Holder) Current() port.Credentials {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.cred
}

// Authority opens the cluster's CA with the node's secret.
func (h *Holder) Authority() (*pki.CA, error) {
	c := h.cluster()
	if c == nil {
		return nil, &gallery.Error{Kind: gallery.ErrUnavailable, Message: "the cluster is not founded yet"}
	}
	return pki.Unseal(c.CACert, c.CAKey, h.id.Secret)
}

// check is how often the certificate's age is looked at.
const check = time.Hour

// Run renews the certificate when two thirds of its life have passed, until ctx ends.
func (h *Holder) Run(ctx context.Context) error {
	t := time.NewTicker(check)
	defer t.Stop()
	for {
		h.mu.RLock()
		due := h.now().After(pki.RenewAt(h.leaf))
		h.mu.RUnlock()
		if due {
			if err := h.renew(); err != nil {
				h.log.Error("the node's certificate was not renewed; it is tried again", "error", err)
			} else {
				h.log.Info("the node's certificate was renewed")
			}
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (h *Holder) renew() error {
	ca, err := h.Authority()
	if err != nil {
		return err
	}
	key, csr, err := pki.NewKey()
	if err != nil {
		return err
	}
	cert, err := ca.Issue(csr, pki.Node{Cluster: string(h.id.Cluster), ID: string(h.id.Node)}, h.hosts, h.now())
	if err != nil {
		return err
	}
	if err := h.dir.SaveKeys(cert, key, ca.CertPEM()); err != nil {
		return err
	}
	return h.load()
}
