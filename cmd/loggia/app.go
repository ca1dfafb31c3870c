package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"loggia/api/client"
	"loggia/api/v1"
	"loggia/diskformat"
	"loggia/gallery"
)

// appName turns GALLERY/APP[/VERSION] into what the API calls it: applications are written with @ before the name.
func appName(arg string, n int) ([]string, error) {
	p, err := names(arg, n)
	if err != nil {
		return nil, err
	}
	p[1] = "@" + strings.TrimPrefix(p[1], "@")
	return p, nil
}

func (c *cli) appCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "app", Short: "VM applications",
		Long: `VM applications: packages with their default configuration, published, replicated and verified like images. Other
commands name an application GALLERY/@APP/VERSION: loggia status, wait, version.`}
	cmd.AddCommand(c.appCreate(), c.appPublish(), c.appPull(),
		&cobra.Command{Use: "delete GALLERY/APP", Short: "Delete an application that has no versions", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			n, err := appName(args[0], 2)
			if err != nil {
				return err
			}
			return cl.DeleteImage(cmd.Context(), n[0], n[1], client.Precondition{})
		})})
	return cmd
}

func (c *cli) appCreate() *cobra.Command {
	var i v1.Image
	var tag []string
	cmd := &cobra.Command{Use: "create GALLERY/APP", Short: "Create or change an application definition", Args: cobra.ExactArgs(1)}
	f := cmd.Flags()
	f.StringVar(&i.OSType, "os-type", "Linux", "Linux or Windows")
	f.StringVar(&i.Description, "description", "", "")
	f.StringVar(&i.Location, "location", "", "region (default: the gallery's)")
	f.StringSliceVar(&tag, "tag", nil, "KEY=VALUE")
	cmd.RunE = c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		n, err := appName(args[0], 2)
		if err != nil {
			return err
		}
		i.Gallery, i.Name = n[0], n[1]
		if i.Tags, err = tags(tag); err != nil {
			return err
		}
		made, err := cl.PutImage(cmd.Context(), i, client.Precondition{})
		if err != nil {
			return err
		}
		return c.print(made, imageTable(made))
	})
	return cmd
}

// appOptions is what the user asked of an application's publish.
type appOptions struct {
	publishOptions
	config string
	app    v1.App
	osType string
}

func (c *cli) appPublish() *cobra.Command {
	var o appOptions
	cmd := &cobra.Command{Use: "publish PACKAGE GALLERY/APP/VERSION", Short: "Publish a package as a version of an application", Args: cobra.ExactArgs(2),
		Long: `Publish a package (any file), and perhaps a default configuration, as a version of an application, and wait
until it is where it is wanted. Gallery and application are made where they are missing. Interrupted, the same command goes on where it was.`}
	f := cmd.Flags()
	f.StringVar(&o.config, "config", "", "file with the default configuration")
	f.StringVar(&o.app.Install, "install", "", "command that installs it")
	f.StringVar(&o.app.Remove, "remove", "", "command that removes it")
	f.StringVar(&o.app.Update, "update", "", "command that updates it (default: remove, then install)")
	f.StringVar(&o.app.PackageFile, "package-file-name", "", "name that the package gets on the machine")
	f.StringVar(&o.app.ConfigFile, "config-file-name", "", "name that the configuration gets on the machine")
	f.StringVar(&o.osType, "os-type", "Linux", "Linux or Windows, for an application that is made")
	f.StringSliceVar(&o.regions, "regions", nil, "REGION[=COUNT[=CLASS]],... (default: the region of the node that is asked)")
	f.StringVar(&o.wait, "wait", "all", "local, N, all or none")
	f.StringVar(&o.location, "location", "", "home region (default: the region of the node that is asked)")
	f.StringSliceVar(&o.tag, "tag", nil, "KEY=VALUE")
	f.BoolVar(&o.exclude, "exclude-from-latest", false, "latest never means this version")
	f.BoolVar(&o.fresh, "fresh", false, "forget an interrupted publish of the same file and begin anew")
	_ = cmd.MarkFlagRequired("install")
	_ = cmd.MarkFlagRequired("remove")
	cmd.RunE = c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		n, err := appName(args[1], 3)
		if err != nil {
			return err
		}
		return c.publishApp(cmd.Context(), cl, args[0], n, o)
	})
	return cmd
}

func (c *cli) publishApp(ctx context.Context, cl *client.Client, file string, n []string, o appOptions) error {
	v, err := c.intent(n, o.publishOptions)
	if err != nil {
		return err
	}
	v.App = &o.app
	blobs := []source{{lun: gallery.LUNPackage, path: file}}
	if o.config != "" {
		blobs = append(blobs, source{lun: gallery.LUNConfig, path: o.config})
	}
	for i := range blobs {
		if blobs[i].disk, err = openBlob(blobs[i].path); err != nil {
			return err
		}
		defer blobs[i].disk.Close()
	}
	definition := v1.Image{Gallery: v.Gallery, Name: v.Image, OSType: o.osType}
	if err := c.prepareWith(ctx, cl, &v, blobs, &o.publishOptions, definition); err != nil {
		return err
	}
	return c.publishAll(ctx, cl, v, blobs, n, o.publishOptions, string(gallery.ContentBlob))
}

// openBlob opens a file whose bytes are taken as they are, and watches over it.
func openBlob(path string) (openDisk, error) {
	guard, err := diskformat.Watch(path)
	if err != nil {
		return openDisk{}, fmt.Errorf("%s: %w", path, err)
	}
	d, err := diskformat.OpenBlob(path)
	if err != nil {
		return openDisk{}, err
	}
	return openDisk{d, guard}, nil
}

func (c *cli) appPull() *cobra.Command {
	var out, region string
	var config bool
	cmd := &cobra.Command{Use: "pull GALLERY/APP/VERSION", Short: "Write the package of a version to a file, verified; VERSION may be latest", Args: cobra.ExactArgs(1)}
	f := cmd.Flags()
	f.StringVarP(&out, "output", "o", "", "file to write")
	f.BoolVar(&config, "config", false, "the default configuration instead of the package")
	f.StringVar(&region, "region", "", "region for which latest is resolved (default: of the node that answers)")
	_ = cmd.MarkFlagRequired("output")
	cmd.RunE = c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		n, err := appName(args[0], 3)
		if err != nil {
			return err
		}
		v, err := cl.Version(cmd.Context(), n[0], n[1], n[2], region)
		if err != nil {
			return err
		}
		which := gallery.LUNPackage
		if config {
			which = gallery.LUNConfig
		}
		return c.pull(cmd.Context(), cl, v, pulling{disk: lun(which), out: out, as: outputFlags{format: string(diskformat.OutputRaw)}})
	})
	return cmd
}
