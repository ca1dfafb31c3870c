package command

import (
	"fmt"

	"loggia/gallery"
)

func invalid(field, rule string, args ...any) error {
	return &gallery.Error{Kind: gallery.ErrInvalid, Field: field, Message: fmt.Sprintf(rule, args...)}
}

func positive(field string, n uint64) error {
	if n == 0 {
		return invalid(field, "at least 1")
	}
	return nil
}

// checkID refuses what is no UUID in canonical text.
func checkID[T ~string](field string, id T) error {
	if !gallery.ValidID(string(id)) {
		return invalid(field, "a UUID in canonical lower-case text")
	}
	return nil
}

func checkRegion(field string, r gallery.RegionName) error {
	if n, err := gallery.ParseRegionName(string(r)); err != nil || n != r {
		return invalid(field, "a normalised region name")
	}
	return nil
}

// first returns the first error that is one.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkRef(r gallery.GalleryRef) error {
	_, err := gallery.ParseGalleryName(string(r.Gallery))
	return first(checkID("subscription", r.Subscription), err)
}

func checkImageRef(r gallery.ImageRef) error {
	if !r.Kind.Valid() {
		return invalid("kind", "an image or an application")
	}
	if r.Kind == gallery.ArtifactApplication {
		_, err := gallery.ParseApplicationName(string(r.Image))
		return first(checkRef(r.GalleryRef), err)
	}
	_, err := gallery.ParseImageName(string(r.Image))
	return first(checkRef(r.GalleryRef), err)
}

func checkVersionRef(r gallery.VersionRef) error {
	if !r.Version.Valid() {
		return invalid("version", "each part 0 to %d", gallery.MaxVersionPart)
	}
	return checkImageRef(r.ImageRef)
}

func checkSlot(n int) error {
	if gallery.ClassOfSlot(n) == "" {
		return invalid("slot", "1 to %d", gallery.MaxSlot)
	}
	return nil
}

func checkReplica(k gallery.ReplicaKey) error {
	return first(checkID("disk", k.Disk), checkRegion("region", k.Region), checkSlot(k.Slot))
}

func checkRepository(k gallery.RepositoryKey) error {
	return first(checkID("store", k.Store), checkSlot(k.Slot), checkID("domain", k.Domain))
}

// maxBytes bounds sizes so that sums never overflow.
const maxBytes = 1 << 56

func checkBytes(field string, n int64) error {
	if n < 0 || n > maxBytes {
		return invalid(field, "0 to %d bytes", int64(maxBytes))
	}
	return nil
}
