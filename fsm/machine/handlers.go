package machine

import (
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

// entry is one entry being applied: the writing of its rows and its header.
type entry struct {
	*state.Tx
	command.Header
	started *gallery.Operation // that the header asks for; handlers may let it wait
}

type handler func(*entry, command.Command) (any, error)

// handlers has one for every kind in command.Defs; a test holds it to that.
var handlers = map[command.Kind]handler{
	command.KindClusterInit:           of(clusterInit),
	command.KindClusterSetVersion:     of(clusterSetVersion),
	command.KindClusterSetCollection:  of(clusterSetCollection),
	command.KindClusterSetGeneration:  of(clusterSetGeneration),
	command.KindRegionPut:             of(regionPut),
	command.KindRegionRemove:          of(regionRemove),
	command.KindStorePut:              of(storePut),
	command.KindStoreSetState:         of(storeSetState),
	command.KindStoreRemove:           of(storeRemove),
	command.KindNodeJoin:              of(nodeJoin),
	command.KindNodeUpdate:            of(nodeUpdate),
	command.KindNodeRemove:            of(nodeRemove),
	command.KindAccessTokenPut:        of(accessTokenPut),
	command.KindAccessTokenDelete:     of(accessTokenDelete),
	command.KindJoinTokenPut:          of(joinTokenPut),
	command.KindJoinTokenDelete:       of(joinTokenDelete),
	command.KindGalleryPut:            of(galleryPut),
	command.KindGalleryDelete:         of(galleryDelete),
	command.KindImagePut:              of(imagePut),
	command.KindImageDelete:           of(imageDelete),
	command.KindVersionPut:            of(versionPut),
	command.KindVersionDelete:         of(versionDelete),
	command.KindUploadOpen:            of(uploadOpen),
	command.KindUploadReopen:          of(uploadReopen),
	command.KindUploadRenew:           of(uploadRenew),
	command.KindUploadAbandon:         of(uploadAbandon),
	command.KindUploadComplete:        of(uploadComplete),
	command.KindReplicaClaim:          of(replicaClaim),
	command.KindReplicaCheckpoint:     of(replicaCheckpoint),
	command.KindReplicaComplete:       of(replicaComplete),
	command.KindReplicaFail:           of(replicaFail),
	command.KindReplicaRelease:        of(replicaRelease),
	command.KindReplicaMarkLost:       of(replicaMarkLost),
	command.KindRepositoryCompact:     of(repositoryCompact),
	command.KindRepositoryCondemn:     of(repositoryCondemn),
	command.KindRepositorySwept:       of(repositorySwept),
	command.KindRepositoryClaim:       of(repositoryClaim),
	command.KindRepositoryChecked:     of(repositoryChecked),
	command.KindRepositoryRelease:     of(repositoryRelease),
	command.KindRepositorySweep:       of(repositorySweep),
	command.KindRepositoryAsk:         of(repositoryAsk),
	command.KindExpireClaims:          of(expireClaims),
	command.KindExpireUploads:         of(expireUploads),
	command.KindPruneRequests:         of(pruneRequests),
	command.KindTenantPut:             of(tenantPut),
	command.KindSubscriptionPut:       of(subscriptionPut),
	command.KindSubscriptionDelete:    of(subscriptionDelete),
	command.KindGroupPut:              of(groupPut),
	command.KindGroupDelete:           of(groupDelete),
	command.KindGroupSweep:            of(groupSweep),
	command.KindPrincipalPut:          of(principalPut),
	command.KindPrincipalDelete:       of(principalDelete),
	command.KindPrincipalAddSecret:    of(principalAddSecret),
	command.KindPrincipalRemoveSecret: of(principalRemoveSecret),
	command.KindPrincipalSetDisabled:  of(principalSetDisabled),
	command.KindPrincipalSetMember:    of(principalSetMember),
	command.KindACLBootstrap:          of(aclBootstrap),
	command.KindRolePut:               of(rolePut),
	command.KindRoleDelete:            of(roleDelete),
	command.KindAssignmentPut:         of(assignmentPut),
	command.KindAssignmentDelete:      of(assignmentDelete),
	command.KindIssuerPut:             of(issuerPut),
	command.KindIssuerDelete:          of(issuerDelete),
	command.KindSigningKeyPut:         of(signingKeyPut),
	command.KindSigningKeyDelete:      of(signingKeyDelete),
	command.KindExpireOperations:      of(expireOperations),
	command.KindSnapshotPut:           of(snapshotPut),
	command.KindSnapshotDelete:        of(snapshotDelete),
	command.KindSnapshotComplete:      of(snapshotComplete),
	command.KindSnapshotFail:          of(snapshotFail),
	command.KindSnapshotGrant:         of(snapshotGrant),
	command.KindSnapshotRevoke:        of(snapshotRevoke),
	command.KindVersionImported:       of(versionImported),
	command.KindVersionImportFailed:   of(versionImportFailed),
	command.KindLimitPut:              of(limitPut),
	command.KindLimitRemove:           of(limitRemove),
	command.KindTransferPause:         of(transferPause),
	command.KindTransferResume:        of(transferResume),
	command.KindDistancePut:           of(distancePut),
	command.KindDistanceRemove:        of(distanceRemove),
}

// of adapts a handler of one body type. A result of nil type R stands for no value.
func of[B any, P interface {
	*B
	command.Command
}, R any](f func(*entry, P) (*R, error)) handler {
	return func(e *entry, c command.Command) (any, error) {
		r, err := f(e, c.(P))
		if r == nil || err != nil {
			return nil, err
		}
		return r, nil
	}
}

// none is the result of kinds that have no value.
type none = struct{}
