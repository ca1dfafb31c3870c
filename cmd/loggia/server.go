package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"loggia/node"
	"loggia/node/config"
)

func (c *cli) serverCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{Use: "server", Short: "Run a region node", Args: cobra.NoArgs,
		Long: `Run the daemon of one region node until it is told to stop (SIGTERM). Options come from flags, then
from the environment (LOGGIA_SERVER_...), then from the file, then from defaults.`}
	f := cmd.Flags()
	f.StringVar(&file, "config", os.Getenv("LOGGIA_SERVER_CONFIG"), "YAML file (LOGGIA_SERVER_CONFIG)")
	for _, s := range config.Settings() {
		f.String(s.Flag, "", s.Help+" ("+s.Env()+")")
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		given := map[string]string{}
		f.Visit(func(fl *pflag.Flag) { given[fl.Name] = fl.Value.String() })
		o, err := config.Load(file, os.LookupEnv, given)
		if err != nil {
			return usageError{err}
		}
		return serve(cmd.Context(), o, c.err)
	}
	return cmd
}

// serve runs a node until ctx ends or the node must stop.
func serve(ctx context.Context, o config.Options, out io.Writer) error {
	debug.SetMemoryLimit(int64(o.Memory.Limit))
	log := logger(o.Log, out)
	n, err := node.Start(ctx, o, version, log)
	if err != nil {
		return err
	}
	log.Info("node started", "node", n.ID(), "region", o.Region, "address", o.Advertise)
	select {
	case <-ctx.Done():
		log.Info("stopping: leadership and claims are handed over first")
		return n.Stop()
	case err := <-n.Fatal():
		// What the node has on disk may no longer be what it says: nothing more is written.
		return fmt.Errorf("the node stopped itself: %w", err)
	}
}

func logger(o config.Log, out io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.Level)); err != nil {
		level = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: level}
	if o.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, opts))
	}
	return slog.New(slog.NewTextHandler(out, opts))
}

// ready waits until a node serves.
func ready(ctx context.Context, n *node.Node) error {
	for {
		err := n.Ready()
		if err == nil {
			return nil
		}
		if e := pause(ctx); e != nil {
			return errors.Join(err, e)
		}
	}
}
