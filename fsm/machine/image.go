package machine

import (
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func imagePut(e *entry, c *command.ImagePut) (*gallery.Image, error) {
	row := c.Image
	name := row.Ref.String()
	g := e.Gallery(row.Ref.GalleryRef)
	if g == nil {
		return nil, notFound("gallery", row.Ref.GalleryRef)
	}
	if err := e.checkGroup(g.Group()); err != nil {
		return nil, err
	}
	old := e.Image(row.Ref)
	var etag uint64
	if old != nil {
		etag = old.ETag
	}
	if err := check(c.If, name, etag); err != nil {
		return nil, err
	}
	row.Ref.GalleryRef, row.ResourceGroup = g.Ref, g.ResourceGroup
	if old != nil {
		if err := row.CheckUpdate(old); err != nil {
			return nil, named(err, name)
		}
		row.Ref, row.Created, row.CreatedBy = old.Ref, old.Created, old.CreatedBy
	} else {
		if err := e.newImage(&row); err != nil {
			return nil, err
		}
		row.Created, row.CreatedBy = e.Now(), e.Principal
	}
	if !row.EndOfLife.IsZero() && !row.EndOfLife.After(e.Now()) && (old == nil || !row.EndOfLife.Equal(old.EndOfLife)) {
		return nil, invalid(name, "properties.endOfLifeDate", "in the future")
	}
	row.EndOfLife = row.EndOfLife.UTC()
	row.ETag, row.Updated, row.UpdatedBy = e.Index(), e.Now(), e.Principal
	state.Put(e.Tx, &row)
	return &row, nil
}

// newImage checks what only counts when an image definition is created.
func (e *entry) newImage(row *gallery.Image) error {
	name := row.Ref.String()
	if e.Region(row.Location) == nil {
		return invalid(name, "location", "no region %q in this cluster", row.Location)
	}
	if row.Ref.Kind == gallery.ArtifactImage {
		if err := e.freeIdentifier(row); err != nil {
			return err
		}
	}
	if e.knows(2) && e.DefinitionsIn(row.Ref.Subscription, row.Location) >= gallery.MaxDefinitions {
		return quota(name, gallery.MaxDefinitions, "definitions", row.Location)
	}
	return nil
}

// freeIdentifier checks that no other image definition of the gallery has the identifier.
func (e *entry) freeIdentifier(row *gallery.Image) error {
	if twin := e.ImageByIdentifier(row.Ref.GalleryRef, row.Identifier); twin != nil {
		return &gallery.Error{Kind: gallery.ErrConflict, Resource: row.Ref.String(), Field: "properties.identifier",
			Message: "publisher, offer and sku together are unique in a gallery, " + twin.Ref.String() + " has them"}
	}
	return nil
}

func imageDelete(e *entry, c *command.ImageDelete) (*none, error) {
	row := e.Image(c.Ref)
	if row == nil {
		return nil, notFound(definition(c.Ref), c.Ref)
	}
	if err := check(c.If, c.Ref.String(), row.ETag); err != nil {
		return nil, err
	}
	if children := e.Versions(c.Ref); len(children) > 0 {
		return nil, fail(gallery.ErrInUse, c.Ref.String(), "it has %s", some(children, "version", versionName))
	}
	e.dropGrants(row.Scope())
	state.Delete(e.Tx, row)
	return nil, nil
}

// definition says what a ref names.
func definition(r gallery.ImageRef) string {
	if r.Kind == gallery.ArtifactApplication {
		return "application definition"
	}
	return "image definition"
}
