package machine

import (
	"fmt"
	"strings"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func galleryPut(e *entry, c *command.GalleryPut) (*gallery.Gallery, error) {
	row := c.Gallery
	name := row.Ref.String()
	old := e.Gallery(row.Ref)
	if err := check(c.If, name, etagOf(old)); err != nil {
		return nil, err
	}
	if old != nil {
		if err := row.CheckUpdate(old); err != nil {
			return nil, named(err, name)
		}
		row.Ref, row.ResourceGroup, row.Created, row.CreatedBy = old.Ref, old.ResourceGroup, old.Created, old.CreatedBy
	} else {
		if e.Region(row.Location) == nil {
			return nil, invalid(name, "location", "no region %q in this cluster", row.Location)
		}
		row.Created, row.CreatedBy = e.Now(), e.Principal
	}
	row.ETag, row.Updated, row.UpdatedBy = e.Index(), e.Now(), e.Principal
	state.Put(e.Tx, &row)
	return &row, nil
}

// etagOf returns the etag of a gallery, 0 where there is none.
func etagOf(g *gallery.Gallery) uint64 {
	if g == nil {
		return 0
	}
	return g.ETag
}

func galleryDelete(e *entry, c *command.GalleryDelete) (*none, error) {
	row := e.Gallery(c.Ref)
	if row == nil {
		return nil, notFound("gallery", c.Ref)
	}
	if err := check(c.If, c.Ref.String(), row.ETag); err != nil {
		return nil, err
	}
	if children := e.Images(c.Ref); len(children) > 0 {
		return nil, fail(gallery.ErrInUse, c.Ref.String(), "it has %s", some(children, "image definition", func(i *gallery.Image) string { return i.Ref.String() }))
	}
	state.Delete(e.Tx, row)
	return nil, nil
}

// someNamed is how many of many things a message names.
const someNamed = 5

// some names the first few of many things: "7 versions: a, b, c, d, e, ...".
func some[T any](all []T, noun string, name func(T) string) string {
	names := make([]string, 0, someNamed+1)
	for i, x := range all {
		if i == someNamed {
			names = append(names, "...")
			break
		}
		names = append(names, name(x))
	}
	if len(all) != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s: %s", len(all), noun, strings.Join(names, ", "))
}

func versionName(v *gallery.ImageVersion) string { return v.Ref.String() }
