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
}

type handler func(*entry, command.Command) (any, error)

// handlers has one for every kind in command.Defs; a test holds it to that.
var handlers = map[command.Kind]handler{
	command.KindClusterInit:           of(clusterInit),
	command.KindClusterSetVersion:     of(clusterSetVersion),
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
	command.KindExpireClaims:          of(expireClaims),
	command.KindExpireUploads:         of(expireUploads),
	command.KindPruneRequests:         of(pruneRequests),
	command.KindTenantPut:             notYet,
	command.KindSubscriptionPut:       notYet,
	command.KindSubscriptionDelete:    notYet,
	command.KindGroupPut:              notYet,
	command.KindGroupDelete:           notYet,
	command.KindGroupSweep:            notYet,
	command.KindPrincipalPut:          notYet,
	command.KindPrincipalDelete:       notYet,
	command.KindPrincipalAddSecret:    notYet,
	command.KindPrincipalRemoveSecret: notYet,
	command.KindPrincipalSetDisabled:  notYet,
	command.KindPrincipalSetMember:    notYet,
	command.KindACLBootstrap:          notYet,
	command.KindRolePut:               notYet,
	command.KindRoleDelete:            notYet,
	command.KindAssignmentPut:         notYet,
	command.KindAssignmentDelete:      notYet,
	command.KindIssuerPut:             notYet,
	command.KindIssuerDelete:          notYet,
	command.KindSigningKeyPut:         notYet,
	command.KindSigningKeyDelete:      notYet,
	command.KindExpireOperations:      notYet,
	command.KindSnapshotPut:           notYet,
	command.KindSnapshotDelete:        notYet,
	command.KindSnapshotComplete:      notYet,
	command.KindSnapshotFail:          notYet,
	command.KindSnapshotGrant:         notYet,
	command.KindSnapshotRevoke:        notYet,
	command.KindVersionImported:       notYet,
	command.KindVersionImportFailed:   notYet,
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

// notYet refuses kinds whose handlers are to come; nobody proposes them before.
func notYet(*entry, command.Command) (any, error) {
	return nil, fail(gallery.ErrUnavailable, "", "not offered yet")
}
