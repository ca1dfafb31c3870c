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
		if err := e.checkGroup(old.Group()); err != nil {
			return nil, err
		}
		row.Ref, row.ResourceGroup, row.Created, row.CreatedBy = old.Ref, old.ResourceGroup, old.Created, old.CreatedBy
	} else {
		if e.Region(row.Location) == nil {
			return nil, invalid(name, "location", "no region %q in this cluster", row.Location)
		}
		if err := e.newGallery(&row); err != nil {
			return nil, err
		}
		row.Created, row.CreatedBy = e.Now(), e.Principal
	}
	row.ETag, row.Updated, row.UpdatedBy = e.Index(), e.Now(), e.Principal
	state.Put(e.Tx, &row)
	return &row, nil
}

// newGallery checks a gallery that is created against its subscription and its resource group.
func (e *entry) newGallery(row *gallery.Gallery) error {
	if !e.knows(2) {
		return nil
	}
	name := row.Ref.String()
	s := e.Subscription(row.Ref.Subscription)
	if s == nil {
		return notFound("subscription", row.Ref.Subscription)
	}
	if s.Tenant != row.Tenant {
		return invalid(name, "tenant", "the subscription's, %s", s.Tenant)
	}
	g, err := e.needGroup(row.Group(), row.Location, name)
	if err != nil {
		return err
	}
	row.ResourceGroup = string(g.Ref.Group)
	if e.GalleriesIn(row.Ref.Subscription, row.Location) >= gallery.MaxGalleries {
		return quota(name, gallery.MaxGalleries, "galleries", row.Location)
	}
	return nil
}

func quota(resource string, limit int, what string, at gallery.RegionName) error {
	return fail(gallery.ErrQuota, resource, "a subscription has at most %d %s in region %q", limit, what, at)
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
		return nil, fail(gallery.ErrInUse, c.Ref.String(), "it has %s", some(children, "image definition", imageName))
	}
	if children := e.Applications(c.Ref); len(children) > 0 {
		return nil, fail(gallery.ErrInUse, c.Ref.String(), "it has %s", some(children, "application definition", imageName))
	}
	e.dropGrants(row.Scope())
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

func imageName(i *gallery.Image) string { return i.Ref.String() }
