package manage

import (
	"context"
	"time"

	"loggia/api/v1"
	"loggia/gallery"
)

// Condition makes a write depend on the resource's state.
type Condition struct {
	IfMatch uint64 // etag that it must have; 0: any
	OnlyNew bool   // it must not exist
}

// Service is what the handlers ask of the node. Reads answer from the node's state as Settle left
// it; writes have taken effect on this node's state when they return.
type Service interface {
	// Settle brings the node's state up to date as the consistency (strong, default or stale)
	// asks, and says how old it may be otherwise.
	Settle(ctx context.Context, consistency string) (age time.Duration, stale bool, err error)

	Galleries(ctx context.Context) ([]gallery.Gallery, error)
	Gallery(ctx context.Context, g string) (gallery.Gallery, error)
	PutGallery(ctx context.Context, g gallery.Gallery, c Condition) (gallery.Gallery, error)
	DeleteGallery(ctx context.Context, g string, c Condition) error

	Images(ctx context.Context, g string) ([]gallery.Image, error)
	Image(ctx context.Context, g, i string) (gallery.Image, error)
	PutImage(ctx context.Context, g string, i gallery.Image, c Condition) (gallery.Image, error)
	DeleteImage(ctx context.Context, g, i string, c Condition) error

	Versions(ctx context.Context, g, i string) ([]Version, error)
	// Version resolves "latest" for the region, or for the node's own where that is empty.
	Version(ctx context.Context, g, i, v, region string) (Version, error)
	PutVersion(ctx context.Context, g, i string, v gallery.ImageVersion, c Condition) (Version, error)
	PatchVersion(ctx context.Context, g, i, v string, p v1.VersionPatch, c Condition) (Version, error)
	DeleteVersion(ctx context.Context, g, i, v string, c Condition) error

	Snapshot(ctx context.Context, group, name string) (Snapshot, error)
	PutSnapshot(ctx context.Context, group, name string, s gallery.Snapshot, c Condition) (Snapshot, error)

	Regions(ctx context.Context) ([]v1.Region, error)
	Region(ctx context.Context, name string) (v1.Region, error)
	RemoveRegion(ctx context.Context, name string, lost bool) ([]string, error)

	Members(ctx context.Context) ([]v1.Member, error)
	RemoveMember(ctx context.Context, id string) error
	CreateJoinToken(ctx context.Context, r v1.JoinTokenRequest) (v1.JoinToken, error)
	RaftPeers(ctx context.Context) ([]v1.RaftPeer, error)
	TransferLeadership(ctx context.Context) error
	Promote(ctx context.Context, node string) error

	Identity
	Steering
	Collecting

	Tokens(ctx context.Context) ([]gallery.AccessToken, error)
	CreateToken(ctx context.Context, r v1.TokenRequest) (v1.Token, error)
	DeleteToken(ctx context.Context, id string) error
}

// Version is a version with what its disks are and how its replication stands.
type Version struct {
	gallery.ImageVersion
	Disks []gallery.Disk // in the order of ImageVersion.Disks
	State gallery.AggregatedState
}

// Snapshot is a snapshot and its id in Azure's terms.
type Snapshot struct {
	gallery.Snapshot
	ID string
}
