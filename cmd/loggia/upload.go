package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"loggia/api/client"
	"loggia/api/v1"
	"loggia/gallery"
	"loggia/transfer/buffer"
	"loggia/transfer/known"
	"loggia/transfer/publish"
)

func (c *cli) uploadCommand() *cobra.Command {
	s := v1.Snapshot{}
	var flags imageFlags
	var tag []string
	var fresh bool
	cmd := &cobra.Command{Use: "upload FILE --name NAME", Short: "Upload a disk image as a snapshot", Args: cobra.ExactArgs(1),
		Long: `Upload a disk image (raw, qcow2, VHD, VHDX, VMDK; also compressed by xz, gzip or zstd) as a snapshot of a
resource group, from which versions are made:
az sig image-version create --os-snapshot NAME, or --os-snapshot of any Azure client. Interrupted at any
moment, the same command goes on where it was.`}
	f := cmd.Flags()
	f.StringVar(&s.Name, "name", "", "name of the snapshot")
	f.StringVarP(&s.ResourceGroup, "resource-group", "g", gallery.DefaultGroup, "resource group")
	f.StringVar(&s.Location, "location", "", "region (default: of the node that is asked)")
	f.StringVar(&s.OSType, "os-type", "Linux", "Linux or Windows")
	f.StringVar(&s.Generation, "hyper-v-generation", "V2", "V1 or V2")
	flags.add(cmd)
	f.StringSliceVar(&tag, "tag", nil, "KEY=VALUE")
	f.BoolVar(&fresh, "fresh", false, "forget an interrupted upload of the same file and begin anew")
	_ = cmd.MarkFlagRequired("name")
	cmd.RunE = c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		var err error
		if s.Tags, err = tags(tag); err != nil {
			return err
		}
		return c.uploadSnapshot(cmd.Context(), cl, args[0], flags, fresh, s)
	})
	return cmd
}

func (c *cli) uploadSnapshot(ctx context.Context, cl *client.Client, file string, flags imageFlags, fresh bool, s v1.Snapshot) error {
	disk, err := c.openImage(ctx, file, flags)
	if err != nil {
		return err
	}
	defer disk.Close()
	at, err := here(ctx, cl, "upload")
	if err != nil {
		return err
	}
	if s.Location == "" {
		s.Location = at.region
	}
	key := []string{"snapshot", s.ResourceGroup, s.Name}
	src := source{lun: gallery.LUNOS, path: file, disk: disk}
	target := "/subscriptions/" + at.subscription + "/resourceGroups/" + s.ResourceGroup + "/providers/Microsoft.Compute/snapshots/" + s.Name
	if s.Disk, err = c.send(ctx, cl, sending{name: "upload", source: src, key: key, fresh: fresh, request: v1.UploadRequest{Target: target}}); err != nil {
		return err
	}
	made, err := cl.PutSnapshot(ctx, s, client.Precondition{})
	if err != nil {
		return err
	}
	if err := forgetUpload(src, key); err != nil {
		return err
	}
	return c.print(made, snapshotTable(made))
}

func snapshotTable(s v1.Snapshot) table {
	return table{head: []string{"GROUP", "NAME", "LOCATION", "SIZE", "STATE"},
		rows: [][]string{{s.ResourceGroup, s.Name, s.Location, size(s.Size), s.State}}}
}

// sending is one disk on its way to a node.
type sending struct {
	name    string // what is shown before its progress
	source  source
	key     []string // what the upload is for: an interrupted one is found by it
	fresh   bool
	sha256  bool
	request v1.UploadRequest // without its id and size
}

// send uploads one disk and returns it.
func (c *cli) send(ctx context.Context, cl *client.Client, s sending) (string, error) {
	id, err := uploadID(s.source, s.key, s.fresh)
	if err != nil {
		return "", err
	}
	s.request.ID, s.request.Size = id, s.source.disk.Size()
	b := newBoard(c.err)
	started := time.Now()
	nodes := known.NewRecorder()
	opts := publish.Options{Pool: buffer.New(clientBuffers), SHA256: s.sha256, Nodes: nodes.Put, Progress: func(p publish.Progress) {
		shown := bar{name: s.name, done: p.BytesRead, total: p.Total, note: size(p.SentStored) + " sent"}
		shown.pace(time.Since(started))
		b.set(shown)
	}}
	u, res, err := cl.PublishDisk(ctx, s.request, s.source.disk, opts, func(note string) { b.set(bar{name: s.name, note: note}) })
	b.close()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", s.name, s.source.path, err)
	}
	if !res.Root.IsZero() { // else an earlier call had done it all
		remember(ctx, nodes, s.source.disk.guard.Stamp(), res.Root)
	}
	fmt.Fprintf(c.err, "%s: %s of data, sent %s in %s\n", s.source.path, size(res.Data), size(res.SentStored), time.Since(started).Round(100*time.Millisecond))
	return u.Disk, nil
}
