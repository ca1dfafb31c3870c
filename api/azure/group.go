package azure

import (
	"errors"
	"net/http"
	"strings"

	"loggia/api/azure/fault"
	"loggia/api/azure/schema"
	"loggia/gallery"
)

// groups is the kind of resource groups.
func (h *handler) groups() kind {
	return kind{
		schema:  schema.ResourceGroup,
		created: http.StatusCreated,
		load: func(r *request) (shown, error) {
			g, err := h.o.Service.Group(r.Context(), r.group())
			return showGroup(g), err
		},
		store: func(r *request, tree schema.Tree, before *shown, w Write) (shown, error) {
			if _, err := gallery.ParseGroupName(r.vars["group"]); err != nil {
				return shown{}, invalidName(err)
			}
			g := gallery.ResourceGroup{Ref: r.group(), Location: gallery.NormalizeRegion(text(tree, "location")), Tags: tags(tree), ManagedBy: text(tree, "managedBy")}
			g, err := h.o.Service.PutGroup(r.Context(), g, w)
			return showGroup(g), err
		},
		remove: func(r *request, w Write) error { return h.o.Service.DeleteGroup(r.Context(), r.group(), w) },
	}
}

func showGroup(g gallery.ResourceGroup) shown {
	state := "Succeeded"
	if g.Deleting {
		state = "Deleting"
	}
	t := envelope{id: groupID(g.Ref), name: string(g.Ref.Group), kind: "Microsoft.Resources/resourceGroups", location: g.Location, tags: g.Tags}.on(schema.Tree{})
	set(t, "managedBy", g.ManagedBy)
	always(t, "properties.provisioningState", state)
	return shown{tree: t, etag: g.ETag, location: g.Location, operation: g.Operation}
}

// inGroup checks that the group of the path is there.
func (h *handler) inGroup(r *request) error {
	_, err := h.o.Service.Group(r.Context(), r.group())
	if errors.Is(err, gallery.ErrNotFound) {
		return fault.New(fault.ResourceGroupNotFound, "Resource group '%s' could not be found.", r.vars["group"])
	}
	return err
}

// headGroup answers 204 for a group that is there and 404 for one that is not, which is how clients ask.
func (h *handler) headGroup(r *request) (answer, error) {
	if err := h.inGroup(r); err != nil {
		return answer{}, err
	}
	return empty(http.StatusNoContent), nil
}

func (h *handler) getGroup(r *request) (answer, error) {
	if err := h.inGroup(r); err != nil {
		return answer{}, err
	}
	return h.groups().get(r)
}

func (h *handler) deleteGroup(r *request) (answer, error) {
	if err := h.inGroup(r); err != nil {
		return answer{}, err
	}
	return h.groups().delete(r)
}

func (h *handler) listGroups(r *request) (answer, error) {
	filter, err := parseFilter(r.URL.Query().Get("$filter"))
	if err != nil {
		return answer{}, err
	}
	all, err := h.o.Service.Groups(r.Context(), r.sub())
	if err != nil {
		return answer{}, err
	}
	kept := all[:0:0]
	for _, g := range all {
		if filter.matches(resourceFacts{name: string(g.Ref.Group), tags: g.Tags, location: string(g.Location)}) {
			kept = append(kept, g)
		}
	}
	return paged(r, kept, func(g gallery.ResourceGroup) string { return string(g.Ref.Group.Fold()) },
		func(g gallery.ResourceGroup) (any, error) {
			return schema.Render(schema.ResourceGroup, r.version, showGroup(g).tree), nil
		})
}

// sameGroup says whether a row lies in the group of the path; a row of another group is not there.
func (r *request) sameGroup(group string) error {
	if strings.EqualFold(group, r.vars["group"]) {
		return nil
	}
	return &gallery.Error{Kind: gallery.ErrNotFound, Resource: r.path}
}
