package gallery

// What a subscription holds at most in one region: Azure's bounds.
const (
	MaxGalleries   = 100
	MaxDefinitions = 1000
	MaxVersions    = 10000
)

// Bounds of a subscription, a definition or a version wherever they lie.
const (
	MaxAppVersions     = 300 // of one application definition; Azure's bound
	MaxVersionReplicas = 100 // of one version, over all regions; Azure's bound
	MaxResourceGroups  = 980 // of one subscription; Azure's bound
	MaxSnapshots       = 50000
	MaxAssignments     = 4000 // in one subscription; Azure's bound
)

// Bounds of a tenant or the cluster.
const (
	MaxRoles   = 5000
	MaxIssuers = 32
)
