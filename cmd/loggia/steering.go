package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"loggia/api/client"
	"loggia/api/v1"
)

func (c *cli) limitCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "limit", Short: "Limits of the traffic between regions",
		Long: `Limit what goes from region to region: a pair (--from a --to b), all that leaves a region (--from a) or a
node (--from-node ID), or all that arrives (--to b, --to-node ID). What clients publish and pull is not
limited. A change takes effect within a second, also on copies under way.

A rate is digits and a unit: kbit/s, Mbit/s, Gbit/s, kB/s, MB/s, GB/s, KiB/s, MiB/s, GiB/s. It means bytes
as a network interface counts them. 0 is no limit: pause versions to stop their copies ("loggia pause"),
remove the limit to lift it.`}
	cmd.AddCommand(c.limitSet(), c.limitRemove(),
		&cobra.Command{Use: "list", Short: "List the limits", Args: cobra.NoArgs, RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
			l, err := cl.Limits(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(l.Value, limitTable(l.Value...))
		})})
	return cmd
}

// limitFlags name what a limit is for.
func limitFlags(f *pflag.FlagSet, r *v1.LimitRequest) {
	f.StringVar(&r.From, "from", "", "region that the bytes leave")
	f.StringVar(&r.To, "to", "", "region where the bytes arrive")
	f.StringVar(&r.FromNode, "from-node", "", "node that the bytes leave")
	f.StringVar(&r.ToNode, "to-node", "", "node where the bytes arrive")
}

func (c *cli) limitSet() *cobra.Command {
	var r v1.LimitRequest
	cmd := &cobra.Command{Use: "set RATE", Short: "Set a limit, or change it while copies run", Args: cobra.ExactArgs(1), Example: "  loggia limit set 100Mbit/s --from west --to east",
		RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			r.Rate = args[0]
			l, err := cl.PutLimit(cmd.Context(), r)
			if err != nil {
				return err
			}
			return c.print(l, limitTable(l))
		})}
	limitFlags(cmd.Flags(), &r)
	return cmd
}

func (c *cli) limitRemove() *cobra.Command {
	var r v1.LimitRequest
	cmd := &cobra.Command{Use: "remove", Short: "Lift a limit", Args: cobra.NoArgs, RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
		return cl.RemoveLimit(cmd.Context(), r)
	})}
	limitFlags(cmd.Flags(), &r)
	return cmd
}

func limitTable(list ...v1.Limit) table {
	t := table{head: []string{"FROM", "TO", "RATE", "SET", "BY"}}
	for _, l := range list {
		t.add(limitSide(l.From, l.FromNode), limitSide(l.To, l.ToNode), l.Rate, when(l.Updated), dash(l.By))
	}
	return t
}

func limitSide(region, node string) string {
	switch {
	case node != "":
		return "node " + node
	case region != "":
		return region
	}
	return "*"
}

// steerer is a method of the client.
type steerer func(cl *client.Client, ctx context.Context, g, i, v string, regions ...string) (v1.Steered, error)

func (c *cli) pauseCommand() *cobra.Command {
	return c.steerCommand("pause", "Let the copies of a version rest; what is there is kept", (*client.Client).Pause)
}

func (c *cli) resumeCommand() *cobra.Command {
	return c.steerCommand("resume", "Go on with the copies of a version", (*client.Client).Resume)
}

func (c *cli) steerCommand(verb, short string, do steerer) *cobra.Command {
	var regions []string
	cmd := &cobra.Command{Use: verb + " GALLERY/IMAGE/VERSION", Short: short, Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		n, err := names(args[0], 3)
		if err != nil {
			return err
		}
		s, err := do(cl, cmd.Context(), n[0], n[1], n[2], regions...)
		if err != nil {
			return err
		}
		return c.print(s, table{rows: [][]string{{args[0], fmt.Sprintf("%s: %d replicas", verb, s.Replicas)}}})
	})}
	cmd.Flags().StringSliceVar(&regions, "region", nil, "only these regions (default: all targets)")
	return cmd
}
