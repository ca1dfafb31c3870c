package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"loggia/api/client"
	"loggia/api/v1"
)

func (c *cli) versionCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "Image versions"}
	cmd.AddCommand(
		&cobra.Command{Use: "list GALLERY/IMAGE", Short: "List the versions of an image", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			n, err := names(args[0], 2)
			if err != nil {
				return err
			}
			l, err := cl.Versions(cmd.Context(), n[0], n[1])
			if err != nil {
				return err
			}
			return c.print(l.Value, versionTable(l.Value...))
		})},
		c.versionShow(), c.versionUpdate(), c.versionDelete(),
	)
	return cmd
}

func (c *cli) versionShow() *cobra.Command {
	var region string
	cmd := &cobra.Command{Use: "show GALLERY/IMAGE/VERSION", Short: "Show a version; VERSION may be latest", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		n, err := names(args[0], 3)
		if err != nil {
			return err
		}
		v, err := cl.Version(cmd.Context(), n[0], n[1], n[2], region)
		if err != nil {
			return err
		}
		return c.print(v, versionTable(v))
	})}
	cmd.Flags().StringVar(&region, "region", "", "region for which latest is resolved")
	return cmd
}

func (c *cli) versionUpdate() *cobra.Command {
	var regions, tag []string
	var exclude, allow, block bool
	var eol, ifMatch, priority, wait string
	cmd := &cobra.Command{Use: "update GALLERY/IMAGE/VERSION", Short: "Change target regions, replica counts, flags, end of life, tags", Args: cobra.ExactArgs(1)}
	f := cmd.Flags()
	f.StringSliceVar(&regions, "regions", nil, "the whole new list: REGION[=COUNT[=CLASS]],...")
	f.BoolVar(&exclude, "exclude-from-latest", false, "latest never means this version")
	f.BoolVar(&allow, "allow-removal", false, "regions that hold replicas may be dropped")
	f.BoolVar(&block, "block-deletion-before-end-of-life", false, "it cannot be deleted before its end of life")
	f.StringVar(&priority, "priority", "", "of its copies: high, normal or low")
	f.StringVar(&eol, "end-of-life", "", "RFC 3339 date and time, or a date")
	f.StringSliceVar(&tag, "tag", nil, "the whole new set: KEY=VALUE")
	f.StringVar(&ifMatch, "if-match", "", "only if the version still has this etag (else exit 5)")
	f.StringVar(&wait, "wait", "none", "until it is where it is wanted then: local, N, all or none")
	cmd.RunE = c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		n, err := names(args[0], 3)
		if err != nil {
			return err
		}
		g, err := parseWait(wait)
		if err != nil {
			return err
		}
		var p v1.VersionPatch
		if f.Changed("regions") {
			t, err := targets(regions)
			if err != nil {
				return err
			}
			if err := g.check(v1.Version{Gallery: n[0], Image: n[1], Name: n[2], TargetRegions: t}); err != nil {
				return err
			}
			p.TargetRegions = &t
		}
		if f.Changed("exclude-from-latest") {
			p.ExcludeFromLatest = &exclude
		}
		if f.Changed("priority") {
			p.Priority = &priority
		}
		if f.Changed("allow-removal") {
			p.AllowDeletionOfReplicas = &allow
		}
		if f.Changed("block-deletion-before-end-of-life") {
			p.BlockDeletionBeforeEOL = &block
		}
		if f.Changed("tag") {
			t, err := tags(tag)
			if err != nil {
				return err
			}
			p.Tags = &t
		}
		if eol != "" {
			t, err := date(eol)
			if err != nil {
				return err
			}
			p.EndOfLife = &t
		}
		v, err := cl.PatchVersion(cmd.Context(), n[0], n[1], n[2], p, client.Precondition{IfMatch: ifMatch})
		if err != nil {
			return err
		}
		return c.afterwards(cmd.Context(), cl, v, g)
	})
	return cmd
}

func (c *cli) versionDelete() *cobra.Command {
	var ifMatch string
	cmd := &cobra.Command{Use: "delete GALLERY/IMAGE/VERSION", Short: "Delete a version: unreadable everywhere at once", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		n, err := names(args[0], 3)
		if err != nil {
			return err
		}
		return cl.DeleteVersion(cmd.Context(), n[0], n[1], n[2], client.Precondition{IfMatch: ifMatch})
	})}
	cmd.Flags().StringVar(&ifMatch, "if-match", "", "only if the version still has this etag (else exit 5)")
	return cmd
}

func date(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usageError{fmt.Errorf("--end-of-life: %q: must be a date such as 2030-01-31 or RFC 3339", s)}
}

func versionTable(list ...v1.Version) table {
	t := table{head: []string{"VERSION", "STATE", "SIZE", "DISKS", "REGIONS", "LATEST", "PUBLISHED"}}
	for _, v := range list {
		var size64 int64
		for _, d := range v.Disks {
			size64 += d.Size
		}
		latest := "candidate"
		if v.ExcludeFromLatest {
			latest = "excluded"
		}
		t.add(v.Gallery+"/"+v.Image+"/"+v.Name, dash(v.State), size(size64), fmt.Sprint(len(v.Disks)), targetText(v.TargetRegions), latest, when(v.Published))
	}
	return t
}

func targetText(list []v1.TargetRegion) string {
	var out []string
	for _, r := range list {
		s := r.Name
		if r.ReplicaCount > 1 {
			s += fmt.Sprintf("=%d", r.ReplicaCount)
		}
		out = append(out, s)
	}
	return strings.Join(out, ",")
}
