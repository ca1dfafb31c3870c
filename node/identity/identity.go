// Package identity keeps what makes a node itself: its id, its cluster, its keys.
package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"loggia/gallery"
	"loggia/internal/atomicfile"
)

// Identity is who a node is. A node that lost its disk comes back under a new one (C2).
type Identity struct {
	Node       gallery.NodeID     `json:"node"`
	Cluster    gallery.ClusterID  `json:"cluster"`
	Generation uint64             `json:"generation"`
	Region     gallery.RegionName `json:"region"`
	Secret     []byte             `json:"secret"` // of the cluster: unseals its CA key
	Gossip     []byte             `json:"gossip"` // key of gossip
	Bootstrap  bool               `json:"bootstrap"`
}

// Files of the node's directory. All are mode 0600 in a directory of mode 0700.
const (
	file     = "node.json"
	certFile = "node.crt"
	keyFile  = "node.key"
	caFile   = "ca.crt"
	sealFile = "ca.sealed"
)

// Dir is a node's directory.
type Dir string

// ErrNone is returned where the directory holds no node yet.
var ErrNone = errors.New("no node here yet")

// Load reads the node's identity.
func (d Dir) Load() (Identity, error) {
	var id Identity
	b, err := os.ReadFile(d.path(file))
	if errors.Is(err, fs.ErrNotExist) {
		return id, ErrNone
	}
	if err == nil {
		err = json.Unmarshal(b, &id)
	}
	if err == nil && (!gallery.ValidID(string(id.Node)) || !gallery.ValidID(string(id.Cluster)) || len(id.Secret) != 32) {
		err = errors.New("is not complete")
	}
	if err != nil {
		return id, fmt.Errorf("identity %s: %w", d.path(file), err)
	}
	return id, nil
}

// Save makes the identity durable, after the keys: a directory with an identity is whole.
func (d Dir) Save(id Identity) error {
	b, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(d.path(file), b, 0o600)
}

// SaveKeys keeps the node's certificate, its key and the cluster's CA, all PEM.
func (d Dir) SaveKeys(cert, key, ca []byte) error {
	for name, b := range map[string][]byte{keyFile: key, certFile: cert, caFile: ca} {
		if err := atomicfile.Write(d.path(name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Keys reads what SaveKeys wrote.
func (d Dir) Keys() (cert, key, ca []byte, err error) {
	read := func(name string) []byte {
		b, e := os.ReadFile(d.path(name))
		err = errors.Join(err, e)
		return b
	}
	cert, key, ca = read(certFile), read(keyFile), read(caFile)
	return cert, key, ca, err
}

// SaveSealed keeps the sealed CA key of a cluster that this node founds, until the log has it.
func (d Dir) SaveSealed(b []byte) error { return atomicfile.Write(d.path(sealFile), b, 0o600) }

// Sealed reads what SaveSealed wrote.
func (d Dir) Sealed() ([]byte, error) { return os.ReadFile(d.path(sealFile)) }

// CAFile is where clients find the cluster's CA.
func (d Dir) CAFile() string { return d.path(caFile) }

// Make makes the directory and those below it.
func (d Dir) Make() error {
	for _, sub := range []string{"", "raft", "cache", "tmp"} {
		if err := os.MkdirAll(d.path(sub), 0o700); err != nil {
			return fmt.Errorf("node directory: %w", err)
		}
	}
	return nil
}

// Raft, Cache and Temp are the parts of the directory.
func (d Dir) Raft() string  { return d.path("raft") }
func (d Dir) Cache() string { return d.path("cache") }
func (d Dir) Temp() string  { return d.path("tmp") }

// TokenFile is where a new cluster's first access token is left for its operator.
func (d Dir) TokenFile() string { return d.path("admin.token") }

func (d Dir) path(name string) string { return filepath.Join(string(d), name) }

// NewID returns a fresh UUID.
func NewID() string { return uuid.NewString() }
