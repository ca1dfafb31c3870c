package command

import "loggia/gallery"

func imageDefs() []Def {
	return []Def{
		def[ImagePut, *ImagePut, gallery.Image](KindImagePut, "image.put"),
		def[ImageDelete, *ImageDelete, noValue](KindImageDelete, "image.delete"),
	}
}

// ImagePut creates or replaces an image definition; the caller has merged what its client did not send. Its result is the *gallery.Image.
type ImagePut struct {
	Image gallery.Image `cbor:"1,keyasint"`
	If    Precondition  `cbor:"2,keyasint,omitzero"`
}

// ImageDelete removes an image definition that has no versions (else ErrInUse).
type ImageDelete struct {
	Ref gallery.ImageRef `cbor:"1,keyasint"`
	If  Precondition     `cbor:"2,keyasint,omitzero"`
}

func (*ImagePut) Kind() Kind    { return KindImagePut }
func (*ImageDelete) Kind() Kind { return KindImageDelete }

// Check implements Command.
func (c *ImagePut) Check() error { return c.Image.Validate() }

// Check implements Command.
func (c *ImageDelete) Check() error { return checkImageRef(c.Ref) }
