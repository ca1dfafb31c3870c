package azure

import (
	"errors"
	"net/http"
	"strings"

	"loggia/api/azure/fault"
	"loggia/api/azure/schema"
	"loggia/gallery"
)

func (r *request) galleryRef() gallery.GalleryRef {
	return gallery.GalleryRef{Subscription: r.sub(), Gallery: gallery.GalleryName(r.vars["gallery"])}
}

// galleries is the kind of galleries.
func (h *handler) galleries() kind {
	return kind{schema: schema.Gallery, created: http.StatusCreated, parent: h.inGroup, load: h.loadGallery, store: h.storeGallery,
		remove: func(r *request, w Write) error { return h.o.Service.DeleteGallery(r.Context(), r.galleryRef(), w) }}
}

func (h *handler) loadGallery(r *request) (shown, error) {
	g, err := h.o.Service.Gallery(r.Context(), r.galleryRef())
	if err == nil {
		err = r.sameGroup(g.ResourceGroup)
	}
	if err != nil {
		return shown{}, err
	}
	return showGallery(g), nil
}

func (h *handler) storeGallery(r *request, tree schema.Tree, before *shown, w Write) (shown, error) {
	name, err := gallery.ParseGalleryName(r.vars["gallery"])
	if err != nil {
		return shown{}, invalidName(err)
	}
	if before == nil {
		if err := h.nameTaken(r); err != nil {
			return shown{}, err
		}
	}
	g := gallery.Gallery{Ref: gallery.GalleryRef{Subscription: r.sub(), Gallery: name}, ResourceGroup: r.vars["group"],
		Location: gallery.NormalizeRegion(text(tree, "location")), Description: text(tree, "properties.description"), Tags: tags(tree), Wire: keep(tree)}
	g, err = h.o.Service.PutGallery(r.Context(), g, w)
	return showGallery(g), err
}

// nameTaken says of a new gallery whether another group of the subscription has its name.
func (h *handler) nameTaken(r *request) error {
	other, err := h.o.Service.Gallery(r.Context(), r.galleryRef())
	if errors.Is(err, gallery.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return fault.New(fault.Conflict, "The gallery name '%s' is unique in a subscription, and resource group '%s' has it.", other.Ref.Gallery, other.ResourceGroup)
}

func invalidName(err error) error {
	return fault.At(fault.InvalidResourceName, "name", "%s", told(err))
}

func showGallery(g gallery.Gallery) shown {
	t := envelope{id: galleryID(&g), name: string(g.Ref.Gallery), kind: "Microsoft.Compute/galleries", location: g.Location, tags: g.Tags,
		created: g.Created, updated: g.Updated, createdBy: g.CreatedBy, updatedBy: g.UpdatedBy}.on(kept(g.Wire))
	set(t, "properties.description", g.Description)
	always(t, "properties.identifier", map[string]any{"uniqueName": string(g.Ref.Subscription) + "-" + strings.ToUpper(string(g.Ref.Gallery))})
	always(t, "properties.provisioningState", stateSucceeded)
	return shown{tree: t, etag: g.ETag, location: g.Location}
}

// stateSucceeded is the provisioning state of what is done when it is answered.
const stateSucceeded = string(gallery.ProvisioningSucceeded)

func (h *handler) getGallery(r *request) (answer, error) {
	if err := h.inGroup(r); err != nil {
		return answer{}, err
	}
	s, err := h.loadGallery(r)
	if err != nil {
		return answer{}, err
	}
	q := r.URL.Query()
	for expand := range strings.SplitSeq(q.Get("$expand"), ",") {
		if e := strings.TrimSpace(expand); e != "" && !strings.EqualFold(e, "SharingProfile/Groups") {
			return answer{}, fault.At(fault.InvalidParameter, "$expand", "$expand=%s is not supported; SharingProfile/Groups is.", e)
		}
	}
	tree := schema.Render(schema.Gallery, r.version, s.tree)
	if sel := q.Get("$select"); sel != "" {
		if !strings.EqualFold(sel, "Permissions") {
			return answer{}, fault.At(fault.InvalidParameter, "$select", "$select=%s is not supported; Permissions is.", sel)
		}
		tree = permissionsOnly(s.tree)
	}
	return ok(tree).tagged(s.etag), nil
}

// permissionsOnly is a gallery as $select=Permissions shows it.
func permissionsOnly(t schema.Tree) schema.Tree {
	out := schema.Tree{}
	for _, name := range []string{"id", "name", "type", "location"} {
		out[name] = t[name]
	}
	p := map[string]any{"provisioningState": text(t, "properties.provisioningState")}
	if v := member(t, "properties.sharingProfile"); v != nil {
		p["sharingProfile"] = v
	} else {
		p["sharingProfile"] = map[string]any{"permissions": "Private"}
	}
	out["properties"] = p
	return out
}

func (h *handler) listGalleries(r *request) (answer, error) {
	group, inGroup := r.vars["group"]
	if inGroup {
		if err := h.inGroup(r); err != nil {
			return answer{}, err
		}
	}
	all, err := h.o.Service.Galleries(r.Context(), r.sub())
	if err != nil {
		return answer{}, err
	}
	kept := all[:0:0]
	for _, g := range all {
		if !inGroup || strings.EqualFold(g.ResourceGroup, group) {
			kept = append(kept, g)
		}
	}
	return paged(r, kept, func(g gallery.Gallery) string { return string(g.Ref.Gallery.Fold()) },
		func(g gallery.Gallery) (any, error) {
			return schema.Render(schema.Gallery, r.version, showGallery(g).tree), nil
		})
}
