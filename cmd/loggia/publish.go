package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"loggia/api/client"
	"loggia/api/manage"
	"loggia/api/v1"
	"loggia/gallery"
)

// publishOptions is what the user asked of a publish.
type publishOptions struct {
	regions  []string
	disks    []string // LUN=FILE
	image    imageFlags
	base     []string
	wait     string
	location string
	tag      []string
	sha256   bool
	exclude  bool
	fresh    bool
	priority string
}

func (c *cli) publishCommand() *cobra.Command {
	var o publishOptions
	cmd := &cobra.Command{Use: "publish FILE GALLERY/IMAGE/VERSION", Short: "Publish a disk image as a version", Args: cobra.ExactArgs(2),
		Long: `Publish a disk image (raw, qcow2, VHD, VHDX, VMDK; also compressed by xz, gzip or zstd) as a version of
an image, and wait until it is where it is wanted. Only what the named base versions do not hold is sent. Gallery and image definition are made
where they are missing (Linux, Generalized, V2, x64: make them first for anything else).

Interrupted at any moment, the same command goes on where it was. The wait may be interrupted, too:
replication does not depend on it.`}
	f := cmd.Flags()
	f.StringSliceVar(&o.regions, "regions", nil, "REGION[=COUNT[=CLASS]],... (default: the region of the node that is asked)")
	f.StringSliceVar(&o.disks, "data-disk", nil, "LUN=FILE, may be repeated")
	o.image.add(cmd)
	f.StringSliceVar(&o.base, "base", nil, "versions whose chunks need not be sent (default: the newest of the image)")
	f.StringVar(&o.wait, "wait", "all", "local, N, all or none")
	f.StringVar(&o.location, "location", "", "home region (default: the region of the node that is asked)")
	f.StringSliceVar(&o.tag, "tag", nil, "KEY=VALUE")
	f.BoolVar(&o.sha256, "sha256", false, "also compute and keep the flat SHA-256 of each disk (serial, slower)")
	f.BoolVar(&o.exclude, "exclude-from-latest", false, "latest never means this version")
	f.StringVar(&o.priority, "priority", "", "of its copies: high, normal or low (default: normal)")
	f.BoolVar(&o.fresh, "fresh", false, "forget an interrupted publish of the same file and begin anew")
	cmd.RunE = c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		n, err := names(args[1], 3)
		if err != nil {
			return err
		}
		return c.publish(cmd.Context(), cl, args[0], n, o)
	})
	return cmd
}

// source is one disk to publish.
type source struct {
	lun  int
	path string
	disk openDisk
}

func (c *cli) publish(ctx context.Context, cl *client.Client, file string, n []string, o publishOptions) error {
	v, err := c.intent(n, o)
	if err != nil {
		return err
	}
	if _, err := parseWait(o.wait); err != nil {
		return err
	}
	sources, err := c.openSources(ctx, file, o)
	if err != nil {
		return err
	}
	defer func() {
		for _, s := range sources {
			s.disk.Close()
		}
	}()
	if err := c.prepare(ctx, cl, &v, sources, &o); err != nil {
		return err
	}
	return c.publishAll(ctx, cl, v, sources, n, o, "")
}

// publishAll uploads the disks of a version, makes it, and waits until it is where it is wanted.
func (c *cli) publishAll(ctx context.Context, cl *client.Client, v v1.Version, sources []source, n []string, o publishOptions, kind string) error {
	target, err := versionID(ctx, cl, v)
	if err != nil {
		return err
	}
	g, err := parseWait(o.wait)
	if err != nil {
		return err
	}
	for _, s := range sources {
		disk, err := c.send(ctx, cl, sending{name: "publish " + lun(s.lun), source: s, key: n, fresh: o.fresh, sha256: o.sha256,
			request: v1.UploadRequest{Kind: kind, Base: o.base, Target: target}})
		if err != nil {
			return err
		}
		v.Disks = append(v.Disks, v1.Disk{LUN: s.lun, Disk: disk})
	}
	made, err := cl.PutVersion(ctx, v, client.Precondition{OnlyNew: true})
	if err != nil {
		return err
	}
	for _, s := range sources {
		if err := forgetUpload(s, n); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.err, "%s is durable in %s\n", strings.Join(n, "/"), made.Location)
	return c.afterwards(ctx, cl, made, g)
}

// versionID is the id of a version in Azure's terms: the right to write it is what an upload for it needs.
func versionID(ctx context.Context, cl *client.Client, v v1.Version) (string, error) {
	g, err := cl.Gallery(ctx, v.Gallery)
	if err != nil {
		return "", err
	}
	kind, name := "images", v.Image
	if app, ok := strings.CutPrefix(v.Image, "@"); ok {
		kind, name = "applications", app
	}
	return g.ID + "/" + kind + "/" + name + "/versions/" + v.Name, nil
}

// intent is the version as it was asked for, without its disks.
func (c *cli) intent(n []string, o publishOptions) (v1.Version, error) {
	v := v1.Version{Gallery: n[0], Image: n[1], Name: n[2], Location: o.location, ExcludeFromLatest: o.exclude, Priority: o.priority}
	var err error
	if _, err := gallery.ParseVersion(n[2]); err != nil {
		return v, err
	}
	if v.TargetRegions, err = targets(o.regions); err != nil {
		return v, err
	}
	v.Tags, err = tags(o.tag)
	return v, err
}

func (c *cli) openSources(ctx context.Context, file string, o publishOptions) ([]source, error) {
	list := []source{{lun: gallery.LUNOS, path: file}}
	for _, item := range o.disks {
		lun, path, ok := strings.Cut(item, "=")
		k, err := strconv.Atoi(lun)
		if !ok || err != nil || k < 0 || k > gallery.MaxLUN {
			return nil, usageError{fmt.Errorf("--data-disk: %q: must be LUN=FILE, LUN 0 to %d", item, gallery.MaxLUN)}
		}
		list = append(list, source{lun: k, path: path})
	}
	for i := range list {
		d, err := c.openImage(ctx, list[i].path, o.image)
		if err != nil {
			for _, s := range list[:i] {
				s.disk.Close()
			}
			return nil, err
		}
		list[i].disk = d
	}
	// A version has its disks in the order of their LUNs, however they were named.
	slices.SortStableFunc(list, func(a, b source) int { return cmp.Compare(a.lun, b.lun) })
	return list, nil
}

// prepare makes gallery and image where they are missing, refuses a version that exists, and picks
// the base. It asks for all of it before a byte is sent.
func (c *cli) prepare(ctx context.Context, cl *client.Client, v *v1.Version, sources []source, o *publishOptions) error {
	image := v1.Image{Gallery: v.Gallery, Name: v.Image, OSType: "Linux", OSState: "Generalized", HyperVGeneration: "V2", Architecture: "x64"}
	identify(&image)
	err := c.prepareWith(ctx, cl, v, sources, o, image)
	if err == nil && o.base == nil {
		o.base, err = newest(ctx, cl, v)
	}
	return err
}

// prepareWith is prepare for a definition.
func (c *cli) prepareWith(ctx context.Context, cl *client.Client, v *v1.Version, sources []source, o *publishOptions, definition v1.Image) error {
	at, err := here(ctx, cl, "publish")
	if err != nil {
		return err
	}
	if v.Location == "" {
		v.Location = at.region
	}
	if len(v.TargetRegions) == 0 {
		v.TargetRegions = []v1.TargetRegion{{Name: v.Location}}
	}
	if err := checkTargets(v, at.regions); err != nil {
		return err
	}
	if err := checkRules(*v, sources, o, definition); err != nil {
		return err
	}
	if err := ignoreConflict(cl.PutGallery(ctx, v1.Gallery{Name: v.Gallery, Location: v.Location}, client.Precondition{OnlyNew: true})); err != nil {
		return err
	}
	if err := ignoreConflict(cl.PutImage(ctx, definition, client.Precondition{OnlyNew: true})); err != nil {
		return err
	}
	_, err = cl.Version(ctx, v.Gallery, v.Image, v.Name, "")
	if err == nil {
		return &gallery.Error{Kind: gallery.ErrConflict, Op: "publish", Resource: v.Gallery + "/" + v.Image + "/" + v.Name, Message: "exists already; versions never change their disks"}
	}
	if !errors.Is(err, gallery.ErrNotFound) {
		return err
	}
	return nil
}

// checkTargets refuses target regions that the cluster would refuse after the upload.
func checkTargets(v *v1.Version, regions []v1.Region) error {
	var known []string
	for _, r := range regions {
		known = append(known, r.Name)
	}
	home := false
	for i, t := range v.TargetRegions {
		field := fmt.Sprintf("targetRegions[%d].name", i)
		name, err := gallery.ParseRegionName(t.Name)
		if err != nil {
			return err
		}
		if len(known) > 0 && !slices.Contains(known, string(name)) {
			return &gallery.Error{Kind: gallery.ErrInvalid, Op: "publish", Field: field, Message: fmt.Sprintf("%q is no region of this cluster (%s)", t.Name, strings.Join(known, ", "))}
		}
		home = home || name == gallery.NormalizeRegion(v.Location)
	}
	if !home {
		return &gallery.Error{Kind: gallery.ErrInvalid, Op: "publish", Field: "targetRegions", Message: fmt.Sprintf("must contain the version's own location %q", v.Location)}
	}
	return nil
}

// checkRules refuses what breaks a rule before anything is made or sent.
func checkRules(v v1.Version, sources []source, o *publishOptions, definition v1.Image) error {
	v.Disks = nil
	for _, s := range sources {
		v.Disks = append(v.Disks, v1.Disk{LUN: s.lun})
	}
	if err := manage.Check(v); err != nil {
		return err
	}
	if err := manage.CheckImage(definition); err != nil {
		return err
	}
	for _, b := range o.base {
		if _, err := names(b, 3); err != nil {
			return fmt.Errorf("--base: %w", err)
		}
	}
	g, err := parseWait(o.wait)
	if err != nil {
		return err
	}
	return g.check(v)
}

// ignoreConflict drops the answer that a thing exists already, or is not the caller's to make: what comes next says
// whether it is there.
func ignoreConflict[T any](_ T, err error) error {
	if errors.Is(err, gallery.ErrPrecondition) || errors.Is(err, gallery.ErrConflict) || errors.Is(err, gallery.ErrForbidden) {
		return nil
	}
	return err
}

// maxBases is how many versions are named as a base where the user names none: a rebuild is like the
// newest one, an upgrade in place like the one it began from.
const maxBases = 3

// newest names the versions of the image with the highest numbers, if there are any.
func newest(ctx context.Context, cl *client.Client, v *v1.Version) ([]string, error) {
	all, err := cl.Versions(ctx, v.Gallery, v.Image)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, old := range all.Value[max(0, len(all.Value)-maxBases):] {
		out = append(out, old.Gallery+"/"+old.Image+"/"+old.Name)
	}
	return out, nil
}

// clientBuffers is the memory of the CLI's transfers, in bytes.
const clientBuffers = 64 << 20
