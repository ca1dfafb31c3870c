package rbac

// The ids of the built-in roles: Azure's own, so that scripts which name them need no change.
const (
	Owner                   = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
	Contributor             = "b24988ac-6180-42a0-ab88-20f7382dd24c"
	Reader                  = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
	UserAccessAdministrator = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
	GallerySharingAdmin     = "1ef6a3be-d0ac-425d-8c01-acb62866290b"
	GalleryPublisher        = "85a2d0d9-2eba-4c9c-b355-11c2cc0788ab"
	GalleryImageReader      = "cf7c76d2-98a3-4358-a134-615aa78bf44d"
)

// builtIns are the roles that exist without having been made. The operator is Owner at the root. Actions of services
// that Loggia has not are kept: people compare roles with the documentation of Azure.
var builtIns = []Role{
	{
		ID: Owner, Name: "Owner",
		Description: "Everything, the giving of access to others included.",
		Permissions: []Permission{{Actions: []string{"*"}}},
	},
	{
		ID: Contributor, Name: "Contributor",
		Description: "Everything but giving access to others and sharing galleries.",
		Permissions: []Permission{{
			Actions: []string{"*"},
			NotActions: []string{
				"Microsoft.Authorization/*/Delete",
				"Microsoft.Authorization/*/Write",
				"Microsoft.Authorization/elevateAccess/Action",
				"Microsoft.Blueprint/blueprintAssignments/write",
				"Microsoft.Blueprint/blueprintAssignments/delete",
				"Microsoft.Compute/galleries/share/action",
				"Microsoft.Purview/consents/write",
				"Microsoft.Purview/consents/delete",
				"Microsoft.Resources/deploymentStacks/manageDenySetting/action",
				"Microsoft.Subscription/cancel/action",
				"Microsoft.Subscription/enable/action",
				// Ours: who could make secrets, tokens or nodes could be anybody.
				"Loggia.Identity/*/write",
				"Loggia.Identity/*/delete",
				"Loggia.Identity/*/action",
				"Loggia.Cluster/joinTokens/*",
			},
		}},
	},
	{
		ID: Reader, Name: "Reader",
		Description: "Sees everything and changes nothing.",
		Permissions: []Permission{{Actions: []string{"*/read"}}},
	},
	{
		ID: UserAccessAdministrator, Name: "User Access Administrator",
		Description: "Sees everything and gives access to others.",
		Permissions: []Permission{{Actions: []string{"*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"}}},
	},
	{
		ID: GallerySharingAdmin, Name: "Compute Gallery Sharing Admin",
		Description: "Shares galleries with other subscriptions and tenants, or with everybody; sees nothing.",
		Permissions: []Permission{{Actions: []string{"Microsoft.Compute/galleries/share/action"}}},
	},
	{
		ID: GalleryPublisher, Name: "Compute Gallery Artifacts Publisher",
		Description: "Makes and changes galleries and what is in them; does not share them.",
		Permissions: []Permission{{
			Actions: []string{
				"Microsoft.Compute/galleries/*",
				"Microsoft.Compute/locations/capsOperations/read",
				"Microsoft.Compute/locations/communityGalleries/*",
				"Microsoft.Compute/locations/sharedGalleries/*",
				"Microsoft.Compute/images/*",
				"Microsoft.Compute/virtualMachines/write",
				"Microsoft.Compute/disks/write",
				"Microsoft.Authorization/*/read",
				"Microsoft.Insights/alertRules/*",
				"Microsoft.Resources/deployments/*",
				"Microsoft.Resources/subscriptions/resourceGroups/read",
			},
			NotActions: []string{"Microsoft.Compute/galleries/share/action"},
		}},
	},
	{
		ID: GalleryImageReader, Name: "Compute Gallery Image Reader",
		Description: "Reads image definitions and their versions.",
		Permissions: []Permission{{Actions: []string{
			"Microsoft.Compute/galleries/images/read",
			"Microsoft.Compute/galleries/images/versions/read",
		}}},
	},
}

// atRoot is where every built-in role may be assigned: anywhere.
var atRoot = []string{Root}

// BuiltIns returns the built-in roles, always in the same order. What they hold is shared and is not to be changed.
func BuiltIns() []Role {
	all := make([]Role, len(builtIns))
	for i, r := range builtIns {
		r.AssignableScopes = atRoot
		all[i] = r
	}
	return all
}

// BuiltInByID returns the built-in role of an id. What it holds is shared and is not to be changed.
func BuiltInByID(id string) (Role, bool) {
	return builtIn(func(r *Role) bool { return equalFold(r.ID, id) })
}

// BuiltInByName returns the built-in role of a name. What it holds is shared and is not to be changed.
func BuiltInByName(name string) (Role, bool) {
	return builtIn(func(r *Role) bool { return equalFold(r.Name, name) })
}

func builtIn(is func(*Role) bool) (Role, bool) {
	for i := range builtIns {
		if is(&builtIns[i]) {
			r := builtIns[i]
			r.AssignableScopes = atRoot
			return r, true
		}
	}
	return Role{}, false
}
