package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"loggia/api/client"
	"loggia/api/v1"
	"loggia/gallery"
)

func (c *cli) statusCommand() *cobra.Command {
	var watch bool
	cmd := &cobra.Command{Use: "status [GALLERY/IMAGE/VERSION]", Short: "Show every replica's state; --watch follows it", Args: cobra.MaximumNArgs(1)}
	cmd.Flags().BoolVar(&watch, "watch", false, "show each change until interrupted")
	cmd.RunE = c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		if len(args) == 1 {
			n, err := names(args[0], 3)
			if err != nil {
				return err
			}
			if watch {
				return c.follow(cmd.Context(), cl, args[0])
			}
			s, err := cl.VersionStatus(cmd.Context(), n[0], n[1], n[2])
			if err != nil {
				return err
			}
			return c.print(s, replicaTable(s))
		}
		if watch {
			return c.follow(cmd.Context(), cl, "")
		}
		s, err := cl.Status(cmd.Context())
		if err != nil {
			return err
		}
		return c.print(s, statusTable(s))
	})
	return cmd
}

// follow prints every change: one JSON object a line for programs, a line per region for people.
func (c *cli) follow(ctx context.Context, cl *client.Client, version string) error {
	return c.stream(ctx, cl, version, func(e v1.Event) error {
		if c.format == "json" {
			return c.line(e)
		}
		switch {
		case e.Type == "deleted":
			fmt.Fprintf(c.out, "%s  %s  deleted\n", time.Now().Format(time.TimeOnly), e.Key)
		case e.Version != nil:
			for _, r := range e.Version.Regions {
				fmt.Fprintf(c.out, "%s  %s  %s\n", time.Now().Format(time.TimeOnly), e.Key, regionBar(r).text())
			}
		}
		return nil
	})
}

// stream follows events and connects again, to another node too, when the stream breaks.
func (c *cli) stream(ctx context.Context, cl *client.Client, version string, fn func(v1.Event) error) error {
	broken := 0
	for {
		stop := errors.New("")
		err := cl.Events(ctx, version, func(e v1.Event) error {
			broken = 0
			if err := fn(e); err != nil {
				stop = err
				return err
			}
			return nil
		})
		if ctx.Err() != nil || errors.Is(err, stop) || errors.Is(err, gallery.ErrUnauthenticated) ||
			errors.Is(err, gallery.ErrNotFound) || errors.Is(err, gallery.ErrInvalid) {
			return err
		}
		if broken++; broken > 60 {
			return err
		}
		cl.Next()
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// regionBar sums a region's replicas up as one bar.
func regionBar(r v1.RegionStatus) bar {
	b := bar{name: r.Region, note: r.State}
	for _, p := range r.Replicas {
		b.total += p.Total
		b.done += p.Have + p.Sent
		b.rate += p.Rate
		b.eta = max(b.eta, time.Duration(p.ETA*float64(time.Second)))
		if p.Source != "" && p.State == "Replicating" {
			b.note = "from " + sourceText(p)
		}
		if p.Step != "" && p.Step != "copying" {
			b.note = stepText(p)
		}
		if p.ETANote != "" && p.State != "Completed" {
			b.note += ", " + p.ETANote
		}
		if p.Reason != "" && p.State != "Completed" && p.Paused == nil {
			b.note = p.Reason + ": " + p.LastError
		}
	}
	if r.State == "Completed" {
		b.done, b.rate, b.eta = b.total, 0, 0
	}
	return b
}

func replicaTable(list ...v1.VersionStatus) table {
	t := table{head: []string{"VERSION", "REGION", "STATE", "DISK", "SLOT", "STORE", "TOTAL", "THERE", "SENT", "LEFT", "RATE", "ETA", "SOURCE", "STEP", "RETRIES", "PRIORITY", "ERROR"}}
	for _, v := range list {
		for _, r := range v.Regions {
			for _, p := range r.Replicas {
				rate, eta, fault := "-", "-", "-"
				if p.Rate > 0 {
					rate = size(int64(p.Rate)) + "/s"
				}
				if p.ETA > 0 {
					eta = (time.Duration(p.ETA * float64(time.Second))).Round(time.Second).String()
				}
				if p.ETANote != "" {
					eta = strings.TrimPrefix(eta+" ", "- ") + "(" + p.ETANote + ")"
				}
				if p.Reason != "" {
					fault = p.Reason + ": " + p.LastError
				}
				t.add(v.Gallery+"/"+v.Image+"/"+v.Name, r.Region, p.State, lun(p.LUN), fmt.Sprint(p.Slot), p.Store,
					size(p.Total), size(p.Have), size(p.Sent), size(p.Left), rate, eta, dash(sourceText(p)), dash(stepText(p)), fmt.Sprint(p.Retries), dash(p.Priority), fault)
			}
		}
	}
	return t
}

// sourceText lists the sources in use, the one of the log's word where nobody tells of them.
func sourceText(p v1.Replica) string {
	var out []string
	for _, s := range p.Sources {
		switch {
		case s.Failed != "":
			out = append(out, s.Name+" failed")
		case len(p.Sources) == 1 || s.Rate < 1:
			out = append(out, s.Name)
		default:
			out = append(out, fmt.Sprintf("%s %s/s", s.Name, size(int64(s.Rate))))
		}
	}
	if len(out) == 0 {
		return p.Source
	}
	return strings.Join(out, ", ")
}

// stepText says what happens, or what comes next and when.
func stepText(p v1.Replica) string {
	text := p.Step
	switch {
	case p.Paused != nil:
		text += " since " + p.Paused.Since.Local().Format(time.TimeOnly)
		if p.Paused.By != "" {
			text += " by " + p.Paused.By
		}
	case !p.StepAt.IsZero():
		text += " at " + p.StepAt.Local().Format(time.TimeOnly)
	}
	if p.Age > 0 {
		text += fmt.Sprintf(" (%.0f s ago)", p.Age)
	}
	return text
}

func lun(n int) string {
	if n < 0 {
		return "os"
	}
	return fmt.Sprint(n)
}

func statusTable(s v1.Status) table {
	t := table{}
	t.add("cluster", s.Cluster)
	t.add("answered by", s.Node+" in "+s.Region)
	t.add("leader", dash(s.Leader))
	t.add("applied index", fmt.Sprint(s.Applied))
	t.add("members", fmt.Sprint(len(s.Members)))
	for _, r := range s.Regions {
		t.add("region "+r.Name, fmt.Sprintf("%d nodes, %d stores", r.Nodes, len(r.Stores)))
	}
	for _, r := range s.Regions {
		if text := collectionText(r.Collection); text != "" {
			t.add("collection in "+r.Name, text)
		}
		if text := checkText(r.Check); text != "" {
			t.add("check of "+r.Name, text)
		}
	}
	for _, l := range s.Limits {
		t.add("limit "+limitSide(l.From, l.FromNode)+"->"+limitSide(l.To, l.ToNode), l.Rate)
	}
	for _, v := range s.Versions {
		t.add("version "+v.Gallery+"/"+v.Image+"/"+v.Name, v.State)
		for _, r := range v.Regions {
			t.add("", regionBar(r).text())
		}
	}
	return t
}
