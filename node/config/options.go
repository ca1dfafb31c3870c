package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"loggia/internal/outgoing"
	"loggia/node/debug"
)

// Options is everything a region node is told from outside, fully resolved.
type Options struct {
	Data      string   `yaml:"data"`      // directory of the node's own state, mode 0700
	Region    string   `yaml:"region"`    // the node's region
	Zone      string   `yaml:"zone"`      // failure domain inside the region; may be empty
	Listen    string   `yaml:"listen"`    // host:port of the one TLS port
	Advertise string   `yaml:"advertise"` // host:port where others reach it; default Listen
	Hosts     []string `yaml:"hosts"`     // further names and IPs for the node's certificate
	Gossip    Gossip   `yaml:"gossip"`
	Cluster   Cluster  `yaml:"cluster"`
	Stores    []Store  `yaml:"stores"`
	Memory    Memory   `yaml:"memory"`
	API       API      `yaml:"api"`
	Imports   Imports  `yaml:"imports"`
	Log       Log      `yaml:"log"`
	Debug     Debug    `yaml:"debug"`

	Collection Collection `yaml:"collection"`
	Checks     Checks     `yaml:"checks"`
}

// Debug says where profiles of the node can be had. By default nowhere.
type Debug struct {
	Listen string `yaml:"listen"` // unix:/PATH, or IP:PORT on loopback
}

// Collection says when this node collects the garbage of its region's stores, and how fast.
type Collection struct {
	Period   time.Duration `yaml:"period"`   // between two runs over a repository, default 6h
	Grace    time.Duration `yaml:"grace"`    // between condemning and deleting, default 2h: longer than any link or lease, and clock skew
	Requests int           `yaml:"requests"` // to a store, per second; default 200, 0: no bound
	Bytes    Bytes         `yaml:"bytes"`    // read and written, per second; default 64 MiB, 0: no bound
}

// Checks says how this node checks its region's stores by itself. While copies are made in the region or publishes taken in, the rates are
// an eighth.
type Checks struct {
	Period   time.Duration `yaml:"period"`   // within which every pack is read, default 720h; 0: never
	Quick    time.Duration `yaml:"quick"`    // between two looks at existence and length of everything, default 24h
	Requests int           `yaml:"requests"` // to a store, per second; default 100, 0: no bound
	Bytes    Bytes         `yaml:"bytes"`    // read, per second; default 32 MiB, 0: no bound
	Repair   bool          `yaml:"repair"`   // whether copies that have another whole one are made whole again, default true
}

// Imports says what the node fetches when a user names it by URL. By default nothing.
type Imports struct {
	Allow    []string           `yaml:"allow"`    // origins: https://host[:port], https://*.domain
	Networks []string           `yaml:"networks"` // private networks that these origins may lie in
	CAFile   string             `yaml:"ca_file"`  // PEM; beside the system's authorities
	MaxSize  Bytes              `yaml:"max_size"` // of one file, default 2 TiB
	Accounts map[string]Account `yaml:"accounts"` // by the name of a storage account, as Azure's clients give it
}

// Account is what a storage account stands for: the URLs below a prefix, fetched with the credentials of an S3
// bucket where they are given, else as they are.
type Account struct {
	URL string `yaml:"url"` // prefix of the URLs that belong to the account
	// Subscription is the one whose account this is: nobody reads it by naming an account of another. Default: the cluster's default one.
	Subscription string `yaml:"subscription"`
	S3           *S3    `yaml:"s3"` // the bucket whose keys follow the prefix
}

// API is how clients see the node.
type API struct {
	// URL is the origin under which clients reach the cluster, where that is not what they put into the Host
	// header: "https://gallery.example.org". Links in answers begin with it.
	URL string `yaml:"url"`
}

// Gossip is where memberlist listens.
type Gossip struct {
	Listen    string `yaml:"listen"`
	Advertise string `yaml:"advertise"` // default Listen
}

// Cluster says how the node comes to its cluster. A node that has state already ignores Bootstrap and Join.
type Cluster struct {
	Bootstrap bool          `yaml:"bootstrap"`  // make a new cluster of this one node
	Join      []string      `yaml:"join"`       // host:port of nodes to join through
	Token     string        `yaml:"token"`      // the join token, or
	TokenFile string        `yaml:"token_file"` // a file that holds it
	RTT       time.Duration `yaml:"rtt"`        // worst round trip between voters; timings follow it
}

// Store is one store of the node's region that this node can reach.
type Store struct {
	Name    string `yaml:"name"`
	Kind    string `yaml:"kind"` // filesystem, s3
	Zone    string `yaml:"zone"`
	Class   string `yaml:"class"`   // standard (default), premium
	Path    string `yaml:"path"`    // filesystem: the directory
	Reserve Bytes  `yaml:"reserve"` // bytes to keep free; default 1 GiB
	Links   Links  `yaml:"links"`   // s3: who is given links to read from the store by itself; default all
	S3      S3     `yaml:"s3"`
}

// Links says who may be given links to a store's objects.
type Links string

// Who may. Clients get them when they ask, nodes of other regions for copies that no limit holds.
const (
	LinksAll     Links = "all"
	LinksClients Links = "clients"
	LinksNone    Links = "none"
)

// S3 is how an S3-compatible store is reached.
type S3 struct {
	Endpoint        string `yaml:"endpoint"` // https://host:port
	Bucket          string `yaml:"bucket"`
	Prefix          string `yaml:"prefix"`
	Region          string `yaml:"region"`
	Style           string `yaml:"style"` // auto (default), path, virtual
	CAFile          string `yaml:"ca_file"`
	Insecure        bool   `yaml:"insecure"` // allow http://
	CredentialsFile string `yaml:"credentials_file"`
	AccessKeyEnv    string `yaml:"access_key_env"`
	SecretKeyEnv    string `yaml:"secret_key_env"`
	AccessKey       string `yaml:"access_key"`
	SecretKey       string `yaml:"secret_key"`
	Quota           Bytes  `yaml:"quota"` // bytes the bucket may hold; 0: unknown
}

// Memory is the node's budget in bytes.
type Memory struct {
	Limit   Bytes `yaml:"limit"`   // GOMEMLIMIT, default 224 MiB
	Buffers Bytes `yaml:"buffers"` // the pool that feeds all transfers, default 80 MiB
}

// Log is what the node says of itself.
type Log struct {
	Level  string `yaml:"level"`  // debug, info (default), warn, error
	Format string `yaml:"format"` // text (default), json
}

// Defaults returns options with every default set.
func Defaults() Options {
	return Options{
		Listen:  "127.0.0.1:7443",
		Gossip:  Gossip{Listen: "127.0.0.1:7946"},
		Cluster: Cluster{RTT: 100 * time.Millisecond},
		Memory:  Memory{Limit: 224 << 20, Buffers: 80 << 20},
		Log:     Log{Level: "info", Format: "text"},

		Collection: Collection{Period: 6 * time.Hour, Grace: 2 * time.Hour, Requests: 200, Bytes: 64 << 20},
		Checks:     Checks{Period: 30 * 24 * time.Hour, Quick: 24 * time.Hour, Requests: 100, Bytes: 32 << 20, Repair: true},
	}
}

// complete fills in what follows from other options.
func (o *Options) complete() {
	o.API.URL = strings.TrimRight(o.API.URL, "/")
	if o.Imports.MaxSize == 0 {
		o.Imports.MaxSize = 2 << 40
	}
	if o.Advertise == "" {
		o.Advertise = o.Listen
	}
	if o.Gossip.Advertise == "" {
		o.Gossip.Advertise = o.Gossip.Listen
	}
	for i := range o.Stores {
		s := &o.Stores[i]
		if s.Class == "" {
			s.Class = "standard"
		}
		if s.Links == "" {
			s.Links = LinksAll
		}
		if s.Name == "" {
			s.Name = "main"
		}
		if s.Reserve == 0 {
			s.Reserve = 1 << 30
		}
		if s.S3.Style == "" {
			s.S3.Style = "auto"
		}
	}
}

var regionName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

// Validate reports every fault at once. Each names the field and the rule.
func (o *Options) Validate() error {
	var errs []error
	bad := func(field, format string, a ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, a...)))
	}
	if o.Data == "" {
		bad("data", "must name a directory")
	}
	if !regionName.MatchString(o.Region) {
		bad("region", "%q: must be 1 to 40 of a-z, 0-9 and -, beginning with a letter", o.Region)
	}
	address := func(field, v string) {
		if host, port, err := net.SplitHostPort(v); err != nil || port == "" {
			bad(field, "%q: must be host:port", v)
		} else if strings.HasSuffix(field, "advertise") && (host == "" || host == "0.0.0.0" || host == "::") {
			bad(field, "%q: must be an address that others can reach; set it beside a listen on all addresses", v)
		}
	}
	address("listen", o.Listen)
	address("advertise", o.Advertise)
	address("gossip.listen", o.Gossip.Listen)
	address("gossip.advertise", o.Gossip.Advertise)
	for i, j := range o.Cluster.Join {
		address(fmt.Sprintf("cluster.join[%d]", i), j)
	}
	if o.Cluster.Bootstrap && len(o.Cluster.Join) > 0 {
		bad("cluster", "bootstrap and join exclude each other")
	}
	if o.Cluster.Token != "" && o.Cluster.TokenFile != "" {
		bad("cluster", "token and token_file exclude each other")
	}
	if o.Cluster.RTT <= 0 || o.Cluster.RTT > 2*time.Second {
		bad("cluster.rtt", "%v: must be above 0 and at most 2s", o.Cluster.RTT)
	}
	if o.Memory.Buffers < 32<<20 {
		bad("memory.buffers", "%d bytes: must be at least 32 MiB", o.Memory.Buffers)
	}
	if o.Memory.Limit < 2*o.Memory.Buffers {
		bad("memory.limit", "%d bytes: must be at least twice memory.buffers", o.Memory.Limit)
	}
	switch o.Log.Level {
	case "debug", "info", "warn", "error":
	default:
		bad("log.level", "%q: must be debug, info, warn or error", o.Log.Level)
	}
	if o.Log.Format != "text" && o.Log.Format != "json" {
		bad("log.format", "%q: must be text or json", o.Log.Format)
	}
	if u, err := url.Parse(o.API.URL); o.API.URL != "" && (err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil) {
		bad("api.url", "%q: must be an origin such as https://gallery.example.org", o.API.URL)
	}
	if o.Debug.Listen != "" {
		if err := debug.Check(o.Debug.Listen); err != nil {
			bad("debug.listen", "%v", err)
		}
	}
	o.Imports.validate(bad)
	if c := o.Collection; c.Period < time.Second || c.Grace < 0 || c.Requests < 0 || c.Bytes < 0 {
		bad("collection", "period must be at least 1s, and nothing below 0")
	}
	if c := o.Checks; c.Period != 0 && (c.Quick < time.Second || c.Period < c.Quick) || c.Requests < 0 || c.Bytes < 0 {
		bad("checks", "quick must be at least 1s, period 0 or at least quick, and nothing below 0")
	}
	names := map[string]bool{}
	for i := range o.Stores {
		field := fmt.Sprintf("stores[%d]", i)
		if names[o.Stores[i].Name] {
			bad(field+".name", "%q: used twice", o.Stores[i].Name)
		}
		names[o.Stores[i].Name] = true
		o.Stores[i].validate(field, bad)
	}
	return errors.Join(errs...)
}

func (i *Imports) validate(bad func(string, string, ...any)) {
	if err := (outgoing.Policy{Allow: i.Allow, Networks: i.Networks}).Validate(); err != nil {
		bad("imports", "%v", err)
	}
	if i.MaxSize < 0 {
		bad("imports.max_size", "%d: must not be negative", i.MaxSize)
	}
	for name, a := range i.Accounts {
		field := "imports.accounts." + name
		u, err := url.Parse(a.URL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" {
			bad(field+".url", "%q: must be a prefix of URLs such as https://images.example.org/golden/", a.URL)
		}
		if a.S3 != nil && (a.S3.Endpoint == "" || a.S3.Bucket == "") {
			bad(field+".s3", "must name endpoint and bucket")
		}
	}
}

func (s *Store) validate(field string, bad func(string, string, ...any)) {
	if !regionName.MatchString(s.Name) {
		bad(field+".name", "%q: must be 1 to 40 of a-z, 0-9 and -, beginning with a letter", s.Name)
	}
	if s.Links != LinksAll && s.Links != LinksClients && s.Links != LinksNone {
		bad(field+".links", "%q: must be all, clients or none", s.Links)
	}
	if s.Class != "standard" && s.Class != "premium" {
		bad(field+".class", "%q: must be standard or premium", s.Class)
	}
	switch s.Kind {
	case "filesystem":
		if !filepath.IsAbs(s.Path) {
			bad(field+".path", "%q: must be an absolute path", s.Path)
		}
	case "s3":
		if s.S3.Endpoint == "" {
			bad(field+".s3.endpoint", "must name the store, such as https://s3.example.org")
		}
		if s.S3.Bucket == "" {
			bad(field+".s3.bucket", "must name a bucket")
		}
		if s.S3.AccessKey != "" && s.S3.CredentialsFile != "" {
			bad(field+".s3", "access_key and credentials_file exclude each other")
		}
	default:
		bad(field+".kind", "%q: must be filesystem or s3", s.Kind)
	}
}

// JoinToken returns the token that Cluster gives, read from its file where it is in one.
func (o *Options) JoinToken() (string, error) {
	if o.Cluster.TokenFile == "" {
		return o.Cluster.Token, nil
	}
	b, err := os.ReadFile(o.Cluster.TokenFile)
	if err != nil {
		return "", fmt.Errorf("cluster.token_file: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
