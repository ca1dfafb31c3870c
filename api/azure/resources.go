package azure

import (
	"errors"
	"net/http"
	"strings"

	"loggia/api/azure/fault"
	"loggia/api/azure/schema"
	"loggia/gallery"
)

// generic is any tracked resource, as the lists of all resources show it.
type generic struct {
	id, name, kind, group string
	location              gallery.RegionName
	tags                  map[string]string
}

func (g generic) show() map[string]any {
	out := map[string]any{"id": g.id, "name": g.name, "type": g.kind, "location": string(g.location)}
	if len(g.tags) > 0 {
		out["tags"] = g.tags
	}
	return out
}

// everything gathers the resources of a subscription, ordered by id.
func (h *handler) everything(r *request) ([]generic, error) {
	ctx := r.Context()
	galleries, err := h.o.Service.Galleries(ctx, r.sub())
	if err != nil {
		return nil, err
	}
	var out []generic
	for _, g := range galleries {
		out = append(out, generic{galleryID(&g), string(g.Ref.Gallery), "Microsoft.Compute/galleries", g.ResourceGroup, g.Location, g.Tags})
		for _, a := range []artifact{applicationArtifact, imageArtifact} {
			below, err := h.artifactsOf(r, g, a)
			if err != nil {
				return nil, err
			}
			out = append(out, below...)
		}
	}
	snapshots, err := h.o.Service.Snapshots(ctx, r.sub())
	for _, s := range snapshots {
		out = append(out, generic{idOfSnapshot(s.Ref), string(s.Ref.Name), "Microsoft.Compute/snapshots", string(s.Ref.Group), s.Location, s.Tags})
	}
	return out, err
}

func (h *handler) artifactsOf(r *request, g gallery.Gallery, a artifact) ([]generic, error) {
	images, err := h.o.Service.Images(r.Context(), g.Ref, a.kind)
	if err != nil {
		return nil, err
	}
	var out []generic
	for _, i := range images {
		kind := "Microsoft.Compute/" + a.typ
		out = append(out, generic{idOfImage(i.Ref, g.ResourceGroup), string(g.Ref.Gallery) + "/" + string(i.Ref.Image), kind, g.ResourceGroup, i.Location, i.Tags})
		versions, _, err := h.o.Service.Versions(r.Context(), i.Ref)
		if err != nil {
			return nil, err
		}
		for _, v := range versions {
			out = append(out, generic{idOfVersion(v.Ref, g.ResourceGroup), string(g.Ref.Gallery) + "/" + string(i.Ref.Image) + "/" + v.Ref.Version.String(),
				kind + "/versions", g.ResourceGroup, v.Location, v.Tags})
		}
	}
	return out, nil
}

func (h *handler) listResources(r *request) (answer, error) {
	f, err := parseFilter(r.URL.Query().Get("$filter"))
	if err != nil {
		return answer{}, err
	}
	group, inGroup := r.vars["group"]
	if inGroup {
		if err := h.inGroup(r); err != nil {
			return answer{}, err
		}
	}
	all, err := h.everything(r)
	if err != nil {
		return answer{}, err
	}
	kept := all[:0]
	for i, g := range all {
		if (!inGroup || strings.EqualFold(g.group, group)) && f.matches(resourceFacts{name: g.name, kind: g.kind, location: string(g.location), group: g.group, tags: g.tags}) {
			kept = append(kept, all[i])
		}
	}
	return pagedByOrder(r, kept, func(g generic) (any, error) { return g.show(), nil })
}

// tagsKinds are the resources whose tags the tags resource shows and changes.
func (h *handler) tagged(r *request) (kind, *request, error) {
	other := *r
	other.id = r.id.Scope()
	other.match = h.router.resource(other.id)
	if other.routes == nil {
		return kind{}, nil, r.notFound()
	}
	v := other.vars
	switch {
	case v["version"] != "" && strings.Contains(strings.ToLower(r.scope), "/applications/"):
		return h.versions(applicationArtifact), &other, nil
	case v["version"] != "":
		return h.versions(imageArtifact), &other, nil
	case v["image"] != "" && strings.Contains(strings.ToLower(r.scope), "/applications/"):
		return h.images(applicationArtifact), &other, nil
	case v["image"] != "":
		return h.images(imageArtifact), &other, nil
	case v["gallery"] != "":
		return h.galleries(), &other, nil
	case v["name"] != "":
		return h.snapshots(), &other, nil
	case v["group"] != "":
		return h.groups(), &other, nil
	}
	return kind{}, nil, fault.New(fault.InvalidParameter, "The scope '%s' has no tags here.", r.scope)
}

func showTags(scope string, m map[string]string) map[string]any {
	if m == nil {
		m = map[string]string{}
	}
	return map[string]any{"id": scope + "/providers/Microsoft.Resources/tags/default", "name": "default", "type": "Microsoft.Resources/tags",
		"properties": map[string]any{"tags": m}}
}

func (h *handler) getTags(r *request) (answer, error) {
	k, of, err := h.tagged(r)
	if err != nil {
		return answer{}, err
	}
	s, err := k.load(of)
	if err != nil {
		return answer{}, of.explain(err)
	}
	return ok(showTags(r.scope, tags(s.tree))).tagged(s.etag), nil
}

// changeTags is PUT, PATCH and DELETE of the tags of a resource.
func (h *handler) changeTags(r *request) (answer, error) {
	var in struct {
		Operation  string `json:"operation"`
		Properties struct {
			Tags map[string]string `json:"tags"`
		} `json:"properties"`
	}
	switch r.Method {
	case http.MethodPut:
		in.Operation = "Replace"
	case http.MethodDelete:
		in.Operation = "Clear"
	}
	if r.Method != http.MethodDelete {
		if err := decodeBody(r, &in); err != nil {
			return answer{}, err
		}
	}
	if r.Method == http.MethodPut {
		in.Operation = "Replace"
	}
	k, of, err := h.tagged(r)
	if err != nil {
		return answer{}, err
	}
	cond, err := readCondition(r.Header)
	if err != nil {
		return answer{}, err
	}
	for try := 0; ; try++ {
		after, err := h.writeTags(of, k, cond, in.Operation, in.Properties.Tags, try)
		if !cond.given && errors.Is(err, gallery.ErrPrecondition) && try+1 < writeTries {
			continue
		}
		if err != nil {
			return answer{}, of.explain(err)
		}
		if r.Method == http.MethodDelete {
			return empty(http.StatusOK), nil
		}
		return ok(showTags(r.scope, tags(after.tree))).tagged(after.etag), nil
	}
}

// writeTags writes the tags of a resource, whose etag is that of its tags too.
func (h *handler) writeTags(r *request, k kind, cond condition, operation string, given map[string]string, try int) (shown, error) {
	before, err := k.load(r)
	if err != nil {
		return shown{}, err
	}
	if err := cond.check(before.etag); err != nil {
		return shown{}, err
	}
	now := tags(before.tree)
	if now == nil {
		now = map[string]string{}
	}
	switch strings.ToLower(operation) {
	case "replace":
		now = given
	case "clear":
		now = nil
	case "merge":
		for name, v := range given {
			now[name] = v
		}
	case "delete":
		for name := range given {
			delete(now, name)
		}
	default:
		return shown{}, fault.At(fault.InvalidParameter, "operation", "The operation must be Merge, Replace or Delete.")
	}
	in := schema.Tree{"tags": map[string]any{}}
	setTags(in, now)
	if len(now) == 0 {
		in["tags"] = map[string]any{}
	}
	tree := schema.Merge(k.schema, r.version, before.tree, in, http.MethodPatch)
	return k.store(r, tree, &before, Write{ETag: before.etag, Try: try, Start: r.started(gallery.OperationUpdate, r.path, before.location)})
}
