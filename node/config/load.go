package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds a configuration file, in bytes.
const maxFile = 1 << 20

// Setting is one option that a flag or the environment may give.
type Setting struct {
	Flag string // --flag; the environment's name is LOGGIA_SERVER_FLAG with underscores
	Help string
	set  func(*Options, string) error
}

// Env returns the name of the environment variable that gives the setting.
func (s Setting) Env() string {
	return "LOGGIA_SERVER_" + strings.ToUpper(strings.ReplaceAll(s.Flag, "-", "_"))
}

// Settings returns what flags and environment may give, in the order of a help text.
func Settings() []Setting {
	text := func(f func(*Options) *string) func(*Options, string) error {
		return func(o *Options, v string) error { *f(o) = v; return nil }
	}
	return []Setting{
		{"data", "directory of the node's own state", text(func(o *Options) *string { return &o.Data })},
		{"region", "the node's region", text(func(o *Options) *string { return &o.Region })},
		{"zone", "failure domain inside the region", text(func(o *Options) *string { return &o.Zone })},
		{"listen", "host:port of the one TLS port", text(func(o *Options) *string { return &o.Listen })},
		{"advertise", "host:port where others reach this node", text(func(o *Options) *string { return &o.Advertise })},
		{"host", "further name or IP for the node's certificate, comma separated", func(o *Options, v string) error { o.Hosts = strings.Split(v, ","); return nil }},
		{"gossip-listen", "host:port of gossip", text(func(o *Options) *string { return &o.Gossip.Listen })},
		{"gossip-advertise", "host:port where others reach gossip", text(func(o *Options) *string { return &o.Gossip.Advertise })},
		{"bootstrap", "make a new cluster of this one node (true or false)", func(o *Options, v string) (err error) {
			o.Cluster.Bootstrap, err = strconv.ParseBool(v)
			return err
		}},
		{"join", "host:port of nodes to join through, comma separated", func(o *Options, v string) error { o.Cluster.Join = strings.Split(v, ","); return nil }},
		{"token", "the join token", text(func(o *Options) *string { return &o.Cluster.Token })},
		{"token-file", "file that holds the join token", text(func(o *Options) *string { return &o.Cluster.TokenFile })},
		{"rtt", "worst round trip between voters", func(o *Options, v string) (err error) {
			o.Cluster.RTT, err = time.ParseDuration(v)
			return err
		}},
		{"store-path", "directory of a filesystem store named main", func(o *Options, v string) error {
			o.Stores = append(o.Stores, Store{Name: "main", Kind: "filesystem", Path: v, Zone: o.Zone})
			return nil
		}},
		{"memory-limit", "memory limit of the process", func(o *Options, v string) (err error) {
			o.Memory.Limit, err = ParseBytes(v)
			return err
		}},
		{"memory-buffers", "buffers that feed all transfers", func(o *Options, v string) (err error) {
			o.Memory.Buffers, err = ParseBytes(v)
			return err
		}},
		{"api-url", "origin under which clients reach the cluster", text(func(o *Options) *string { return &o.API.URL })},
		{"collection-period", "time between two collections of a repository's garbage", func(o *Options, v string) (err error) {
			o.Collection.Period, err = time.ParseDuration(v)
			return err
		}},
		{"collection-grace", "time between condemning garbage and deleting it", func(o *Options, v string) (err error) {
			o.Collection.Grace, err = time.ParseDuration(v)
			return err
		}},
		{"checks-period", "time within which a region reads every pack by itself; 0: never", func(o *Options, v string) (err error) {
			o.Checks.Period, err = time.ParseDuration(v)
			return err
		}},
		{"checks-quick", "time between two looks at existence and length of everything stored", func(o *Options, v string) (err error) {
			o.Checks.Quick, err = time.ParseDuration(v)
			return err
		}},
		{"log-level", "debug, info, warn or error", text(func(o *Options) *string { return &o.Log.Level })},
		{"log-format", "text or json", text(func(o *Options) *string { return &o.Log.Format })},
		{"debug-listen", "unix:/PATH or loopback IP:PORT for profiles", text(func(o *Options) *string { return &o.Debug.Listen })},
	}
}

// Load resolves the options: flags win over the environment, that over the file, that over the
// defaults. file may be empty. flags holds only what the user gave.
func Load(file string, env func(string) (string, bool), flags map[string]string) (Options, error) {
	o := Defaults()
	if file != "" {
		if err := o.read(file); err != nil {
			return Options{}, err
		}
	}
	for _, s := range Settings() {
		v, from := "", ""
		if e, ok := env(s.Env()); ok {
			v, from = e, s.Env()
		}
		if f, ok := flags[s.Flag]; ok {
			v, from = f, "--"+s.Flag
		}
		if from == "" {
			continue
		}
		if err := s.set(&o, v); err != nil {
			return Options{}, fmt.Errorf("%s: %w", from, err)
		}
	}
	o.complete()
	if err := o.Validate(); err != nil {
		return Options{}, err
	}
	return o, nil
}

// read decodes the file strictly: an unknown key is an error.
func (o *Options) read(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return fmt.Errorf("configuration %s: %w", file, err)
	}
	if len(b) > maxFile {
		return fmt.Errorf("configuration %s: larger than %d bytes", file, maxFile)
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(o); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("configuration %s: %w", file, err)
	}
	if err := d.Decode(new(Options)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("configuration %s: holds more than one document", file)
	}
	return nil
}
