package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"loggia/api/client"
	"loggia/api/v1"
)

func (c *cli) regionCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "region", Short: "Regions and their stores"}
	var lost bool
	del := &cobra.Command{Use: "remove REGION", Short: "Remove a region that is no target and holds no only copy", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		r, err := cl.RemoveRegion(cmd.Context(), args[0], lost)
		if err != nil {
			return err
		}
		t := table{}
		for _, v := range r.NoSource {
			t.add(v, "NoSource")
		}
		return c.print(r, t)
	})}
	del.Flags().BoolVar(&lost, "lost", false, "the region is gone for good: remove it, list the versions that had their only copy there")
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: "List the regions", Args: cobra.NoArgs, RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
			l, err := cl.Regions(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(l.Value, regionTable(l.Value...))
		})},
		&cobra.Command{Use: "show REGION", Short: "Show a region and its stores", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			r, err := cl.Region(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.printRegion(r)
		})},
		del, c.distanceCommand(),
	)
	return cmd
}

// printRegion writes a region, and in a table below what is said of it.
func (c *cli) printRegion(r v1.Region) error {
	if err := c.print(r, regionTable(r)); err != nil || c.format == "json" || c.format == "yaml" {
		return err
	}
	var more []table
	if len(r.Limits) > 0 {
		more = append(more, limitTable(r.Limits...))
	}
	if len(r.Distances) > 0 {
		more = append(more, distanceTable(r.Distances...))
	}
	for _, t := range more {
		fmt.Fprintln(c.out)
		if err := c.print(r, t); err != nil {
			return err
		}
	}
	return nil
}

func regionTable(list ...v1.Region) table {
	t := table{head: []string{"REGION", "NODES", "STORE", "KIND", "ZONE", "CLASS", "STATE", "FREE", "TOTAL"}}
	for _, r := range list {
		name, nodes := r.Name, fmt.Sprint(r.Nodes)
		for _, s := range r.Stores {
			free, total := "-", "-"
			if s.Total > 0 {
				free, total = size(s.Free), size(s.Total)
			}
			state := s.State
			if s.Reason != "" {
				state += " (" + s.Reason + ")"
			}
			t.add(name, nodes, s.Name, s.Kind, dash(s.Zone), s.Class, state, free, total)
			name, nodes = "", ""
		}
		if len(r.Stores) == 0 {
			t.add(name, nodes, "-", "-", "-", "-", "-", "-", "-")
		}
	}
	return t
}

func (c *cli) membersCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "members", Short: "The nodes of the cluster", Args: cobra.NoArgs, RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
		l, err := cl.Members(cmd.Context())
		if err != nil {
			return err
		}
		t := table{head: []string{"NODE", "REGION", "ZONE", "ADDRESS", "SEAT", "LEADER", "GOSSIP", "VERSION"}}
		for _, m := range l.Value {
			t.add(m.ID, m.Region, dash(m.Zone), m.Address, m.Seat, yes(m.Leader), dash(m.Alive), m.Version)
		}
		return c.print(l.Value, t)
	})}
	cmd.AddCommand(&cobra.Command{Use: "remove NODE", Short: "Remove a node for good; its id never comes back", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		return cl.RemoveMember(cmd.Context(), args[0])
	})}, c.joinTokenCommand())
	return cmd
}

func (c *cli) joinTokenCommand() *cobra.Command {
	var r v1.JoinTokenRequest
	cmd := &cobra.Command{Use: "join-token", Short: "Make a token with which one node may join", Args: cobra.NoArgs, RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
		tok, err := cl.JoinToken(cmd.Context(), r)
		if err != nil {
			return err
		}
		return c.print(tok, table{rows: [][]string{{tok.Token}}})
	})}
	f := cmd.Flags()
	f.StringVar(&r.Region, "region", "", "region of the node")
	f.StringVar(&r.Zone, "zone", "", "zone of the node")
	f.StringVar(&r.Seat, "seat", "standby", "voter or standby")
	f.StringVar(&r.TTL, "ttl", "24h", "how long the token may be used")
	return cmd
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (c *cli) tokenCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "token", Short: "Access tokens"}
	var r v1.TokenRequest
	create := &cobra.Command{Use: "create NAME", Short: "Make an access token and show its secret once", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		r.Name = args[0]
		t, err := cl.CreateToken(cmd.Context(), r)
		if err != nil {
			return err
		}
		return c.print(t, table{rows: [][]string{{t.Secret}}})
	})}
	create.Flags().StringVar(&r.Principal, "principal", "", "whose rights it has (default: your own)")
	create.Flags().StringVar(&r.TTL, "ttl", "", "lifetime, such as 720h (default: does not expire)")
	cmd.AddCommand(create,
		&cobra.Command{Use: "list", Short: "List the access tokens", Args: cobra.NoArgs, RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
			l, err := cl.Tokens(cmd.Context())
			if err != nil {
				return err
			}
			t := table{head: []string{"ID", "NAME", "PRINCIPAL", "CREATED", "EXPIRES"}}
			for _, k := range l.Value {
				t.add(k.ID, k.Name, dash(k.Principal), when(k.Created), when(k.Expires))
			}
			return c.print(l.Value, t)
		})},
		&cobra.Command{Use: "delete ID", Short: "Revoke an access token", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			return cl.DeleteToken(cmd.Context(), args[0])
		})},
	)
	return cmd
}

func (c *cli) operatorCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "operator", Short: "What only an operator does"}
	raft := &cobra.Command{Use: "raft", Short: "The consensus group"}
	raft.AddCommand(
		&cobra.Command{Use: "list-peers", Short: "List the servers of the raft configuration", Args: cobra.NoArgs, RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
			l, err := cl.RaftPeers(cmd.Context())
			if err != nil {
				return err
			}
			t := table{head: []string{"NODE", "REGION", "ADDRESS", "VOTER", "LEADER"}}
			for _, p := range l.Value {
				t.add(p.ID, p.Region, p.Address, yes(p.Voter), yes(p.Leader))
			}
			return c.print(l.Value, t)
		})},
		&cobra.Command{Use: "transfer-leader", Short: "Hand leadership over", Args: cobra.NoArgs, RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
			return cl.TransferLeadership(cmd.Context())
		})},
		&cobra.Command{Use: "promote NODE", Short: "Give a standby a voter's seat", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			return cl.Promote(cmd.Context(), args[0])
		})},
	)
	cmd.AddCommand(raft, c.collectCommand())
	return cmd
}
