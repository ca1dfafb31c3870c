package azure

import (
	"errors"
	"net/http"

	"loggia/api/azure/fault"
	"loggia/api/azure/schema"
	"loggia/gallery"
)

// artifact is what tells images and applications apart on the wire.
type artifact struct {
	kind       gallery.ArtifactKind
	definition schema.Kind
	version    schema.Kind
	typ        string // under Microsoft.Compute
}

var (
	imageArtifact       = artifact{gallery.ArtifactImage, schema.Image, schema.ImageVersion, "galleries/images"}
	applicationArtifact = artifact{gallery.ArtifactApplication, schema.Application, schema.ApplicationVersion, "galleries/applications"}
)

func (r *request) imageRef(a artifact) gallery.ImageRef {
	return gallery.ImageRef{GalleryRef: r.galleryRef(), Image: gallery.ImageName(r.vars["image"]), Kind: a.kind}
}

// inGallery checks that group and gallery of the path are there.
func (h *handler) inGallery(r *request) error {
	if err := h.inGroup(r); err != nil {
		return err
	}
	_, err := h.loadGallery(r)
	return r.parentFault(err, "Microsoft.Compute/galleries", r.vars["gallery"])
}

// parentFault says of a parent that is not there what a write below it is told; a read is told the same as of the resource.
func (r *request) parentFault(err error, kind, name string) error {
	if err == nil || !errors.Is(err, gallery.ErrNotFound) {
		return err
	}
	if r.Method == http.MethodPut {
		return fault.New(fault.ParentNotFound, "Can not perform requested operation on nested resource. Parent resource '%s' (%s) not found.", name, kind)
	}
	return r.notFound()
}

// images is the kind of image definitions, or of applications.
func (h *handler) images(a artifact) kind {
	return kind{schema: a.definition, created: http.StatusCreated, parent: h.inGallery,
		load: func(r *request) (shown, error) {
			i, err := h.o.Service.Image(r.Context(), r.imageRef(a))
			if err == nil {
				err = r.sameGroup(i.ResourceGroup)
			}
			if err != nil {
				return shown{}, err
			}
			return showImage(i), nil
		},
		store: func(r *request, tree schema.Tree, before *shown, w Write) (shown, error) {
			i, err := imageOf(r, a, tree)
			if err != nil {
				return shown{}, err
			}
			i, err = h.o.Service.PutImage(r.Context(), i, w)
			return showImage(i), err
		},
		remove: func(r *request, w Write) error { return h.o.Service.DeleteImage(r.Context(), r.imageRef(a), w) }}
}

func imageOf(r *request, a artifact, tree schema.Tree) (gallery.Image, error) {
	ref := r.imageRef(a)
	parse := gallery.ParseImageName
	if a.kind == gallery.ArtifactApplication {
		parse = gallery.ParseApplicationName
	}
	if _, err := parse(string(ref.Image)); err != nil {
		return gallery.Image{}, invalidName(err)
	}
	p := members(tree, "properties")
	i := gallery.Image{Ref: ref, ResourceGroup: r.vars["group"], Location: gallery.NormalizeRegion(text(tree, "location")), Tags: tags(tree),
		Description: text(p, "description"), EULA: text(p, "eula"), PrivacyURI: text(p, "privacyStatementUri"), ReleaseNoteURI: text(p, "releaseNoteUri"),
		EndOfLife: date(p, "endOfLifeDate"), Wire: keep(tree)}
	if a.kind == gallery.ArtifactApplication {
		i.OSType = text(p, "supportedOSType")
		return i, nil
	}
	i.OSType, i.OSState = text(p, "osType"), text(p, "osState")
	i.Identifier = gallery.Identifier{Publisher: text(p, "identifier.publisher"), Offer: text(p, "identifier.offer"), SKU: text(p, "identifier.sku")}
	i.HyperVGeneration, i.Architecture = text(p, "hyperVGeneration"), text(p, "architecture")
	i.AllowUpdate = flag(p, "allowUpdateImage")
	for _, f := range objects(p, "features") {
		i.Features = append(i.Features, gallery.Feature{Name: text(f, "name"), Value: text(f, "value"), StartsAtVersion: text(f, "startsAtVersion")})
	}
	i.Recommended = gallery.Recommended{VCPUs: boundsOf(p, "recommended.vCPUs"), Memory: boundsOf(p, "recommended.memory")}
	i.DisallowedTypes = texts(p, "disallowed.diskTypes")
	i.PurchasePlan = gallery.PurchasePlan{Name: text(p, "purchasePlan.name"), Publisher: text(p, "purchasePlan.publisher"), Product: text(p, "purchasePlan.product")}
	return i, nil
}

func boundsOf(t schema.Tree, path string) gallery.Bounds {
	var b gallery.Bounds
	object := members(t, path)
	if object["min"] != nil {
		n := int32(integer(object, "min"))
		b.Min = &n
	}
	if object["max"] != nil {
		n := int32(integer(object, "max"))
		b.Max = &n
	}
	return b
}

func setBounds(t schema.Tree, path string, b gallery.Bounds) {
	if b.Min == nil && b.Max == nil {
		return
	}
	object := made(t, path)
	if b.Min != nil {
		object["min"] = int64(*b.Min)
	}
	if b.Max != nil {
		object["max"] = int64(*b.Max)
	}
}

func showImage(i gallery.Image) shown {
	t := envelope{id: idOfImage(i.Ref, i.ResourceGroup), name: string(i.Ref.Image), kind: "Microsoft.Compute/galleries/" + artifacts(i.Ref.Kind),
		location: i.Location, tags: i.Tags, created: i.Created, updated: i.Updated, createdBy: i.CreatedBy, updatedBy: i.UpdatedBy}.on(kept(i.Wire))
	p := made(t, "properties")
	set(p, "description", i.Description)
	set(p, "eula", i.EULA)
	set(p, "privacyStatementUri", i.PrivacyURI)
	set(p, "releaseNoteUri", i.ReleaseNoteURI)
	setDate(p, "endOfLifeDate", i.EndOfLife)
	if i.Ref.Kind == gallery.ArtifactApplication {
		set(p, "supportedOSType", i.OSType)
		return shown{tree: t, etag: i.ETag, location: i.Location}
	}
	set(p, "osType", i.OSType)
	set(p, "osState", i.OSState)
	p["identifier"] = map[string]any{"publisher": i.Identifier.Publisher, "offer": i.Identifier.Offer, "sku": i.Identifier.SKU}
	set(p, "hyperVGeneration", i.HyperVGeneration)
	set(p, "architecture", i.Architecture)
	set(p, "allowUpdateImage", i.AllowUpdate)
	showFeatures(p, i.Features)
	setBounds(p, "recommended.vCPUs", i.Recommended.VCPUs)
	setBounds(p, "recommended.memory", i.Recommended.Memory)
	if len(i.DisallowedTypes) > 0 {
		always(p, "disallowed.diskTypes", anys(i.DisallowedTypes))
	}
	if i.PurchasePlan != (gallery.PurchasePlan{}) {
		plan := map[string]any{}
		set(plan, "name", i.PurchasePlan.Name)
		set(plan, "publisher", i.PurchasePlan.Publisher)
		set(plan, "product", i.PurchasePlan.Product)
		p["purchasePlan"] = plan
	}
	p["provisioningState"] = stateSucceeded
	return shown{tree: t, etag: i.ETag, location: i.Location}
}

func showFeatures(p schema.Tree, features []gallery.Feature) {
	delete(p, "features")
	if len(features) == 0 {
		return
	}
	var out []any
	for _, f := range features {
		o := map[string]any{"name": f.Name, "value": f.Value}
		set(o, "startsAtVersion", f.StartsAtVersion)
		out = append(out, o)
	}
	p["features"] = out
}

func anys[T any](in []T) []any {
	out := make([]any, 0, len(in))
	for _, x := range in {
		out = append(out, x)
	}
	return out
}

func (h *handler) listImages(a artifact) func(*request) (answer, error) {
	return func(r *request) (answer, error) {
		if err := h.inGallery(r); err != nil {
			return answer{}, err
		}
		all, err := h.o.Service.Images(r.Context(), r.galleryRef(), a.kind)
		if err != nil {
			return answer{}, err
		}
		return paged(r, all, func(i gallery.Image) string { return string(i.Ref.Image.Fold()) },
			func(i gallery.Image) (any, error) {
				return schema.Render(a.definition, r.version, showImage(i).tree), nil
			})
	}
}
