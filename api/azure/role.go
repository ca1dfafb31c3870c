package azure

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"loggia/api/azure/armid"
	"loggia/api/azure/fault"
	"loggia/api/respond"
	"loggia/gallery"
	"loggia/gallery/rbac"
)

// permissionBody is one permission on the wire.
type permissionBody struct {
	Actions        []string `json:"actions"`
	NotActions     []string `json:"notActions"`
	DataActions    []string `json:"dataActions"`
	NotDataActions []string `json:"notDataActions"`
}

func permissionsOf(in []gallery.Permission) []permissionBody {
	out := []permissionBody{}
	for _, p := range in {
		out = append(out, permissionBody{some(p.Actions), some(p.NotActions), some(p.DataActions), some(p.NotDataActions)})
	}
	return out
}

func some(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func roleID(sub gallery.SubscriptionID, id gallery.RoleID) string {
	prefix := ""
	if sub != "" {
		prefix = "/subscriptions/" + string(sub)
	}
	return prefix + "/providers/Microsoft.Authorization/roleDefinitions/" + string(id)
}

// subOfScope is the subscription that a scope lies in, "" for the root.
func subOfScope(scope string) gallery.SubscriptionID {
	segments := strings.Split(strings.Trim(scope, "/"), "/")
	if len(segments) >= 2 && strings.EqualFold(segments[0], "subscriptions") {
		return gallery.SubscriptionID(strings.ToLower(segments[1]))
	}
	return ""
}

func showRole(sub gallery.SubscriptionID, d gallery.RoleDefinition, builtIn bool) map[string]any {
	kind := "CustomRole"
	scopes := d.AssignableScopes
	if builtIn {
		kind, scopes = "BuiltInRole", []string{"/"}
	}
	p := map[string]any{"roleName": d.Name, "type": kind, "description": d.Description, "assignableScopes": scopes, "permissions": permissionsOf(d.Permissions)}
	if !d.Created.IsZero() {
		p["createdOn"], p["updatedOn"], p["createdBy"], p["updatedBy"] = stamp(d.Created), stamp(d.Updated), d.CreatedBy, d.UpdatedBy
	}
	return map[string]any{"id": roleID(sub, d.ID), "name": string(d.ID), "type": "Microsoft.Authorization/roleDefinitions", "properties": p}
}

func fromRole(r rbac.Role) gallery.RoleDefinition {
	d := gallery.RoleDefinition{ID: gallery.RoleID(r.ID), Name: r.Name, Description: r.Description, AssignableScopes: r.AssignableScopes}
	for _, p := range r.Permissions {
		d.Permissions = append(d.Permissions, gallery.Permission(p))
	}
	return d
}

func toRole(d gallery.RoleDefinition) rbac.Role {
	r := rbac.Role{ID: string(d.ID), Name: d.Name, Description: d.Description, AssignableScopes: d.AssignableScopes}
	for _, p := range d.Permissions {
		r.Permissions = append(r.Permissions, rbac.Permission(p))
	}
	return r
}

// roles are the built-in roles and those of the scope's tenant, by id.
func (h *handler) roles(r *request) ([]gallery.RoleDefinition, map[gallery.RoleID]bool, error) {
	builtIn := map[gallery.RoleID]bool{}
	var all []gallery.RoleDefinition
	for _, role := range rbac.BuiltIns() {
		d := fromRole(role)
		all, builtIn[d.ID] = append(all, d), true
	}
	custom, err := h.o.Service.RoleDefinitions(r.Context(), subOfScope(r.scope))
	return append(all, custom...), builtIn, err
}

func (h *handler) listRoles(r *request) (answer, error) {
	f, err := parseFilter(r.URL.Query().Get("$filter"))
	if err != nil {
		return answer{}, err
	}
	all, builtIn, err := h.roles(r)
	if err != nil {
		return answer{}, err
	}
	value := []any{}
	for _, d := range all {
		if name, asked := f.equal("roleName"); asked && !strings.EqualFold(name, d.Name) {
			continue
		}
		if kind, asked := f.equal("type"); asked && strings.EqualFold(kind, "BuiltInRole") != builtIn[d.ID] {
			continue
		}
		value = append(value, showRole(subOfScope(r.scope), d, builtIn[d.ID]))
	}
	return ok(map[string]any{"value": value}), nil
}

func (h *handler) getRole(r *request) (answer, error) {
	all, builtIn, err := h.roles(r)
	if err != nil {
		return answer{}, err
	}
	for _, d := range all {
		if strings.EqualFold(string(d.ID), r.vars["id"]) {
			return ok(showRole(subOfScope(r.scope), d, builtIn[d.ID])).tagged(d.ETag), nil
		}
	}
	return answer{}, fault.New(fault.ResourceNotFound, "The role definition '%s' does not exist.", r.vars["id"])
}

// decodeBody reads a small JSON body; unknown members are passed over.
func decodeBody(r *request, v any) error {
	body, err := io.ReadAll(respond.Body(r.w, r.Request, maxBody))
	if err != nil {
		return fault.New(fault.RequestTooLarge, "The body is larger than %d bytes.", maxBody)
	}
	if err := json.Unmarshal(body, v); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return fault.At(fault.InvalidRequestContent, wrong.Field, "The member must be of the type %s.", wrong.Type)
		}
		return fault.New(fault.InvalidRequestContent, "The body must be one JSON object.")
	}
	return nil
}

func (h *handler) putRole(r *request) (answer, error) {
	var in struct {
		Properties struct {
			Name        string           `json:"roleName"`
			Description string           `json:"description"`
			Scopes      []string         `json:"assignableScopes"`
			Permissions []permissionBody `json:"permissions"`
		} `json:"properties"`
	}
	if err := decodeBody(r, &in); err != nil {
		return answer{}, err
	}
	id := strings.ToLower(r.vars["id"])
	if !gallery.ValidID(id) {
		return answer{}, fault.At(fault.InvalidParameter, "name", "The name of a role definition is a UUID.")
	}
	d := gallery.RoleDefinition{ID: gallery.RoleID(id), Tenant: h.tenantOf(r), Name: in.Properties.Name, Description: in.Properties.Description}
	for _, s := range in.Properties.Scopes {
		id, err := armid.ParseID(s)
		if err != nil {
			return answer{}, fault.At(fault.InvalidParameter, "properties.assignableScopes", "The scope '%s' is malformed.", s)
		}
		scope := id.String()
		if err := h.o.Access.Check(r.Context(), "Microsoft.Authorization/roleDefinitions/write", scope); err != nil {
			return answer{}, err
		}
		d.AssignableScopes = append(d.AssignableScopes, scope)
	}
	for _, p := range in.Properties.Permissions {
		d.Permissions = append(d.Permissions, gallery.Permission{Actions: p.Actions, NotActions: p.NotActions, DataActions: p.DataActions, NotDataActions: p.NotDataActions})
	}
	if _, builtIn := rbac.BuiltInByID(string(d.ID)); builtIn {
		return answer{}, fault.New(fault.OperationNotAllowed, "The built-in role '%s' cannot be changed.", d.ID)
	}
	role := toRole(d)
	if err := role.ValidateCustom(); err != nil {
		return answer{}, err
	}
	w, err := h.conditionalRole(r)
	if err != nil {
		return answer{}, err
	}
	if d, err = h.o.Service.PutRoleDefinition(r.Context(), d, w); err != nil {
		return answer{}, err
	}
	// Clients accept 201 only, also for an update.
	return answer{status: http.StatusCreated, body: showRole(subOfScope(r.scope), d, false)}.tagged(d.ETag), nil
}

// conditionalRole holds the request's condition against the custom role of the path.
func (h *handler) conditionalRole(r *request) (Write, error) {
	custom, err := h.o.Service.RoleDefinitions(r.Context(), subOfScope(r.scope))
	if err != nil {
		return Write{}, err
	}
	var etag uint64
	for _, d := range custom {
		if strings.EqualFold(string(d.ID), r.vars["id"]) {
			etag = d.ETag
		}
	}
	return r.conditional(etag)
}

func (h *handler) tenantOf(r *request) gallery.TenantID {
	if sub, err := h.o.Service.Subscription(r.Context(), subOfScope(r.scope)); err == nil {
		return sub.Tenant
	}
	return ""
}

func (h *handler) deleteRole(r *request) (answer, error) {
	custom, err := h.o.Service.RoleDefinitions(r.Context(), subOfScope(r.scope))
	if err != nil {
		return answer{}, err
	}
	w, err := h.conditionalRole(r)
	if err != nil {
		return answer{}, err
	}
	i := slices.IndexFunc(custom, func(d gallery.RoleDefinition) bool { return strings.EqualFold(string(d.ID), r.vars["id"]) })
	if i < 0 {
		return empty(http.StatusNoContent), nil
	}
	if err := h.o.Service.DeleteRoleDefinition(r.Context(), custom[i].ID, w); err != nil {
		return answer{}, err
	}
	return ok(showRole(subOfScope(r.scope), custom[i], false)), nil
}

func showAssignment(a gallery.RoleAssignment) map[string]any {
	p := map[string]any{"scope": a.Scope, "principalId": string(a.Principal), "principalType": string(a.PrincipalKind), "roleDefinitionId": roleID(subOfScope(a.Scope), a.Role),
		"createdOn": stamp(a.Created), "updatedOn": stamp(a.Created), "createdBy": a.CreatedBy, "updatedBy": a.CreatedBy}
	if a.Description != "" {
		p["description"] = a.Description
	}
	if a.Condition != "" {
		p["condition"], p["conditionVersion"] = a.Condition, a.ConditionVersion
	}
	return map[string]any{"id": strings.TrimSuffix(a.Scope, "/") + "/providers/Microsoft.Authorization/roleAssignments/" + string(a.ID), "name": string(a.ID),
		"type": "Microsoft.Authorization/roleAssignments", "properties": p}
}

// listAssignments shows those at the scope, above and below it; atScope() leaves out what is below.
func (h *handler) listAssignments(r *request) (answer, error) {
	f, err := parseFilter(r.URL.Query().Get("$filter"))
	if err != nil {
		return answer{}, err
	}
	all, err := h.o.Service.RoleAssignments(r.Context())
	if err != nil {
		return answer{}, err
	}
	_, exact := f.has("atscope")
	principal, byPrincipal := f.equal("principalId")
	if id, assigned := f.has("assignedto"); assigned {
		principal, byPrincipal = id, true
	}
	kept := all[:0:0]
	for _, a := range all {
		above, below := rbac.Covers(a.Scope, r.scope), rbac.Covers(r.scope, a.Scope)
		if !above && (exact || !below) || byPrincipal && !strings.EqualFold(principal, string(a.Principal)) {
			continue
		}
		kept = append(kept, a)
	}
	return paged(r, kept, func(a gallery.RoleAssignment) string { return string(a.ID) }, func(a gallery.RoleAssignment) (any, error) { return showAssignment(a), nil })
}

// assignment finds the one of the path; one of another scope is not there.
func (h *handler) assignment(r *request) (gallery.RoleAssignment, error) {
	all, err := h.o.Service.RoleAssignments(r.Context())
	if err != nil {
		return gallery.RoleAssignment{}, err
	}
	for _, a := range all {
		if strings.EqualFold(string(a.ID), r.vars["id"]) && strings.EqualFold(a.Scope, r.scope) {
			return a, nil
		}
	}
	return gallery.RoleAssignment{}, fault.New(fault.AssignmentNotFound, "The role assignment '%s' is not found.", r.vars["id"])
}

func (h *handler) getAssignment(r *request) (answer, error) {
	a, err := h.assignment(r)
	if err != nil {
		return answer{}, err
	}
	return ok(showAssignment(a)).tagged(a.ETag), nil
}

func (h *handler) putAssignment(r *request) (answer, error) {
	var in struct {
		Properties struct {
			Role             string `json:"roleDefinitionId"`
			Principal        string `json:"principalId"`
			PrincipalType    string `json:"principalType"`
			Description      string `json:"description"`
			Condition        string `json:"condition"`
			ConditionVersion string `json:"conditionVersion"`
		} `json:"properties"`
	}
	if err := decodeBody(r, &in); err != nil {
		return answer{}, err
	}
	id, p := strings.ToLower(r.vars["id"]), in.Properties
	if !gallery.ValidID(id) {
		return answer{}, fault.At(fault.InvalidParameter, "name", "The name of a role assignment is a UUID.")
	}
	role := gallery.RoleID(strings.ToLower(p.Role[strings.LastIndexByte(p.Role, '/')+1:]))
	all, _, err := h.roles(r)
	if err != nil {
		return answer{}, err
	}
	if !slices.ContainsFunc(all, func(d gallery.RoleDefinition) bool { return d.ID == role }) {
		return answer{}, fault.At(fault.RoleDefinitionNotFound, "properties.roleDefinitionId", "The specified role definition with id '%s' does not exist.", role)
	}
	if err := rbac.ValidateScope(r.scope); err != nil {
		return answer{}, err
	}
	who, err := h.o.Service.Principal(r.Context(), gallery.PrincipalID(strings.ToLower(p.Principal)))
	if err != nil {
		return answer{}, fault.At(fault.PrincipalNotFound, "properties.principalId", "The principal '%s' does not exist in this cluster.", p.Principal)
	}
	was, missing := h.assignment(r)
	w, err := r.conditional(was.ETag)
	if err != nil {
		return answer{}, err
	}
	a, err := h.o.Service.PutRoleAssignment(r.Context(), gallery.RoleAssignment{ID: gallery.AssignmentID(id), Tenant: h.tenantOf(r), Scope: r.scope, Principal: who.ID,
		PrincipalKind: who.Kind, Role: role, Description: p.Description, Condition: p.Condition, ConditionVersion: p.ConditionVersion}, w)
	if err != nil {
		return answer{}, err
	}
	status := http.StatusCreated
	if missing == nil {
		status = http.StatusOK
	}
	return answer{status: status, body: showAssignment(a)}.tagged(a.ETag), nil
}

func (h *handler) deleteAssignment(r *request) (answer, error) {
	a, missing := h.assignment(r)
	w, err := r.conditional(a.ETag)
	if err != nil {
		return answer{}, err
	}
	if missing != nil {
		return empty(http.StatusNoContent), nil
	}
	if err := h.o.Service.DeleteRoleAssignment(r.Context(), a, w); err != nil {
		return answer{}, err
	}
	return ok(showAssignment(a)), nil
}

// listPermissions shows what the caller may do at the scope.
func (h *handler) listPermissions(r *request) (answer, error) {
	value := []any{}
	for _, p := range h.o.Access.Permissions(r.Context(), r.scope) {
		value = append(value, permissionsOf([]gallery.Permission{gallery.Permission(p)})[0])
	}
	return ok(map[string]any{"value": value}), nil
}
