package clusterlab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"loggia/testing/netlab"
)

// Options describe a cluster.
type Options struct {
	Loggia   string // the binary
	Dir      string // where everything is kept
	Regions  []string
	Extra    []string      // further network namespaces, for clients
	Networks bool          // a network namespace for each region; else all on loopback
	RTT      time.Duration // between any two of them; needs Networks
	RateMbit int
	Hub      bool     // one shaped line per region instead of a link per pair; needs Networks, and no RTT
	Buffer   int      // the most that a TCP socket may buffer, in bytes; 0: the kernel's
	S3       string   // versitygw or minio; empty: the filesystem store
	S3Helper []string // the command that calls ServeS3 with the arguments that are added; default: Main's
	LogLevel string
	Config   string // further lines of every daemon's configuration
}

// Cluster is a running cluster. It is for one goroutine, but for CLI.
type Cluster struct {
	o       Options
	Lab     *netlab.Lab // nil without Networks
	nodes   map[string]*Process
	s3      map[string]*Bucket
	token   string
	spawner *spawner
	peak    int64 // the most memory that a command of Run has had, in bytes
}

// New makes a cluster and waits until every region is ready.
func New(ctx context.Context, o Options) (*Cluster, error) {
	if o.S3 != "" && len(o.S3Helper) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		o.S3Helper = []string{self, helperArg}
	}
	c := &Cluster{o: o, nodes: map[string]*Process{}, s3: map[string]*Bucket{}, spawner: newSpawner()}
	if err := c.build(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cluster) build(ctx context.Context) (err error) {
	if c.o.Networks {
		c.Lab, err = netlab.New(netlab.Options{Regions: append(append([]string(nil), c.o.Regions...), c.o.Extra...),
			RTT: c.o.RTT, RateMbit: c.o.RateMbit, Hub: c.o.Hub, TCPBuffer: c.o.Buffer})
		if err != nil {
			return err
		}
	}
	for i, r := range c.o.Regions {
		if c.o.S3 != "" {
			if c.s3[r], err = c.startS3(ctx, r); err != nil {
				return err
			}
		}
		if err := c.configure(ctx, r, i == 0); err != nil {
			return err
		}
		if err := c.Start(ctx, r); err != nil {
			return err
		}
		if i == 0 {
			if c.token, err = readWhenThere(ctx, filepath.Join(c.dir(r), "node", "admin.token")); err != nil {
				return err
			}
		}
		if err := c.WaitReady(ctx, r); err != nil {
			return err
		}
	}
	return c.waitVoters(ctx)
}

func (c *Cluster) dir(region string) string { return filepath.Join(c.o.Dir, region) }

// host is the address of a region, or of a client's namespace.
func (c *Cluster) host(region string) netip.Addr {
	if c.Lab != nil {
		return c.Lab.Addr(region, 0)
	}
	return netip.MustParseAddr("127.0.0.1")
}

func (c *Cluster) port(region string, base int) int {
	if c.Lab != nil {
		return base
	}
	for i, r := range c.o.Regions {
		if r == region {
			return base + 20000 + 2*i
		}
	}
	panic("clusterlab: no region " + region)
}

// Address is a region's https URL.
func (c *Cluster) Address(region string) string {
	return fmt.Sprintf("https://%s:%d", c.host(region), c.port(region, 7443))
}

// CACert is the file with the cluster's CA.
func (c *Cluster) CACert() string {
	return filepath.Join(c.dir(c.o.Regions[0]), "node", "ca.crt")
}

// Token is the operator's access token.
func (c *Cluster) Token() string { return c.token }

// configure writes the region's configuration: the one YAML file of its daemon.
func (c *Cluster) configure(ctx context.Context, region string, first bool) error {
	if err := os.MkdirAll(c.dir(region), 0o700); err != nil {
		return err
	}
	rtt := max(c.o.RTT, 10*time.Millisecond)
	var b strings.Builder
	fmt.Fprintf(&b, "data: %s\nregion: %s\nlisten: %s:%d\n", filepath.Join(c.dir(region), "node"), region, c.host(region), c.port(region, 7443))
	fmt.Fprintf(&b, "gossip: {listen: '%s:%d'}\nlog: {level: %s}\n", c.host(region), c.port(region, 7444), c.level())
	cluster := fmt.Sprintf("rtt: %s", rtt)
	if first {
		cluster += ", bootstrap: true"
	} else {
		token, err := c.CLI(ctx, region, "members", "join-token", "--region", region, "--seat", "voter", "--address", c.Address(c.o.Regions[0])).Output()
		if err != nil {
			return fmt.Errorf("join token for %s: %w", region, describe(err))
		}
		file := filepath.Join(c.dir(region), "join.token")
		if err := os.WriteFile(file, token, 0o600); err != nil {
			return err
		}
		cluster += fmt.Sprintf(", join: ['%s'], token_file: %s", strings.TrimPrefix(c.Address(c.o.Regions[0]), "https://"), file)
	}
	fmt.Fprintf(&b, "cluster: {%s}\nstores:\n%s", cluster, c.storeConfig(region))
	b.WriteString(c.o.Config)
	return os.WriteFile(filepath.Join(c.dir(region), "loggia.yaml"), []byte(b.String()), 0o600)
}

func (c *Cluster) level() string {
	if c.o.LogLevel != "" {
		return c.o.LogLevel
	}
	return "info"
}

func (c *Cluster) storeConfig(region string) string {
	if s := c.s3[region]; s != nil {
		return fmt.Sprintf("- name: main\n  kind: s3\n  s3: {endpoint: '%s', bucket: %s, access_key: %s, secret_key: %s, ca_file: %s, style: path}\n",
			s.Endpoint, s.Bucket, s.AccessKey, s.SecretKey, s.CAFile)
	}
	return fmt.Sprintf("- {name: main, kind: filesystem, path: %s}\n", filepath.Join(c.dir(region), "store"))
}

// command makes a command that runs in a region's network.
func (c *Cluster) command(ctx context.Context, region, name string, args ...string) *exec.Cmd {
	if c.Lab != nil {
		return c.Lab.Command(region, name, args...)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// CLI is the loggia command of somebody in a region, or in a client's namespace, asking that
// region, or the first one.
func (c *Cluster) CLI(ctx context.Context, region string, args ...string) *exec.Cmd {
	cmd := c.command(ctx, region, c.o.Loggia, args...)
	cmd.SysProcAttr.Pdeathsig = 0 // it ends by itself, or with the lab
	at := region
	if !c.isRegion(region) {
		at = c.o.Regions[0]
	}
	cmd.Env = append(os.Environ(), "LOGGIA_ADDRESS="+c.Address(at), "LOGGIA_TOKEN="+c.token, "LOGGIA_CACERT="+c.CACert(),
		"XDG_STATE_HOME="+filepath.Join(c.o.Dir, "state"), "XDG_CACHE_HOME="+filepath.Join(c.o.Dir, "known"), "LOGGIA_OUTPUT=table")
	return cmd
}

func (c *Cluster) isRegion(name string) bool {
	for _, r := range c.o.Regions {
		if r == name {
			return true
		}
	}
	return false
}

// Run runs a loggia command and returns what it printed. Its own messages go to out.
func (c *Cluster) Run(ctx context.Context, out io.Writer, region string, args ...string) (string, error) {
	cmd := c.CLI(ctx, region, args...)
	cmd.Stderr = out
	b, err := cmd.Output()
	if cmd.ProcessState != nil {
		c.peak = max(c.peak, MaxRSS(cmd))
	}
	if err != nil {
		return string(b), fmt.Errorf("loggia %s: %w", strings.Join(args, " "), describe(err))
	}
	return strings.TrimSpace(string(b)), nil
}

// CommandPeakRSS is the most memory that any command of Run has had, in bytes.
func (c *Cluster) CommandPeakRSS() int64 { return c.peak }

// describe adds what a command wrote to its standard error.
func describe(err error) error {
	var e *exec.ExitError
	if errors.As(err, &e) && len(e.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(e.Stderr)))
	}
	return err
}

// WaitReady blocks until a region can serve.
func (c *Cluster) WaitReady(ctx context.Context, region string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return c.until(ctx, "region "+region+" to be ready", func() (bool, error) {
		if err := c.nodes[region].alive(); err != nil {
			return false, err
		}
		return c.ready(ctx, region), nil
	})
}

// waitVoters blocks until every region votes.
func (c *Cluster) waitVoters(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	want := len(c.o.Regions) - (len(c.o.Regions)+1)%2
	return c.until(ctx, "all regions to vote", func() (bool, error) {
		out, err := c.CLI(ctx, c.o.Regions[0], "operator", "raft", "list-peers", "-o", "json").Output()
		return err == nil && strings.Count(string(out), `"voter": true`) >= want, nil
	})
}

// until waits for a condition.
func (c *Cluster) until(ctx context.Context, what string, ok func() (bool, error)) error {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		done, err := ok()
		if done || err != nil {
			return err
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return fmt.Errorf("waited for %s: %w", what, ctx.Err())
		}
	}
}

// Close kills everything that runs.
func (c *Cluster) Close() error {
	var errs []error
	for _, p := range c.nodes {
		errs = append(errs, p.Kill())
	}
	for _, s := range c.s3 {
		if s != nil {
			errs = append(errs, s.helper.Stop())
		}
	}
	if c.Lab != nil {
		errs = append(errs, c.Lab.Close())
	}
	c.spawner.close()
	return errors.Join(errs...)
}

func readWhenThere(ctx context.Context, file string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if b, err := os.ReadFile(file); err == nil {
			return strings.TrimSpace(string(b)), nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return "", fmt.Errorf("%s did not appear: %w", file, ctx.Err())
		}
	}
}
