package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"loggia/api/client"
	"loggia/api/v1"
	"loggia/gallery"
	"loggia/internal/digest"
	"loggia/transfer/buffer"
	"loggia/transfer/known"
	"loggia/transfer/publish"
	"loggia/transfer/pull"
)

func (c *cli) pullCommand() *cobra.Command {
	var out, seed, disk, region string
	var links bool
	var as outputFlags
	cmd := &cobra.Command{Use: "pull GALLERY/IMAGE/VERSION", Short: "Write a disk of a version to a file or device, verified; VERSION may be latest", Args: cobra.ExactArgs(1),
		Long: `Write a disk of a version to a sparse file, or over a block device, and verify every byte of it.
What --seed (an older image of any format) already holds is not fetched. Interrupted, the same
command goes on where it was. With --links the bytes come from the region's store itself, by links that the node gives
and that run out within minutes; what the store does not give comes through the node. A qcow2 or VHD is written as its bytes arrive; one with --compress from a
raw file beside it, which needs room for both.`}
	f := cmd.Flags()
	f.StringVarP(&out, "output", "o", "", "file or block device to write")
	f.StringVar(&seed, "seed", "", "older image that may hold some of the content")
	f.BoolVar(&links, "links", false, "fetch from the region's store by short-lived links, and through the node what has none")
	as.add(cmd)
	f.StringVar(&disk, "disk", "os", "os, or the LUN of a data disk")
	f.StringVar(&region, "region", "", "region for which latest is resolved (default: of the node that answers)")
	cmd.RunE = c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		n, err := names(args[0], 3)
		if err != nil {
			return err
		}
		if out == "" {
			return usageError{errors.New("--output: name the file to write")}
		}
		if err := as.check(out); err != nil {
			return err
		}
		v, err := cl.Version(cmd.Context(), n[0], n[1], n[2], region)
		if err != nil {
			return err
		}
		return c.pull(cmd.Context(), cl, v, pulling{disk: disk, out: out, seed: seed, links: links, as: as})
	})
	return cmd
}

// findDisk returns the disk of that name.
func findDisk(v v1.Version, name string) (v1.Disk, error) {
	for _, d := range v.Disks {
		if lun(d.LUN) == name {
			return d, nil
		}
	}
	return v1.Disk{}, &gallery.Error{Kind: gallery.ErrNotFound, Resource: v.Gallery + "/" + v.Image + "/" + v.Name, Message: "has no disk " + name}
}

// pulling is what is pulled to where, and how.
type pulling struct {
	disk  string // its name
	out   string
	seed  string // "" for none
	links bool   // past the node
	as    outputFlags
}

func (c *cli) pull(ctx context.Context, cl *client.Client, v v1.Version, q pulling) error {
	d, err := findDisk(v, q.disk)
	if err != nil {
		return err
	}
	root, err := digest.Parse(d.Root)
	if err != nil {
		return fmt.Errorf("root of the disk: %w", err)
	}
	var older *openDisk
	if q.seed != "" {
		s, err := c.openImage(ctx, q.seed, imageFlags{})
		if err != nil {
			return fmt.Errorf("--seed: %w", err)
		}
		defer s.Close()
		older = &s
	}
	// Writes past the page cache wait for the disk in the kernel, and the runtime gives the processor of one that does so away only after
	// a while: with twice as many there is always another.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2 * runtime.GOMAXPROCS(0)))
	b := newBoard(c.err)
	started := time.Now()
	nodes := known.NewRecorder()
	opts := pull.Options{Root: root, Out: q.out, TempDir: filepath.Dir(q.out), Nodes: nodes.Put, Progress: func(p pull.Progress) {
		shown := bar{name: "pull", done: p.Done(), total: p.Total, note: size(p.Wire) + " fetched"}
		shown.pace(time.Since(started))
		b.set(shown)
	}}
	if older != nil {
		opts.Seed, opts.Known = older, knownChunks(older.guard.Stamp())
	}
	q.as.apply(&opts, v, root)
	src := cl.Disk(v.Gallery, v.Image, v.Name, d.LUN)
	var direct *client.Direct
	if q.links {
		direct = src.Direct()
		defer direct.Close()
		opts.Direct = direct
	}
	p, err := pull.Run(ctx, src, opts)
	b.close()
	if errors.Is(err, pull.ErrVerification) {
		err = &gallery.Error{Kind: gallery.ErrVerification, Op: "pull", Err: err}
	}
	if err != nil {
		return err
	}
	rememberFile(ctx, nodes, q.out, root)
	took, wire := time.Since(started), size(p.Wire)+" on the wire"
	if direct != nil {
		wire += ": " + size(p.Direct) + " by links, " + size(p.Wire-p.Direct) + " through the node"
	}
	fmt.Fprintf(c.err, "%s: %s of data verified in %s: %s fetched (%s), %s at hand, %s resumed\n", q.out, size(p.Total),
		took.Round(10*time.Millisecond), size(p.Fetched), wire, size(p.Seeded), size(p.Resumed))
	if direct != nil && direct.Trouble() != nil {
		fmt.Fprintf(c.err, "links: %v; the node gave what they did not\n", direct.Trouble())
	}
	return nil
}

func (c *cli) verifyCommand() *cobra.Command {
	var flags imageFlags
	var disk, region string
	var check v1.CheckRequest
	cmd := &cobra.Command{Use: "verify FILE [GALLERY/IMAGE/VERSION] | --region REGION", Short: "Hold a local image against a version, or a region's stores against the cluster's state", Args: cobra.MaximumNArgs(2),
		Long: `With a file: compute its identity and hold it against a version's.

With --region: check the region's stores. Every manifest is walked, every pack is read, and every object is named that is lost, damaged
or orphaned. Ends with 9 where something is lost, damaged or unknown; what is orphaned goes with the next collection. With --repair the
copies concerned are made whole again from others.`}
	cmd.Flags().StringVar(&region, "region", "", "check the stores of this region")
	cmd.Flags().StringVar(&check.Store, "store", "", "with --region: one of its stores (default: all)")
	cmd.Flags().BoolVar(&check.Quick, "quick", false, "with --region: look at existence and lengths only")
	cmd.Flags().BoolVar(&check.Repair, "repair", false, "with --region: make copies whole again from others")
	flags.add(cmd)
	cmd.Flags().StringVar(&disk, "disk", "os", "os, or the LUN of a data disk")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case region != "" && len(args) > 0, region == "" && (len(args) == 0 || check != v1.CheckRequest{}):
			return usageError{errors.New("name a file, or --region with its options")}
		case region != "":
			return c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
				return c.checkRegion(cmd.Context(), cl, region, check)
			})(cmd, args)
		}
		d, err := c.openImage(cmd.Context(), args[0], flags)
		if err != nil {
			return err
		}
		defer d.Close()
		res, err := publish.Root(cmd.Context(), d, publish.Options{Pool: buffer.New(clientBuffers), TempDir: os.TempDir()})
		if err != nil {
			return err
		}
		if len(args) == 1 {
			return c.print(map[string]any{"root": res.Root.String(), "size": res.Size, "data": res.Data},
				table{rows: [][]string{{res.Root.String(), args[0]}}})
		}
		cl, err := c.client()
		if err != nil {
			return err
		}
		defer cl.Close()
		return c.compare(cmd.Context(), cl, args, disk, res)
	}
	return cmd
}

func (c *cli) compare(ctx context.Context, cl *client.Client, args []string, name string, res publish.Result) error {
	n, err := names(args[1], 3)
	if err != nil {
		return err
	}
	v, err := cl.Version(ctx, n[0], n[1], n[2], "")
	if err != nil {
		return err
	}
	d, err := findDisk(v, name)
	if err != nil {
		return err
	}
	if d.Root != res.Root.String() {
		return &gallery.Error{Kind: gallery.ErrVerification, Op: "verify", Resource: args[0],
			Message: fmt.Sprintf("root %s is not that of %s (%s)", res.Root, args[1], d.Root)}
	}
	return c.print(map[string]any{"root": d.Root, "equal": true}, table{rows: [][]string{{"equal", d.Root, args[0]}}})
}
