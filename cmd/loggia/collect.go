package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"loggia/api/client"
	"loggia/api/v1"
	"loggia/gallery"
)

func (c *cli) collectCommand() *cobra.Command {
	var r v1.CollectRequest
	var leave bool
	cmd := &cobra.Command{Use: "collect", Short: "Have a region's garbage collected and its packs compacted now", Args: cobra.NoArgs,
		Long: `Have the repositories of a region's stores collected now, and wait for the end: what no version needs is
condemned, and deleted when the grace time is over (collection.grace in the configuration of the region's nodes).
Fails where a run stops without a delete; "loggia operator collect status" says why, as it does at any time.`}
	f := cmd.Flags()
	f.StringVar(&r.Region, "region", "", "the region")
	f.StringVar(&r.Store, "store", "", "one of its stores (default: all)")
	f.BoolVar(&r.DryRun, "dry-run", false, "count only")
	f.BoolVar(&r.Accept, "accept-unexplained", false, "let garbage go that no delete, ended claim or compaction explains")
	f.BoolVar(&leave, "no-wait", false, "return when the request is committed")
	_ = cmd.MarkFlagRequired("region")
	cmd.RunE = c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
		asked, err := cl.Collect(cmd.Context(), r)
		if err != nil {
			return err
		}
		if leave {
			return c.print(asked, table{rows: [][]string{{fmt.Sprintf("%d repositories", asked.Repositories)}}})
		}
		all, err := c.collected(cmd.Context(), cl, r, asked)
		if len(all.Value) > 0 || err == nil {
			err = errors.Join(c.print(all, collectionTable(all)), err)
		}
		return err
	})
	cmd.AddCommand(c.collectStatusCommand(), c.collectSwitch("on", "Turn the collection of garbage on, in all regions: after a recovery it is off", false),
		c.collectSwitch("off", "Turn the collection of garbage off, in all regions", true))
	return cmd
}

func (c *cli) collectStatusCommand() *cobra.Command {
	var region, store string
	cmd := &cobra.Command{Use: "status", Short: "Show how the collection of garbage stands in each repository", Args: cobra.NoArgs, RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
		all, err := cl.Collections(cmd.Context(), region, store)
		if err != nil {
			return err
		}
		return c.print(all, collectionTable(all))
	})}
	cmd.Flags().StringVar(&region, "region", "", "the region (default: all)")
	cmd.Flags().StringVar(&store, "store", "", "one of its stores (default: all)")
	return cmd
}

func (c *cli) collectSwitch(use, short string, off bool) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
		return cl.SwitchCollection(cmd.Context(), off)
	})}
}

// lookEvery is the pace of waiting for a collection.
const lookEvery = 200 * time.Millisecond

// collected waits until every repository has answered the request to its end.
func (c *cli) collected(ctx context.Context, cl *client.Client, r v1.CollectRequest, asked v1.Collecting) (v1.Collections, error) {
	told := false
	for {
		all, err := cl.Collections(ctx, r.Region, r.Store)
		if err != nil {
			return v1.Collections{}, err
		}
		if all.Off && !r.DryRun {
			return all, &gallery.Error{Kind: gallery.ErrNotAllowed, Op: "collect", Message: "collection is off; turn it on with: loggia operator collect on"}
		}
		open := slices.ContainsFunc(all.Value, func(x v1.Collection) bool {
			return x.Asked >= asked.Request && (x.Answered < asked.Request || x.State == "Waiting")
		})
		if !open {
			return all, stopped(all)
		}
		if !told && slices.ContainsFunc(all.Value, func(x v1.Collection) bool { return x.State == "Waiting" }) {
			told = true
			fmt.Fprintln(c.err, "condemned; waiting for the grace time")
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return v1.Collections{}, ctx.Err()
		}
	}
}

// stopped is the error of the runs that stopped without a delete.
func stopped(all v1.Collections) error {
	var errs []error
	for _, x := range all.Value {
		if x.State == string(gallery.CollectionStopped) {
			errs = append(errs, fmt.Errorf("%s/%s slot %d: stopped without a delete: %s: %s", x.Region, x.Store, x.Slot, x.Reason, x.Message))
		}
	}
	return errors.Join(errs...)
}

func collectionTable(all v1.Collections) table {
	t := table{head: []string{"REGION", "STORE", "SLOT", "DOMAIN", "STATE", "LAST", "OBJECTS", "BYTES", "LIVE", "GARBAGE", "COMPACTED", "WHY"}}
	for _, x := range all.Value {
		state, why := x.State, "-"
		if x.Collecting != "" {
			state += " (at work)"
		}
		if x.Reason != "" {
			why = x.Reason + ": " + x.Message
		}
		if x.Held {
			why = "waits for an operator: " + why
		}
		last := "-"
		if !x.Ended.IsZero() {
			last = when(x.Ended)
		}
		t.add(x.Region, x.Store, fmt.Sprint(x.Slot), x.Domain[:min(8, len(x.Domain))], state, last, fmt.Sprint(x.Objects), size(x.Bytes), size(x.Live),
			size(x.GarbageBytes), size(x.Compacted), why)
	}
	if all.Off {
		t.add("", "", "", "", "collection is off", "", "", "", "", "", "", "turn it on: loggia operator collect on")
	}
	return t
}
