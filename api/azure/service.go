package azure

import (
	"context"
	"time"

	"loggia/gallery"
	"loggia/gallery/rbac"
)

// Access decides what the caller of a context may do. A route asks it before its handler runs; handlers ask it only about
// what a body names.
type Access interface {
	// Check returns nil when the caller may do action at scope, a canonical id. Its error is a *gallery.Error of the kind
	// gallery.ErrForbidden, which names client, object, action and scope.
	Check(ctx context.Context, action, scope string) error
	// Sees says whether the subscription exists and the caller belongs to its tenant or has a right anywhere in it.
	Sees(ctx context.Context, sub gallery.SubscriptionID) bool
	// Permissions are what the caller may do at a scope, one for each role that it has there.
	Permissions(ctx context.Context, scope string) []rbac.Permission
	// Is says whether principal, as an operation remembers it, is the caller.
	Is(ctx context.Context, principal string) bool
}

// Write is what every write carries beside the row.
type Write struct {
	ETag   uint64 // the row that was read; 0: none
	Absent bool   // the row must not exist
	Try    int    // how many writes of this request were made before, and lost against another
	Start  *gallery.OperationStart
}

// Version is a version with what stands behind it.
type Version struct {
	gallery.ImageVersion
	Contents     []gallery.Disk // of Disks, in their order; an empty one where it is not there yet
	Regions      []gallery.RegionStatus
	Provisioning gallery.ProvisioningState
}

// Operation is an operation and how far it is.
type Operation struct {
	gallery.Operation
	Regions []gallery.RegionStatus // of what it waits for
	Note    string                 // what it waits for, for people
	Result  []byte                 // JSON of the result of an action, once Succeeded
}

// Snapshot is a snapshot with what stands behind it.
type Snapshot struct {
	gallery.Snapshot
	Content gallery.Disk
}

// Service is what the handlers ask of the node. Rows that are not there give gallery.ErrNotFound.
type Service interface {
	Settle(ctx context.Context, consistency string) (age time.Duration, stale bool, err error)

	Tenants(ctx context.Context) ([]gallery.Tenant, error)
	Subscriptions(ctx context.Context) ([]gallery.Subscription, error)
	Subscription(ctx context.Context, id gallery.SubscriptionID) (gallery.Subscription, error)
	Regions(ctx context.Context) ([]gallery.Region, error)

	Groups(ctx context.Context, sub gallery.SubscriptionID) ([]gallery.ResourceGroup, error)
	Group(ctx context.Context, ref gallery.GroupRef) (gallery.ResourceGroup, error)
	PutGroup(ctx context.Context, g gallery.ResourceGroup, w Write) (gallery.ResourceGroup, error)
	DeleteGroup(ctx context.Context, ref gallery.GroupRef, w Write) error

	// Galleries of a subscription, ordered by name.
	Galleries(ctx context.Context, sub gallery.SubscriptionID) ([]gallery.Gallery, error)
	Gallery(ctx context.Context, ref gallery.GalleryRef) (gallery.Gallery, error)
	PutGallery(ctx context.Context, g gallery.Gallery, w Write) (gallery.Gallery, error)
	DeleteGallery(ctx context.Context, ref gallery.GalleryRef, w Write) error

	// Images are image definitions and applications, by the kind of the ref.
	Images(ctx context.Context, ref gallery.GalleryRef, kind gallery.ArtifactKind) ([]gallery.Image, error)
	Image(ctx context.Context, ref gallery.ImageRef) (gallery.Image, error)
	PutImage(ctx context.Context, i gallery.Image, w Write) (gallery.Image, error)
	DeleteImage(ctx context.Context, ref gallery.ImageRef, w Write) error

	// Versions in numeric order, and what completes one of them with what stands behind it, as of the same moment: a page needs few.
	Versions(ctx context.Context, ref gallery.ImageRef) (rows []*gallery.ImageVersion, whole func(*gallery.ImageVersion) Version, err error)
	Version(ctx context.Context, ref gallery.VersionRef) (Version, error)
	PutVersion(ctx context.Context, v gallery.ImageVersion, w Write) (Version, error)
	DeleteVersion(ctx context.Context, ref gallery.VersionRef, w Write) error
	// Notes says in words what happens to the version's copies right now; of those that it does not name the log's word is all there is.
	Notes(ctx context.Context, v Version) map[gallery.ReplicaKey]string

	Snapshots(ctx context.Context, sub gallery.SubscriptionID) ([]Snapshot, error)
	Snapshot(ctx context.Context, ref gallery.SnapshotRef) (Snapshot, error)
	PutSnapshot(ctx context.Context, s gallery.Snapshot, w Write) (Snapshot, error)
	DeleteSnapshot(ctx context.Context, ref gallery.SnapshotRef, w Write) error
	// GrantAccess makes a signed link to the snapshot's disk and returns its path on this origin.
	GrantAccess(ctx context.Context, ref gallery.SnapshotRef, life time.Duration, w Write) (path string, err error)
	RevokeAccess(ctx context.Context, ref gallery.SnapshotRef, w Write) error

	Operation(ctx context.Context, sub gallery.SubscriptionID, id gallery.OperationID) (Operation, error)

	RoleDefinitions(ctx context.Context, sub gallery.SubscriptionID) ([]gallery.RoleDefinition, error)
	PutRoleDefinition(ctx context.Context, d gallery.RoleDefinition, w Write) (gallery.RoleDefinition, error)
	DeleteRoleDefinition(ctx context.Context, id gallery.RoleID, w Write) error
	RoleAssignments(ctx context.Context) ([]gallery.RoleAssignment, error)
	PutRoleAssignment(ctx context.Context, a gallery.RoleAssignment, w Write) (gallery.RoleAssignment, error)
	DeleteRoleAssignment(ctx context.Context, a gallery.RoleAssignment, w Write) error
	Principal(ctx context.Context, id gallery.PrincipalID) (gallery.Principal, error)
}
