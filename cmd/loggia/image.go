package main

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"

	"loggia/api/client"
	"loggia/api/v1"
)

func (c *cli) imageCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "image", Short: "Image definitions"}
	cmd.AddCommand(
		&cobra.Command{Use: "list GALLERY", Short: "List the image definitions of a gallery", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			l, err := cl.Images(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.print(l.Value, imageTable(l.Value...))
		})},
		&cobra.Command{Use: "show GALLERY/IMAGE", Short: "Show an image definition", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			n, err := names(args[0], 2)
			if err != nil {
				return err
			}
			i, err := cl.Image(cmd.Context(), n[0], n[1])
			if err != nil {
				return err
			}
			return c.print(i, imageTable(i))
		})},
		c.imageCreate(),
		&cobra.Command{Use: "delete GALLERY/IMAGE", Short: "Delete an image definition that has no versions", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			n, err := names(args[0], 2)
			if err != nil {
				return err
			}
			return cl.DeleteImage(cmd.Context(), n[0], n[1], client.Precondition{})
		})},
	)
	return cmd
}

func (c *cli) imageCreate() *cobra.Command {
	var i v1.Image
	var tag []string
	var onlyNew bool
	cmd := &cobra.Command{Use: "create GALLERY/IMAGE", Short: "Create or change an image definition", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		n, err := names(args[0], 2)
		if err != nil {
			return err
		}
		i.Gallery, i.Name = n[0], n[1]
		if i.Tags, err = tags(tag); err != nil {
			return err
		}
		identify(&i)
		made, err := cl.PutImage(cmd.Context(), i, client.Precondition{OnlyNew: onlyNew})
		if err != nil {
			return err
		}
		return c.print(made, imageTable(made))
	})}
	f := cmd.Flags()
	f.StringVar(&i.Location, "location", "", "home region (default: the gallery's)")
	f.StringVar(&i.OSType, "os-type", "Linux", "Linux or Windows")
	f.StringVar(&i.OSState, "os-state", "Generalized", "Generalized or Specialized")
	f.StringVar(&i.Publisher, "publisher", "", "publisher (default: the gallery's name)")
	f.StringVar(&i.Offer, "offer", "", "offer (default: the image's name, its first 64 letters)")
	f.StringVar(&i.SKU, "sku", "", "sku (default: the rest of that name, or default); publisher, offer and sku together are unique in a gallery")
	f.StringVar(&i.HyperVGeneration, "generation", "V2", "V1 or V2")
	f.StringVar(&i.Architecture, "architecture", "x64", "x64 or Arm64")
	f.StringVar(&i.Description, "description", "", "for people")
	f.StringSliceVar(&tag, "tag", nil, "KEY=VALUE")
	f.BoolVar(&onlyNew, "only-new", false, "fail if it exists (exit 5)")
	return cmd
}

// maxOffer is how long an offer may be, in bytes; an image's name may be longer.
const maxOffer = 64

// identify gives an image what it lacks of publisher, offer and sku: together they say its gallery's name and its own.
func identify(i *v1.Image) {
	i.Publisher = cmp.Or(i.Publisher, i.Gallery)
	if i.Offer == "" {
		i.Offer = i.Name
		if len(i.Offer) > maxOffer {
			i.Offer = strings.TrimRight(i.Offer[:maxOffer], ".")
			i.SKU = cmp.Or(i.SKU, i.Name[len(i.Offer):])
		}
	}
	i.SKU = cmp.Or(i.SKU, "default")
}

func imageTable(list ...v1.Image) table {
	t := table{head: []string{"IMAGE", "OS", "STATE", "GENERATION", "ARCHITECTURE", "PUBLISHER/OFFER/SKU", "UPDATED"}}
	for _, i := range list {
		t.add(i.Gallery+"/"+i.Name, i.OSType, i.OSState, i.HyperVGeneration, i.Architecture, i.Publisher+"/"+i.Offer+"/"+i.SKU, when(i.Updated))
	}
	return t
}
