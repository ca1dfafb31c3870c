package azure

import (
	"net/http"
	"slices"
)

const (
	subPath      = "/subscriptions/{sub}"
	groupPath    = subPath + "/resourceGroups/{group}"
	compute      = "/providers/Microsoft.Compute"
	galleryPath  = groupPath + compute + "/galleries/{gallery}"
	snapshotPath = groupPath + compute + "/snapshots/{name}"
	authority    = scopeSegment + "/providers/Microsoft.Authorization"
	tagsPath     = scopeSegment + "/providers/Microsoft.Resources/tags/default"

	galleryAction  = "Microsoft.Compute/galleries"
	snapshotAction = "Microsoft.Compute/snapshots"
	groupAction    = "Microsoft.Resources/subscriptions/resourceGroups"
)

// routes is the table of everything that is served. What is not here is 404; what is here without an action does not start.
func (h *handler) routes() []route {
	get, put, patch, post, del := http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodPost, http.MethodDelete
	groups := h.groups()
	table := []route{
		{method: get, path: "/subscriptions", open: true, do: h.listSubscriptions},
		{method: get, path: "/tenants", open: true, do: h.listTenants},
		{method: get, path: subPath, open: true, do: h.getSubscription},
		{method: get, path: subPath + "/locations", open: true, do: h.listLocations},
		{method: get, path: subPath + "/providers", open: true, do: h.listProviders},
		{method: get, path: subPath + "/providers/{namespace}", open: true, do: h.getProvider},
		{method: post, path: subPath + "/providers/{namespace}/register", open: true, do: h.getProvider},
		{method: get, path: subPath + "/resources", action: groupAction + "/resources/read", do: h.listResources},
		{method: get, path: groupPath + "/resources", action: groupAction + "/resources/read", do: h.listResources},

		{method: get, path: subPath + "/resourceGroups", action: groupAction + "/read", do: h.listGroups},
		{method: get, path: groupPath, action: groupAction + "/read", do: h.getGroup},
		{method: http.MethodHead, path: groupPath, action: groupAction + "/read", do: h.headGroup},
		{method: put, path: groupPath, action: groupAction + "/write", write: true, do: groups.write},
		{method: patch, path: groupPath, action: groupAction + "/write", write: true, do: groups.write},
		{method: del, path: groupPath, action: groupAction + "/delete", write: true, do: h.deleteGroup},

		{method: get, path: subPath + compute + "/galleries", action: galleryAction + "/read", do: h.listGalleries},
		{method: get, path: groupPath + compute + "/galleries", action: galleryAction + "/read", do: h.listGalleries},
		{method: get, path: galleryPath, action: galleryAction + "/read", do: h.getGallery},

		{method: get, path: subPath + compute + "/snapshots", action: snapshotAction + "/read", do: h.listSnapshots},
		{method: get, path: snapshotPath, action: snapshotAction + "/read", do: h.under(h.inGroup, h.snapshots().get)},
		{method: get, path: groupPath + compute + "/snapshots", action: snapshotAction + "/read", do: h.listSnapshots},
		{method: post, path: snapshotPath + "/beginGetAccess", action: snapshotAction + "/beginGetAccess/action", write: true, do: h.beginAccess},
		{method: post, path: snapshotPath + "/endGetAccess", action: snapshotAction + "/endGetAccess/action", write: true, do: h.endAccess},

		{method: get, path: subPath + compute + "/locations/{location}/capsOperations/{operation}", open: true, do: h.getOperation},

		{method: get, path: authority + "/roleAssignments", action: "Microsoft.Authorization/roleAssignments/read", do: h.listAssignments},
		{method: get, path: authority + "/roleAssignments/{id}", action: "Microsoft.Authorization/roleAssignments/read", do: h.getAssignment},
		{method: put, path: authority + "/roleAssignments/{id}", action: "Microsoft.Authorization/roleAssignments/write", write: true, do: h.putAssignment},
		{method: del, path: authority + "/roleAssignments/{id}", action: "Microsoft.Authorization/roleAssignments/delete", write: true, do: h.deleteAssignment},
		{method: get, path: authority + "/roleDefinitions", action: "Microsoft.Authorization/roleDefinitions/read", do: h.listRoles},
		{method: get, path: authority + "/roleDefinitions/{id}", action: "Microsoft.Authorization/roleDefinitions/read", do: h.getRole},
		{method: put, path: authority + "/roleDefinitions/{id}", action: "Microsoft.Authorization/roleDefinitions/write", write: true, do: h.putRole},
		{method: del, path: authority + "/roleDefinitions/{id}", action: "Microsoft.Authorization/roleDefinitions/delete", write: true, do: h.deleteRole},
		{method: get, path: authority + "/permissions", open: true, do: h.listPermissions},

		{method: get, path: tagsPath, action: "Microsoft.Resources/tags/read", do: h.getTags},
		{method: put, path: tagsPath, action: "Microsoft.Resources/tags/write", write: true, do: h.changeTags},
		{method: patch, path: tagsPath, action: "Microsoft.Resources/tags/write", write: true, do: h.changeTags},
		{method: del, path: tagsPath, action: "Microsoft.Resources/tags/delete", write: true, do: h.changeTags},
	}
	table = append(table, writing(h.galleries().routes(galleryPath, galleryAction))...)
	table = append(table, writing(h.snapshots().routes(snapshotPath, snapshotAction))...)
	for _, a := range []artifact{imageArtifact, applicationArtifact} {
		segment := "/" + artifacts(a.kind)
		action := galleryAction + segment
		path := galleryPath + segment + "/{image}"
		table = append(table,
			route{method: get, path: galleryPath + segment, action: action + "/read", do: h.listImages(a)},
			route{method: get, path: path, action: action + "/read", do: h.under(h.inGroup, h.images(a).get)},
			route{method: get, path: path + "/versions", action: action + "/versions/read", do: h.listVersions(a)},
			route{method: get, path: path + "/versions/{version}", action: action + "/versions/read", do: h.getVersion(a)})
		table = append(table, writing(h.images(a).routes(path, action))...)
		table = append(table, writing(h.versions(a).routes(path+"/versions/{version}", action+"/versions"))...)
	}
	return table
}

// writing leaves out the plain GET, which these kinds answer in a way of their own.
func writing(all []route) []route {
	return slices.DeleteFunc(all, func(r route) bool { return r.method == http.MethodGet })
}

func (h *handler) under(first func(*request) error, do func(*request) (answer, error)) func(*request) (answer, error) {
	return func(r *request) (answer, error) {
		if err := first(r); err != nil {
			return answer{}, err
		}
		return do(r)
	}
}
