package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"loggia/api/client"
	"loggia/api/v1"
)

func (c *cli) distanceCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "distance", Short: "How far regions are from each other",
		Long: `Say how far two regions are from each other, in any measure that you keep to: milliseconds, hops, money for
a gigabyte. A copy is then made from near regions first, until it has measured that others are faster. A
region of which nothing is said counts as farther than all of which something is.`}
	cmd.AddCommand(
		&cobra.Command{Use: "set REGION REGION N", Short: "Set the distance of two regions, the same both ways", Args: cobra.ExactArgs(3), Example: "  loggia region distance set west east 40",
			RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
				n, err := strconv.ParseUint(args[2], 10, 32)
				if err != nil {
					return usageError{fmt.Errorf("%q: a distance is a whole number from 1 on", args[2])}
				}
				d, err := cl.PutDistance(cmd.Context(), v1.DistanceRequest{A: args[0], B: args[1], Distance: uint32(n)})
				if err != nil {
					return err
				}
				return c.print(d, distanceTable(d))
			})},
		&cobra.Command{Use: "remove REGION REGION", Short: "Take back the distance of two regions", Args: cobra.ExactArgs(2), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			return cl.RemoveDistance(cmd.Context(), args[0], args[1])
		})},
		&cobra.Command{Use: "list", Short: "List the distances", Args: cobra.NoArgs, RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
			l, err := cl.Distances(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(l.Value, distanceTable(l.Value...))
		})})
	return cmd
}

func distanceTable(list ...v1.Distance) table {
	t := table{head: []string{"REGION", "REGION", "DISTANCE", "SET", "BY"}}
	for _, d := range list {
		t.add(d.A, d.B, strconv.FormatUint(uint64(d.Distance), 10), when(d.Updated), dash(d.By))
	}
	return t
}
