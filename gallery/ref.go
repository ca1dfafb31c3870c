package gallery

import (
	"fmt"
	"strings"
)

// GalleryRef names a gallery. Compare refs only after Fold.
type GalleryRef struct {
	Subscription SubscriptionID `cbor:"1,keyasint"`
	Gallery      GalleryName    `cbor:"2,keyasint"`
}

// ImageRef names an image definition, or another artifact of a gallery. Compare refs only after Fold.
type ImageRef struct {
	GalleryRef
	Image ImageName    `cbor:"3,keyasint"`
	Kind  ArtifactKind `cbor:"5,keyasint,omitempty" since:"2"` // 4 is VersionRef's
}

// VersionRef names an image version. Compare refs only after Fold.
type VersionRef struct {
	ImageRef
	Version Version `cbor:"4,keyasint"`
}

// Fold returns the ref as keys and comparisons use it.
func (r GalleryRef) Fold() GalleryRef { return GalleryRef{r.Subscription, r.Gallery.Fold()} }

// Fold returns the ref as keys and comparisons use it.
func (r ImageRef) Fold() ImageRef { return ImageRef{r.GalleryRef.Fold(), r.Image.Fold(), r.Kind} }

// Fold returns the ref as keys and comparisons use it.
func (r VersionRef) Fold() VersionRef { return VersionRef{r.ImageRef.Fold(), r.Version} }

// String writes the gallery's name.
func (r GalleryRef) String() string { return string(r.Gallery) }

// applicationMark stands before the names of applications, so that they never meet those of images.
const applicationMark = "@"

// String writes gallery/image, or gallery/@application.
func (r ImageRef) String() string {
	if r.Kind == ArtifactApplication {
		return string(r.Gallery) + "/" + applicationMark + string(r.Image)
	}
	return string(r.Gallery) + "/" + string(r.Image)
}

// String writes gallery/image/version.
func (r VersionRef) String() string { return r.ImageRef.String() + "/" + r.Version.String() }

// ParseImageRef reads gallery/image, or gallery/@application, in one subscription.
func ParseImageRef(sub SubscriptionID, s string) (ImageRef, error) {
	g, i, ok := strings.Cut(s, "/")
	if !ok {
		return ImageRef{}, invalid("image", "gallery/image, got %q", s)
	}
	kind, parse := ArtifactImage, ParseImageName
	if name, application := strings.CutPrefix(i, applicationMark); application {
		i, kind, parse = name, ArtifactApplication, ParseApplicationName
	}
	gn, err := ParseGalleryName(g)
	if err != nil {
		return ImageRef{}, fmt.Errorf("gallery in %q: %w", s, err)
	}
	in, err := parse(i)
	if err != nil {
		return ImageRef{}, fmt.Errorf("image in %q: %w", s, err)
	}
	return ImageRef{GalleryRef{sub, gn}, in, kind}, nil
}

// ParseVersionRef reads gallery/image/version in one subscription. The version `latest` is not
// resolved here; callers look for it before.
func ParseVersionRef(sub SubscriptionID, s string) (VersionRef, error) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return VersionRef{}, invalid("version", "gallery/image/version, got %q", s)
	}
	image, err := ParseImageRef(sub, s[:i])
	if err != nil {
		return VersionRef{}, err
	}
	v, err := ParseVersion(s[i+1:])
	if err != nil {
		return VersionRef{}, fmt.Errorf("version in %q: %w", s, err)
	}
	return VersionRef{image, v}, nil
}
