package main

import (
	"github.com/spf13/cobra"

	"loggia/api/client"
	"loggia/api/v1"
)

func (c *cli) tenantCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "tenant", Short: "Tenants: organisations that share nothing but what they give each other"}
	heads := []string{"ID", "NAME", "DEFAULT"}
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: "List the tenants", Args: cobra.NoArgs, RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
			l, err := cl.Tenants(cmd.Context())
			if err != nil {
				return err
			}
			t := table{head: heads}
			for _, x := range l.Value {
				t.add(x.ID, x.Name, mark(x.Default))
			}
			return c.print(l.Value, t)
		})},
		&cobra.Command{Use: "create NAME", Short: "Make a tenant", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			x, err := cl.CreateTenant(cmd.Context(), v1.Tenant{Name: args[0]})
			if err != nil {
				return err
			}
			return c.print(x, table{head: heads, rows: [][]string{{x.ID, x.Name, mark(x.Default)}}})
		})})
	return cmd
}

func (c *cli) subscriptionCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "subscription", Short: "Subscriptions, which hold the resource groups of a tenant"}
	heads := []string{"ID", "TENANT", "NAME", "DEFAULT"}
	s := v1.Subscription{}
	create := &cobra.Command{Use: "create NAME", Short: "Make a subscription", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		s.Name = args[0]
		x, err := cl.CreateSubscription(cmd.Context(), s)
		if err != nil {
			return err
		}
		return c.print(x, table{head: heads, rows: [][]string{{x.ID, x.Tenant, x.Name, mark(x.Default)}}})
	})}
	create.Flags().StringVar(&s.Tenant, "tenant", "", "its tenant (default: the default one)")
	cmd.AddCommand(create, &cobra.Command{Use: "list", Short: "List the subscriptions", Args: cobra.NoArgs, RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
		l, err := cl.Subscriptions(cmd.Context())
		if err != nil {
			return err
		}
		t := table{head: heads}
		for _, x := range l.Value {
			t.add(x.ID, x.Tenant, x.Name, mark(x.Default))
		}
		return c.print(l.Value, t)
	})})
	return cmd
}

// mark shows what is true.
func mark(b bool) string {
	if b {
		return "yes"
	}
	return ""
}
