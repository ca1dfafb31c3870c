package command

import "loggia/gallery"

func galleryDefs() []Def {
	return []Def{
		def[GalleryPut, *GalleryPut, gallery.Gallery](KindGalleryPut, "gallery.put"),
		def[GalleryDelete, *GalleryDelete, noValue](KindGalleryDelete, "gallery.delete"),
	}
}

// GalleryPut creates or replaces a gallery; the caller has merged what its client did not send. ETag and times are
// the machine's. Its result is the *gallery.Gallery.
type GalleryPut struct {
	Gallery gallery.Gallery `cbor:"1,keyasint"`
	If      Precondition    `cbor:"2,keyasint,omitzero"`
}

// GalleryDelete removes a gallery that holds nothing (else ErrInUse). Deleting what is not there gives ErrNotFound.
type GalleryDelete struct {
	Ref gallery.GalleryRef `cbor:"1,keyasint"`
	If  Precondition       `cbor:"2,keyasint,omitzero"`
}

func (*GalleryPut) Kind() Kind    { return KindGalleryPut }
func (*GalleryDelete) Kind() Kind { return KindGalleryDelete }

// Check implements Command.
func (c *GalleryPut) Check() error { return c.Gallery.Validate() }

// Check implements Command.
func (c *GalleryDelete) Check() error { return checkRef(c.Ref) }
