package manage

import (
	"net/http"

	"loggia/api/respond"
	"loggia/api/v1"
	"loggia/gallery"
)

func (h *handler) galleries() {
	h.read("/v1/galleries", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		all, err := h.s.Galleries(r.Context())
		return list(each(all, toGallery)), err
	})
	h.read("/v1/galleries/{g}", func(w http.ResponseWriter, r *http.Request) (any, error) {
		g, err := h.s.Gallery(r.Context(), r.PathValue("g"))
		return tagged(w, g.ETag, toGallery(g)), err
	})
	h.write("PUT", "/v1/galleries/{g}", func(w http.ResponseWriter, r *http.Request) (any, error) {
		var in v1.Gallery
		if err := respond.Decode(w, r, &in); err != nil {
			return nil, err
		}
		c, err := condition(r)
		if err != nil {
			return nil, err
		}
		g, err := h.s.PutGallery(r.Context(), fromGallery(r.PathValue("g"), in), c)
		return tagged(w, g.ETag, toGallery(g)), err
	})
	h.write("DELETE", "/v1/galleries/{g}", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		c, err := condition(r)
		if err != nil {
			return nil, err
		}
		return nil, h.s.DeleteGallery(r.Context(), r.PathValue("g"), c)
	})
}

func (h *handler) images() {
	h.read("/v1/galleries/{g}/images", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		all, err := h.s.Images(r.Context(), r.PathValue("g"))
		return list(each(all, toImage)), err
	})
	h.read("/v1/galleries/{g}/images/{i}", func(w http.ResponseWriter, r *http.Request) (any, error) {
		i, err := h.s.Image(r.Context(), r.PathValue("g"), r.PathValue("i"))
		return tagged(w, i.ETag, toImage(i)), err
	})
	h.write("PUT", "/v1/galleries/{g}/images/{i}", func(w http.ResponseWriter, r *http.Request) (any, error) {
		var in v1.Image
		if err := respond.Decode(w, r, &in); err != nil {
			return nil, err
		}
		c, err := condition(r)
		if err != nil {
			return nil, err
		}
		i, err := h.s.PutImage(r.Context(), r.PathValue("g"), fromImage(r.PathValue("i"), in), c)
		return tagged(w, i.ETag, toImage(i)), err
	})
	h.write("DELETE", "/v1/galleries/{g}/images/{i}", func(_ http.ResponseWriter, r *http.Request) (any, error) {
		c, err := condition(r)
		if err != nil {
			return nil, err
		}
		return nil, h.s.DeleteImage(r.Context(), r.PathValue("g"), r.PathValue("i"), c)
	})
}

// tagged sets the answer's ETag.
func tagged(w http.ResponseWriter, tag uint64, v any) any {
	if tag != 0 {
		w.Header().Set("ETag", `"`+etag(tag)+`"`)
	}
	return v
}

func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, 0, len(in))
	for _, a := range in {
		out = append(out, f(a))
	}
	return out
}

// galleryID is a gallery's id in Azure's terms.
func galleryID(g gallery.Gallery) string {
	return "/subscriptions/" + string(g.Ref.Subscription) + "/resourceGroups/" + g.ResourceGroup + "/providers/Microsoft.Compute/galleries/" + string(g.Ref.Gallery)
}

func toGallery(g gallery.Gallery) v1.Gallery {
	return v1.Gallery{Name: string(g.Ref.Gallery), ID: galleryID(g), Location: string(g.Location), Description: g.Description,
		Tags: g.Tags, Created: g.Created, Updated: g.Updated, ETag: etag(g.ETag)}
}

func fromGallery(name string, g v1.Gallery) gallery.Gallery {
	return gallery.Gallery{Ref: gallery.GalleryRef{Gallery: gallery.GalleryName(name)},
		Location: gallery.RegionName(g.Location), Description: g.Description, Tags: g.Tags}
}

func toImage(i gallery.Image) v1.Image {
	out := v1.Image{Gallery: string(i.Ref.Gallery), Name: artifactName(i.Ref), Location: string(i.Location),
		OSType: i.OSType, OSState: i.OSState, Publisher: i.Identifier.Publisher, Offer: i.Identifier.Offer, SKU: i.Identifier.SKU,
		HyperVGeneration: i.HyperVGeneration, Architecture: i.Architecture, Description: i.Description,
		Tags: i.Tags, Created: i.Created, Updated: i.Updated, ETag: etag(i.ETag)}
	if !i.EndOfLife.IsZero() {
		out.EndOfLife = &i.EndOfLife
	}
	return out
}

func fromImage(name string, i v1.Image) gallery.Image {
	out := gallery.Image{Ref: gallery.ImageRef{Image: gallery.ImageName(name)}, // @ before an application's is taken off by the service
		Location: gallery.RegionName(i.Location),
		OSType:   i.OSType, OSState: i.OSState, Identifier: gallery.Identifier{Publisher: i.Publisher, Offer: i.Offer, SKU: i.SKU},
		HyperVGeneration: i.HyperVGeneration, Architecture: i.Architecture, Description: i.Description, Tags: i.Tags}
	if i.EndOfLife != nil {
		out.EndOfLife = *i.EndOfLife
	}
	return out
}
