package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"loggia/api/client"
	"loggia/api/v1"
)

// goal says when waiting ends: when local, n or all of the regions have the version.
type goal struct {
	local bool
	all   bool
	n     int
}

// parseWait reads a flag that says how long a command waits for what it did; the zero goal: not at all.
func parseWait(s string) (goal, error) {
	if s == "none" {
		return goal{}, nil
	}
	return parseGoal("--wait", s)
}

func parseGoal(flag, s string) (goal, error) {
	switch s {
	case "local":
		return goal{local: true}, nil
	case "all":
		return goal{all: true}, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return goal{}, usageError{fmt.Errorf("%s: %q: must be local, all or a number of regions", flag, s)}
	}
	return goal{n: n}, nil
}

// reached says whether the goal is met, and failed which regions keep it from being met.
func (g goal) reached(s v1.VersionStatus, home string) (done bool, failed []string) {
	completed := 0
	for _, r := range s.Regions {
		switch r.State {
		case "Completed":
			completed++
			if g.local && r.Region == home {
				return true, nil
			}
		case "Failed":
			failed = append(failed, r.Region)
		}
	}
	if g.all {
		return completed == len(s.Regions), failed
	}
	if g.local {
		return false, failed
	}
	return completed >= g.n, failed
}

// check refuses a number that the version's target regions can never reach.
func (g goal) check(v v1.Version) error {
	if n := len(v.TargetRegions); g.n > n {
		return usageError{fmt.Errorf("%d regions: %s/%s/%s is wanted in %d", g.n, v.Gallery, v.Image, v.Name, n)}
	}
	return nil
}

func (c *cli) waitCommand() *cobra.Command {
	var target string
	var timeout time.Duration
	var patient bool
	cmd := &cobra.Command{Use: "wait GALLERY/IMAGE/VERSION", Short: "Wait until a version is where it is wanted", Args: cobra.ExactArgs(1),
		Long: `Wait until a version is where it is wanted, showing progress.

Ends with 6 as soon as a region has failed and the rest is done; the regions go on trying all the
same. With --through-failures it waits on. Interrupting the wait stops nothing.`}
	f := cmd.Flags()
	f.StringVar(&target, "for", "all", "local (the home region), a number of regions, or all")
	f.DurationVar(&timeout, "timeout", 0, "give up after this long (exit 6)")
	f.BoolVar(&patient, "through-failures", false, "a failed region is waited for, too: it is retried for ever")
	cmd.RunE = c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		n, err := names(args[0], 3)
		if err != nil {
			return err
		}
		g, err := parseGoal("--for", target)
		if err != nil {
			return err
		}
		ctx := cmd.Context()
		if timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%w: not done within %v", errSomeFailed, timeout))
			defer cancel()
		}
		v, err := cl.Version(ctx, n[0], n[1], n[2], "")
		if err != nil {
			return err
		}
		s, err := c.wait(ctx, cl, v, g, patient)
		if err != nil {
			return err
		}
		if c.format == "json" || c.format == "yaml" {
			return c.print(s, table{})
		}
		return nil
	})
	return cmd
}

// errReached ends the stream of events from inside.
var errReached = errors.New("reached")

// wait shows progress until the version meets the goal. It fails with errSomeFailed where a region failed and
// no other is still at work.
func (c *cli) wait(ctx context.Context, cl *client.Client, v v1.Version, g goal, patient bool) (v1.VersionStatus, error) {
	if err := g.check(v); err != nil {
		return v1.VersionStatus{}, err
	}
	b := newBoard(c.err)
	defer b.close()
	var last v1.VersionStatus
	err := c.stream(ctx, cl, v.Gallery+"/"+v.Image+"/"+v.Name, func(e v1.Event) error {
		if e.Type == "deleted" {
			return fmt.Errorf("%s was deleted meanwhile: %w", e.Key, errSomeFailed)
		}
		if e.Version == nil {
			return nil
		}
		last = *e.Version
		for _, r := range last.Regions {
			b.set(regionBar(r))
		}
		done, failed := g.reached(last, v.Location)
		if done {
			return errReached
		}
		if len(failed) > 0 && !patient && settled(last) {
			return fmt.Errorf("%w: %v; they go on trying (loggia status %s)", errSomeFailed, failed, e.Key)
		}
		return nil
	})
	if errors.Is(err, errReached) {
		return last, nil
	}
	if ctx.Err() != nil {
		return last, context.Cause(ctx)
	}
	return last, err
}

// afterwards waits until a version that was written meets the goal, and prints it.
func (c *cli) afterwards(ctx context.Context, cl *client.Client, v v1.Version, g goal) error {
	if g != (goal{}) {
		if _, err := c.wait(ctx, cl, v, g, false); err != nil {
			return err
		}
		var err error
		if v, err = cl.Version(ctx, v.Gallery, v.Image, v.Name, ""); err != nil {
			return err
		}
	}
	return c.print(v, versionTable(v))
}

// settled says whether no region is still at work.
func settled(s v1.VersionStatus) bool {
	for _, r := range s.Regions {
		if r.State != "Completed" && r.State != "Failed" {
			return false
		}
	}
	return true
}

// line prints v as one line of JSON.
func (c *cli) line(v any) error { return json.NewEncoder(c.out).Encode(v) }
