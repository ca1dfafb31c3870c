package azure

import (
	"strings"

	"loggia/api/azure/fault"
	"loggia/gallery"
)

func showSubscription(s gallery.Subscription) map[string]any {
	return map[string]any{"id": "/subscriptions/" + string(s.ID), "subscriptionId": string(s.ID), "tenantId": string(s.Tenant), "displayName": s.Name,
		"state": "Enabled", "authorizationSource": "RoleBased", "subscriptionPolicies": map[string]any{"locationPlacementId": "Public_2014-09-01",
			"quotaId": "Loggia", "spendingLimit": "Off"}, "managedByTenants": []any{}}
}

func (h *handler) listSubscriptions(r *request) (answer, error) {
	all, err := h.o.Service.Subscriptions(r.Context())
	if err != nil {
		return answer{}, err
	}
	seen := all[:0:0]
	for _, s := range all {
		if h.o.Access.Sees(r.Context(), s.ID) {
			seen = append(seen, s)
		}
	}
	return paged(r, seen, func(s gallery.Subscription) string { return string(s.ID) }, func(s gallery.Subscription) (any, error) { return showSubscription(s), nil })
}

func (h *handler) getSubscription(r *request) (answer, error) {
	s, err := h.o.Service.Subscription(r.Context(), r.sub())
	if err != nil {
		return answer{}, err
	}
	return ok(showSubscription(s)), nil
}

// listTenants shows the tenants of the subscriptions that the caller sees.
func (h *handler) listTenants(r *request) (answer, error) {
	subs, err := h.o.Service.Subscriptions(r.Context())
	if err != nil {
		return answer{}, err
	}
	seen := map[gallery.TenantID]bool{}
	for _, s := range subs {
		seen[s.Tenant] = seen[s.Tenant] || h.o.Access.Sees(r.Context(), s.ID)
	}
	all, err := h.o.Service.Tenants(r.Context())
	if err != nil {
		return answer{}, err
	}
	mine := all[:0:0]
	for _, t := range all {
		if seen[t.ID] {
			mine = append(mine, t)
		}
	}
	return paged(r, mine, func(t gallery.Tenant) string { return string(t.ID) }, func(t gallery.Tenant) (any, error) {
		return map[string]any{"id": "/tenants/" + string(t.ID), "tenantId": string(t.ID), "displayName": t.Name, "tenantCategory": "Home"}, nil
	})
}

func (h *handler) listLocations(r *request) (answer, error) {
	all, err := h.o.Service.Regions(r.Context())
	if err != nil {
		return answer{}, err
	}
	value := make([]any, 0, len(all))
	for _, region := range all {
		display := orDefault(region.Display, string(region.Name))
		value = append(value, map[string]any{"id": "/subscriptions/" + string(r.sub()) + "/locations/" + string(region.Name), "name": string(region.Name),
			"type": "Region", "displayName": display, "regionalDisplayName": display,
			"metadata": map[string]any{"regionType": "Physical", "regionCategory": "Recommended"}})
	}
	return ok(map[string]any{"value": value}), nil
}

// provided are the resource types of each namespace, as clients look for their api-versions.
var provided = []struct {
	namespace string
	types     []string
}{
	{"Microsoft.Authorization", []string{"roleAssignments", "roleDefinitions", "permissions"}},
	{"Microsoft.Compute", []string{"galleries", "galleries/images", "galleries/images/versions", "galleries/applications", "galleries/applications/versions", "snapshots",
		"locations", "locations/capsOperations"}},
	{"Microsoft.Resources", []string{"resourceGroups", "subscriptions", "tags", "tenants"}},
}

// typeVersions are the api-versions that clients are offered, newest first; whatever is well formed is accepted.
var typeVersions = map[string][]string{
	"Microsoft.Compute": {"2025-12-03", "2025-03-03", "2024-03-03", "2023-07-03", "2022-08-03", "2022-03-03", "2022-01-03", "2021-10-01", "2021-07-01",
		"2020-09-30", "2019-12-01", "2019-07-01", "2019-03-01", "2018-06-01"},
	"Microsoft.Authorization": {"2022-04-01", "2022-05-01-preview", "2018-01-01-preview", "2015-07-01"},
	"Microsoft.Resources":     {"2025-04-01", "2023-07-01", "2022-12-01", "2021-04-01", "2020-06-01"},
}

func (h *handler) provider(r *request, i int) (map[string]any, error) {
	regions, err := h.o.Service.Regions(r.Context())
	if err != nil {
		return nil, err
	}
	locations := []any{}
	for _, region := range regions {
		locations = append(locations, string(region.Name))
	}
	p := provided[i]
	types := []any{}
	for _, t := range p.types {
		versions := typeVersions[p.namespace]
		if t == "snapshots" {
			versions = append([]string{"2025-01-02", "2024-03-02", "2023-10-02", "2023-04-02", "2022-07-02", "2022-03-02", "2021-12-01", "2021-04-01", "2020-12-01"}, versions...)
		}
		types = append(types, map[string]any{"resourceType": t, "locations": locations, "apiVersions": anys(versions), "defaultApiVersion": versions[0], "capabilities": "SupportsTags, SupportsLocation"})
	}
	return map[string]any{"id": "/subscriptions/" + string(r.sub()) + "/providers/" + p.namespace, "namespace": p.namespace,
		"registrationState": "Registered", "registrationPolicy": "RegistrationFree", "resourceTypes": types}, nil
}

func (h *handler) listProviders(r *request) (answer, error) {
	value := []any{}
	for i := range provided {
		p, err := h.provider(r, i)
		if err != nil {
			return answer{}, err
		}
		value = append(value, p)
	}
	return ok(map[string]any{"value": value}), nil
}

func (h *handler) getProvider(r *request) (answer, error) {
	for i, p := range provided {
		if strings.EqualFold(p.namespace, r.vars["namespace"]) {
			v, err := h.provider(r, i)
			return ok(v), err
		}
	}
	return answer{}, fault.New(fault.NotFound, "The resource provider namespace '%s' is not served here.", r.vars["namespace"])
}
