package azure

import (
	"time"

	"loggia/api/azure/schema"
	"loggia/gallery"
)

// envelope is what every tracked resource shows beside its properties.
type envelope struct {
	id, name, kind string
	location       gallery.RegionName
	tags           map[string]string
	created        time.Time
	updated        time.Time
	createdBy      string
	updatedBy      string
}

// on writes the envelope over what a row kept.
func (e envelope) on(t schema.Tree) schema.Tree {
	t["id"], t["name"], t["type"] = e.id, e.name, e.kind
	set(t, "location", string(e.location))
	setTags(t, e.tags)
	system := map[string]any{}
	set(system, "createdBy", e.createdBy)
	setDate(system, "createdAt", e.created)
	set(system, "lastModifiedBy", e.updatedBy)
	setDate(system, "lastModifiedAt", e.updated)
	if len(system) > 0 {
		for _, by := range []string{"createdBy", "lastModifiedBy"} {
			if system[by] != nil {
				system[by+"Type"] = "Application"
			}
		}
		t["systemData"] = system
	}
	return t
}

const computeNamespace = "Microsoft.Compute"

func groupID(ref gallery.GroupRef) string {
	return "/subscriptions/" + string(ref.Subscription) + "/resourceGroups/" + string(ref.Group)
}

func galleryID(g *gallery.Gallery) string {
	return idOfGallery(g.Ref, g.ResourceGroup)
}

func idOfGallery(ref gallery.GalleryRef, group string) string {
	return groupID(gallery.GroupRef{Subscription: ref.Subscription, Group: gallery.GroupName(group)}) + "/providers/" + computeNamespace + "/galleries/" + string(ref.Gallery)
}

func idOfImage(ref gallery.ImageRef, group string) string {
	return idOfGallery(ref.GalleryRef, group) + "/" + artifacts(ref.Kind) + "/" + string(ref.Image)
}

func idOfVersion(ref gallery.VersionRef, group string) string {
	return idOfImage(ref.ImageRef, group) + "/versions/" + ref.Version.String()
}

func idOfSnapshot(ref gallery.SnapshotRef) string {
	return groupID(ref.GroupRef) + "/providers/" + computeNamespace + "/snapshots/" + string(ref.Name)
}

// artifacts is the segment under which a kind of artifact lies in a gallery.
func artifacts(kind gallery.ArtifactKind) string {
	if kind == gallery.ArtifactApplication {
		return "applications"
	}
	return "images"
}
