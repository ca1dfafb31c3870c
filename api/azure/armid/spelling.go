package armid

import (
	"strings"

	"loggia/gallery"
)

// The words that ids are read by.
const (
	segSubscriptions = "subscriptions"
	segGroups        = "resourceGroups"
	segProviders     = "providers"
	segLocations     = "locations"
	segRegister      = "register"
	segUnregister    = "unregister"

	nsResources     = "Microsoft.Resources"
	nsAuthorization = "Microsoft.Authorization"

	sharedGalleries    = "SharedGalleries"
	communityGalleries = "CommunityGalleries"
)

// roots are the words that an id begins with. The two of galleries that are read by consumers are not resources: they
// name what is shared, wherever the gallery lies.
var roots = table(segSubscriptions, segProviders, "tenants", sharedGalleries, communityGalleries)

// outsideResources says whether root begins ids that no resource has.
func outsideResources(root string) bool {
	return root == sharedGalleries || root == communityGalleries
}

// types are the canonical spellings of types, and of actions, which stand in their place. Clients compare some of them
// with regard to case. Others keep the case that they came in.
var types = table(
	segSubscriptions, segGroups, segProviders, segLocations, segRegister, segUnregister, "resources", "tagNames", "tagValues",
	"galleries", "images", "versions", "applications", "scripts", "inVMAccessControlProfiles",
	"softDeletedArtifactTypes", "artifacts", "share",
	"sharedGalleries", "communityGalleries", "sharedGallerySubscriptions", "tenantLevelSharedGallerySubscriptions", "accept", "reject",
	"capsOperations", "usages", "vmSizes", "skus", "publishers",
	"snapshots", "disks", "diskEncryptionSets", "diskAccesses", "virtualMachines", "virtualMachineScaleSets", "beginGetAccess", "endGetAccess",
	"roleAssignments", "roleDefinitions", "denyAssignments", "permissions", "locks", "providerOperations", "policyAssignments",
	"deployments", "operations", "operationResults", "operationStatuses", "validate", "cancel", "whatIf", "exportTemplate", "tags", "links",
	"eventtypes", "eventcategories", "values",
	"storageAccounts", "userAssignedIdentities",
)

// sharedTypes are the spellings below SharedGalleries and CommunityGalleries.
var sharedTypes = table("Images", "Versions")

var namespaces = table(
	"Microsoft.Compute", nsAuthorization, nsResources, "Microsoft.Insights", "Microsoft.ResourceGraph", "Microsoft.Features",
	"Microsoft.Storage", "Microsoft.Network", "Microsoft.KeyVault", "Microsoft.ManagedIdentity", "Microsoft.Management", "Microsoft.Support",
	"Loggia.Cluster", "Loggia.Identity",
)

// extends says whether resources of a type can hang on any scope.
func extends(namespace, kind string) bool {
	return namespace == nsAuthorization || namespace == nsResources && (kind == "tags" || kind == "links")
}

func table(words ...string) map[string]string {
	t := make(map[string]string, len(words))
	for _, w := range words {
		t[fold(w)] = w
	}
	return t
}

func spell(t map[string]string, s string) string {
	if known, ok := t[fold(s)]; ok {
		return known
	}
	return s
}

func spellType(root, s string) string {
	if known, ok := sharedTypes[fold(s)]; ok && outsideResources(root) {
		return known
	}
	return spell(types, s)
}

// spellName returns a name as it is kept: namespaces and regions have one spelling, UUIDs of subscriptions are lower
// case, other names keep theirs.
func spellName(kind, name string) string {
	switch kind {
	case segProviders:
		return spell(namespaces, name)
	case segLocations:
		return string(gallery.NormalizeRegion(name))
	case segSubscriptions:
		if lower := fold(name); gallery.ValidID(lower) {
			return lower
		}
	}
	return name
}

// fold lowers ASCII, of which ids are made.
func fold(s string) string { return strings.ToLower(s) }
