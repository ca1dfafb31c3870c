package state

import (
	"slices"

	"loggia/gallery"
)

// Cluster returns what cluster this is; nil before it is founded.
func (v *View) Cluster() *gallery.Cluster { return find(v, clusters, []byte{0}) }

// Region returns one region.
func (v *View) Region(name gallery.RegionName) *gallery.Region { return find(v, regions, key(name)) }

// Regions returns all regions.
func (v *View) Regions() []*gallery.Region { return list(v, regions, "id", nil) }

// Store returns one store.
func (v *View) Store(id gallery.StoreID) *gallery.Store { return find(v, stores, key(id)) }

// Stores returns the stores of a region, all for an empty name.
func (v *View) Stores(region gallery.RegionName) []*gallery.Store {
	if region == "" {
		return list(v, stores, "id", nil)
	}
	return list(v, stores, "region", key(region))
}

// Node returns one node.
func (v *View) Node(id gallery.NodeID) *gallery.Node { return find(v, nodes, key(id)) }

// Nodes returns the nodes of a region, all for an empty name.
func (v *View) Nodes(region gallery.RegionName) []*gallery.Node {
	if region == "" {
		return list(v, nodes, "id", nil)
	}
	return list(v, nodes, "region", key(region))
}

// AccessToken returns one access token.
func (v *View) AccessToken(id gallery.TokenID) *gallery.AccessToken {
	return find(v, accessTokens, key(id))
}

// AccessTokens returns all access tokens.
func (v *View) AccessTokens() []*gallery.AccessToken { return list(v, accessTokens, "id", nil) }

// JoinToken returns one join token.
func (v *View) JoinToken(id gallery.TokenID) *gallery.JoinToken { return find(v, joinTokens, key(id)) }

// JoinTokens returns all join tokens.
func (v *View) JoinTokens() []*gallery.JoinToken { return list(v, joinTokens, "id", nil) }

// Gallery returns one gallery.
func (v *View) Gallery(ref gallery.GalleryRef) *gallery.Gallery {
	return find(v, galleries, galleryKey(ref))
}

// Galleries returns the galleries of a subscription, all for an empty one.
func (v *View) Galleries(sub gallery.SubscriptionID) []*gallery.Gallery {
	if sub == "" {
		return list(v, galleries, "id", nil)
	}
	return list(v, galleries, "id", key(sub))
}

// Image returns one definition of an image or, by the ref's kind, of an application.
func (v *View) Image(ref gallery.ImageRef) *gallery.Image { return find(v, images, imageKey(ref)) }

// Images returns the image definitions of a gallery.
func (v *View) Images(ref gallery.GalleryRef) []*gallery.Image {
	return slices.DeleteFunc(v.Artifacts(ref), func(i *gallery.Image) bool { return i.Ref.Kind != gallery.ArtifactImage })
}

// Applications returns the application definitions of a gallery.
func (v *View) Applications(ref gallery.GalleryRef) []*gallery.Image {
	return list(v, images, "id", append(galleryKey(ref), applicationMark...))
}

// Artifacts returns everything that a gallery holds, of all kinds.
func (v *View) Artifacts(ref gallery.GalleryRef) []*gallery.Image {
	return list(v, images, "id", galleryKey(ref))
}

// ImageByIdentifier returns the image definition of a gallery with an identifier; case does not count.
func (v *View) ImageByIdentifier(ref gallery.GalleryRef, id gallery.Identifier) *gallery.Image {
	return findBy(v, images, "identifier", identifierKey(&gallery.Image{Ref: gallery.ImageRef{GalleryRef: ref}, Identifier: id}))
}

// Version returns one image version.
func (v *View) Version(ref gallery.VersionRef) *gallery.ImageVersion {
	return find(v, versions, versionKey(ref))
}

// VersionsImporting returns the versions whose home is a region and that wait for a node to make a disk.
func (v *View) VersionsImporting(home gallery.RegionName) []*gallery.ImageVersion {
	return list(v, versions, "importing", key(home))
}

// Versions returns the versions of an image, or of an application, in numeric order.
func (v *View) Versions(ref gallery.ImageRef) []*gallery.ImageVersion {
	return list(v, versions, "id", imageKey(ref))
}

// AllVersions returns every image version, by subscription, gallery, image and number.
func (v *View) AllVersions() []*gallery.ImageVersion { return list(v, versions, "id", nil) }

// VersionsOfDisk returns the versions that have a disk.
func (v *View) VersionsOfDisk(id gallery.DiskID) []*gallery.ImageVersion {
	return list(v, versions, "disk", key(id))
}

// VersionsOfRegion returns the versions that name a region as a target. It looks at every version.
func (v *View) VersionsOfRegion(name gallery.RegionName) []*gallery.ImageVersion {
	return slices.DeleteFunc(v.AllVersions(), func(x *gallery.ImageVersion) bool {
		return !slices.ContainsFunc(x.Publishing.TargetRegions, func(t gallery.TargetRegion) bool { return t.Region == name })
	})
}

// Latest returns the version that `latest` names in a region, or nil.
func (v *View) Latest(region gallery.RegionName, ref gallery.ImageRef) *gallery.ImageVersion {
	for r := range v.iterate(versions.name, "id", imageKey(ref), true) {
		version := r.(*gallery.ImageVersion)
		if _, target := version.Publishing.Target(region); target && gallery.InLatest(version, v.VersionStatus(version), region) {
			return version
		}
	}
	return nil
}

// VersionStatus sums up a version in each of its target regions.
func (v *View) VersionStatus(version *gallery.ImageVersion) []gallery.RegionStatus {
	var rows []gallery.Replica
	for _, d := range version.Disks {
		for _, r := range v.ReplicasOfDisk(d.Disk) {
			rows = append(rows, *r)
		}
	}
	return version.Status(rows)
}

// GalleriesIn counts the galleries of a subscription whose home is a region.
func (v *View) GalleriesIn(sub gallery.SubscriptionID, at gallery.RegionName) int {
	return count(v, galleries, key(sub), func(g *gallery.Gallery) bool { return g.Location == at })
}

// DefinitionsIn counts the definitions of a subscription, of all kinds, whose home is a region.
func (v *View) DefinitionsIn(sub gallery.SubscriptionID, at gallery.RegionName) int {
	return count(v, images, key(sub), func(i *gallery.Image) bool { return i.Location == at })
}

// VersionsIn counts the versions of a subscription, of all kinds, whose home is a region.
func (v *View) VersionsIn(sub gallery.SubscriptionID, at gallery.RegionName) int {
	return count(v, versions, key(sub), func(x *gallery.ImageVersion) bool { return x.Location == at })
}

// count walks the rows whose key begins with prefix.
func count[T Row](v *View, t *table[T], prefix []byte, is func(*T) bool) int {
	n := 0
	for r := range v.iterate(t.name, "id", prefix, false) {
		if is(r.(*T)) {
			n++
		}
	}
	return n
}
