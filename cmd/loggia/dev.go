package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"loggia/api/client"
	"loggia/api/v1"
	"loggia/internal/atomicfile"
	"loggia/node"
	"loggia/node/config"
)

// devOptions is what a development cluster is made of.
type devOptions struct {
	regions string
	data    string
	envFile string
	port    int
	level   string
	period  time.Duration // of collection
	grace   time.Duration
	checks  time.Duration // period
	quick   time.Duration // between checks
}

func (c *cli) devCommand() *cobra.Command {
	o := devOptions{}
	cmd := &cobra.Command{Use: "dev", Short: "Run a whole cluster in this process, with nothing else to install", Args: cobra.NoArgs,
		Long: `Run a cluster of several regions in one process, each with its own directory, ports and filesystem
store: real nodes with TLS, on loopback. Everything is kept in --data; run again with the same
directory it goes on. Without --data it lives in a temporary directory and is gone at the end.`}
	f := cmd.Flags()
	f.StringVar(&o.regions, "regions", "3", "a number, or names: west,east")
	f.StringVar(&o.data, "data", "", "directory to keep everything in")
	f.StringVar(&o.envFile, "env-file", "", "write shell assignments for clients here once every region is ready")
	f.IntVar(&o.port, "port", 7443, "port of the first region; each region takes two; 0: any that are free")
	f.StringVar(&o.level, "log-level", "warn", "debug, info, warn or error")
	f.DurationVar(&o.period, "collection-period", config.Defaults().Collection.Period, "time between two collections of garbage")
	f.DurationVar(&o.grace, "collection-grace", config.Defaults().Collection.Grace, "time between condemning garbage and deleting it")
	f.DurationVar(&o.checks, "checks-period", config.Defaults().Checks.Period, "time within which a region reads every pack by itself; 0: never")
	f.DurationVar(&o.quick, "checks-quick", config.Defaults().Checks.Quick, "time between two looks at existence and length of everything stored")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.dev(cmd.Context(), o) }
	return cmd
}

// regionNames reads a number of regions or their names.
func regionNames(s string) ([]string, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return strings.Split(s, ","), nil
	}
	if n < 1 || n > 9 {
		return nil, usageError{fmt.Errorf("--regions: %d: must be 1 to 9", n)}
	}
	var out []string
	for i := range n {
		out = append(out, "region"+strconv.Itoa(i+1))
	}
	return out, nil
}

func (c *cli) dev(ctx context.Context, o devOptions) (err error) {
	names, err := regionNames(o.regions)
	if err != nil {
		return err
	}
	if o.data == "" {
		if o.data, err = os.MkdirTemp("", "loggia-dev-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.data)) }()
	}
	if o.data, err = filepath.Abs(o.data); err != nil {
		return err
	}
	debug.SetMemoryLimit(int64(config.Defaults().Memory.Limit) * int64(len(names)))
	var nodes []*node.Node
	defer func() {
		// In reverse: the first region is the one that leads, as a rule.
		for i := len(nodes) - 1; i >= 0; i-- {
			err = errors.Join(err, nodes[i].Stop())
		}
	}()
	fatal := make(chan error, len(names))
	var token string
	for i, name := range names {
		conf, err := c.devNode(ctx, o, i, name, nodes, token)
		if err != nil {
			return err
		}
		n, err := node.Start(ctx, conf, version, logger(conf.Log, c.err))
		if err != nil {
			return fmt.Errorf("region %s: %w", name, err)
		}
		nodes = append(nodes, n)
		go func() { // ends with the process, which the first message ends
			fatal <- fmt.Errorf("region %s: %w", name, <-n.Fatal())
		}()
		if i == 0 {
			if token, err = firstToken(ctx, n); err != nil {
				return err
			}
		}
	}
	for i, n := range nodes {
		bounded, cancel := context.WithTimeout(ctx, time.Minute)
		err := ready(bounded, n)
		cancel()
		if err != nil {
			return fmt.Errorf("region %s is not ready: %w", names[i], err)
		}
	}
	owner, err := devOwner(ctx, o.data, nodes[0], token)
	if err != nil {
		return err
	}
	if err := c.devReady(o, names, nodes, token, owner); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-fatal:
		return err
	}
}

// devNode is the configuration of one region.
func (c *cli) devNode(ctx context.Context, o devOptions, i int, name string, nodes []*node.Node, token string) (config.Options, error) {
	dir := filepath.Join(o.data, name)
	listen, err := devAddress(dir, "address", o.port, 2*i)
	if err != nil {
		return config.Options{}, err
	}
	gossip, err := devAddress(dir, "gossip", o.port, 2*i+1)
	if err != nil {
		return config.Options{}, err
	}
	flags := map[string]string{"data": filepath.Join(dir, "node"), "region": name, "listen": listen, "gossip-listen": gossip,
		"rtt": "10ms", "store-path": filepath.Join(dir, "store"), "log-level": o.level,
		"collection-period": o.period.String(), "collection-grace": o.grace.String(),
		"checks-period": o.checks.String(), "checks-quick": o.quick.String()}
	if i == 0 {
		flags["bootstrap"] = "true"
	} else if _, err := os.Stat(filepath.Join(dir, "node", "node.json")); err != nil {
		join, err := joinToken(ctx, nodes[0], token, name)
		if err != nil {
			return config.Options{}, err
		}
		flags["join"], flags["token"] = nodes[0].Addr(), join
	}
	conf, err := config.Load("", func(string) (string, bool) { return "", false }, flags)
	if err != nil {
		return conf, usageError{err}
	}
	return conf, nil
}

// devAddress returns a loopback address, the same one every time for a directory.
func devAddress(dir, what string, base, offset int) (string, error) {
	file := filepath.Join(dir, what)
	if b, err := os.ReadFile(file); err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	addr := fmt.Sprintf("127.0.0.1:%d", base+offset)
	if base == 0 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		addr = l.Addr().String()
		if err := l.Close(); err != nil {
			return "", err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return addr, atomicfile.Write(file, []byte(addr+"\n"), 0o600)
}

// firstToken waits until the cluster is founded and returns its access token.
func firstToken(ctx context.Context, n *node.Node) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		b, err := os.ReadFile(n.Dir().TokenFile())
		if err == nil {
			return strings.TrimSpace(string(b)), nil
		}
		if err := pause(ctx); err != nil {
			return "", fmt.Errorf("the cluster was not founded: %w", errors.Join(n.Ready(), err))
		}
	}
}

// joinToken asks the first node to let another one in.
func joinToken(ctx context.Context, first *node.Node, token, region string) (string, error) {
	cl, err := client.New(client.Options{Addresses: []string{"https://" + first.Addr()}, Token: token, CACert: first.Dir().CAFile()})
	if err != nil {
		return "", err
	}
	defer cl.Close()
	for {
		t, err := cl.JoinToken(ctx, v1.JoinTokenRequest{Region: region, Seat: "voter", TTL: "1h"})
		if err == nil {
			return t.Token, nil
		}
		if e := pause(ctx); e != nil {
			return "", err
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(50 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// devReady writes the environment of clients.
func (c *cli) devReady(o devOptions, names []string, nodes []*node.Node, token string, owner v1.Bootstrap) error {
	var all []string
	var b strings.Builder
	for _, n := range nodes {
		all = append(all, "https://"+n.Addr())
	}
	assign := func(name, value string) {
		fmt.Fprintf(&b, "export %s=%s\n", name, quote(value))
	}
	assign("LOGGIA_ADDRESS", all[0])
	for i, name := range names {
		assign("LOGGIA_ADDRESS_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_")), all[i])
	}
	assign("LOGGIA_TOKEN", token)
	assign("LOGGIA_CACERT", nodes[0].Dir().CAFile())
	if owner.ClientID != "" {
		for _, e := range environment(owner) {
			assign(e[0], e[1])
		}
	}
	if o.envFile != "" {
		if err := atomicfile.Write(o.envFile, []byte(b.String()), 0o600); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.out, "%d regions are ready: %s\n", len(names), strings.Join(names, ", "))
	if o.envFile != "" {
		fmt.Fprintf(c.out, "for clients: . %s\n", o.envFile)
	} else {
		fmt.Fprint(c.out, b.String())
	}
	return nil
}
