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

func imageKey(r gallery.ImageRef) []byte { return text(galleryKey(r.GalleryRef), r.Image.Fold()) }

func versionKey(r gallery.VersionRef) []byte {
	b := imageKey(r.ImageRef)
	b = binary.BigEndian.AppendUint32(b, r.Version.Major)
	b = binary.BigEndian.AppendUint32(b, r.Version.Minor)
	return binary.BigEndian.AppendUint32(b, r.Version.Patch)
}

func identifierKey(i *gallery.Image) []byte {
	f := i.Identifier.Fold()
	return append(galleryKey(i.Ref.GalleryRef), key(f.Publisher, f.Offer, f.SKU)...)
}

func replicaKey(k gallery.ReplicaKey) []byte {
	return binary.BigEndian.AppendUint32(append(key(string(k.Disk)), key(string(k.Region))...), uint32(k.Slot))
}

func repositoryKey(k gallery.RepositoryKey) []byte {
	return text(binary.BigEndian.AppendUint32(key(string(k.Store)), uint32(k.Slot)), k.Domain)
}

func tombstoneKey(t *gallery.Tombstone) []byte {
	return append(number(repositoryKey(t.Repository), t.Index), key(t.Disk)...)
}

func number(b []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(b, n) }

// instant orders by time; times in the state are never before 1970.
func instant(b []byte, t time.Time) []byte { return number(b, uint64(t.UnixMilli())) }
