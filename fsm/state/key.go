package state

import (
	"encoding/binary"
	"time"

	"loggia/gallery"
)

// Keys are made of texts, each ended by a zero byte (no name or id holds one), and of big-endian numbers, so
// that the order of the bytes is the order of the parts.

func text[T ~string](b []byte, s T) []byte { return append(append(b, s...), 0) }

func key[T ~string](parts ...T) []byte {
	var b []byte
	for _, p := range parts {
		b = text(b, p)
	}
	return b
}

func galleryKey(r gallery.GalleryRef) []byte {
	return text(key(string(r.Subscription)), r.Gallery.Fold())
}

// applicationMark stands before the names of applications, so that they lie beside those of images and never meet them.
const applicationMark = "@"

func imageKey(r gallery.ImageRef) []byte {
	b := galleryKey(r.GalleryRef)
	if r.Kind == gallery.ArtifactApplication {
		b = append(b, applicationMark...)
	}
	return text(b, r.Image.Fold())
}

func versionKey(r gallery.VersionRef) []byte {
	b := imageKey(r.ImageRef)
	b = binary.BigEndian.AppendUint32(b, r.Version.Major)
	b = binary.BigEndian.AppendUint32(b, r.Version.Minor)
	return binary.BigEndian.AppendUint32(b, r.Version.Patch)
}

func identifierKey(i *gallery.Image) []byte {
	if i.Ref.Kind != gallery.ArtifactImage {
		return nil
	}
	f := i.Identifier.Fold()
	return append(galleryKey(i.Ref.GalleryRef), key(f.Publisher, f.Offer, f.SKU)...)
}

func replicaKey(k gallery.ReplicaKey) []byte {
	return binary.BigEndian.AppendUint32(append(key(string(k.Disk)), key(string(k.Region))...), uint32(k.Slot))
}

func limitKey(k gallery.LimitKey) []byte {
	return key(string(k.From), string(k.To), string(k.FromNode), string(k.ToNode))
}

func pairKey(p gallery.RegionPair) []byte { return key(string(p.A), string(p.B)) }

func repositoryKey(k gallery.RepositoryKey) []byte {
	return text(binary.BigEndian.AppendUint32(key(string(k.Store)), uint32(k.Slot)), k.Domain)
}

func tombstoneKey(t *gallery.Tombstone) []byte {
	return append(number(repositoryKey(t.Repository), t.Index), key(t.Disk)...)
}

func groupKey(r gallery.GroupRef) []byte { return text(key(string(r.Subscription)), r.Group.Fold()) }

func snapshotKey(r gallery.SnapshotRef) []byte { return text(groupKey(r.GroupRef), r.Name.Fold()) }

// scopeKey begins the keys of what is at a scope or below it: scopes are cut at whole segments.
func scopeKey(scope string) []byte {
	s := gallery.FoldScope(scope)
	if s != gallery.RootScope {
		s += "/"
	}
	return []byte(s)
}

// atScopeKey begins the keys of what is at a scope itself.
func atScopeKey(scope string) []byte { return append(scopeKey(scope), 0) }

func assignmentKey(scope string, id gallery.AssignmentID) []byte { return text(atScopeKey(scope), id) }

// The first bytes of what an open operation waits for.
const (
	waitsForVersion  = 'v'
	waitsForSnapshot = 's'
	waitsForGroup    = 'g'
)

func operationWaits(o *gallery.Operation) []byte {
	switch {
	case !o.Open():
		return nil
	case o.Version != nil:
		return append([]byte{waitsForVersion}, versionKey(*o.Version)...)
	case o.Snapshot != nil:
		return append([]byte{waitsForSnapshot}, snapshotKey(*o.Snapshot)...)
	case o.Group != nil:
		return append([]byte{waitsForGroup}, groupKey(*o.Group)...)
	}
	return []byte{0}
}

func number(b []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(b, n) }

// instant orders by time; times in the state are never before 1970.
func instant(b []byte, t time.Time) []byte { return number(b, uint64(t.UnixMilli())) }
