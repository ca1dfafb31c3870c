package main

import (
	"github.com/spf13/cobra"

	"loggia/api/client"
	"loggia/api/v1"
)

func (c *cli) galleryCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "gallery", Short: "Galleries"}
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: "List the galleries", Args: cobra.NoArgs, RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
			l, err := cl.Galleries(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(l.Value, galleryTable(l.Value...))
		})},
		&cobra.Command{Use: "show GALLERY", Short: "Show a gallery", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			g, err := cl.Gallery(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.print(g, galleryTable(g))
		})},
		c.galleryCreate(),
		&cobra.Command{Use: "delete GALLERY", Short: "Delete an empty gallery", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			return cl.DeleteGallery(cmd.Context(), args[0], client.Precondition{})
		})},
	)
	return cmd
}

func (c *cli) galleryCreate() *cobra.Command {
	var g v1.Gallery
	var tag []string
	var onlyNew bool
	cmd := &cobra.Command{Use: "create GALLERY", Short: "Create or change a gallery", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		g.Name = args[0]
		var err error
		if g.Tags, err = tags(tag); err != nil {
			return err
		}
		made, err := cl.PutGallery(cmd.Context(), g, client.Precondition{OnlyNew: onlyNew})
		if err != nil {
			return err
		}
		return c.print(made, galleryTable(made))
	})}
	f := cmd.Flags()
	f.StringVar(&g.Location, "location", "", "home region (default: the region of the node that answers)")
	f.StringVar(&g.Description, "description", "", "for people")
	f.StringSliceVar(&tag, "tag", nil, "KEY=VALUE")
	f.BoolVar(&onlyNew, "only-new", false, "fail if it exists (exit 5)")
	return cmd
}

func galleryTable(list ...v1.Gallery) table {
	t := table{head: []string{"GALLERY", "LOCATION", "DESCRIPTION", "UPDATED"}}
	for _, g := range list {
		t.add(g.Name, g.Location, dash(g.Description), when(g.Updated))
	}
	return t
}
