package command

// The kinds. A number is never used again; families begin at round numbers.
const (
	KindClusterInit          Kind = 10
	KindClusterSetVersion    Kind = 11
	KindClusterSetGeneration Kind = 12

	KindRegionPut    Kind = 20
	KindRegionRemove Kind = 21

	KindStorePut      Kind = 30
	KindStoreSetState Kind = 31
	KindStoreRemove   Kind = 32

	KindNodeJoin   Kind = 40
	KindNodeUpdate Kind = 41
	KindNodeRemove Kind = 42

	KindAccessTokenPut    Kind = 50
	KindAccessTokenDelete Kind = 51
	KindJoinTokenPut      Kind = 52
	KindJoinTokenDelete   Kind = 53

	KindGalleryPut    Kind = 60
	KindGalleryDelete Kind = 61

	KindImagePut    Kind = 70
	KindImageDelete Kind = 71

	KindVersionPut    Kind = 80
	KindVersionDelete Kind = 81

	KindUploadOpen     Kind = 90
	KindUploadReopen   Kind = 91
	KindUploadRenew    Kind = 92
	KindUploadAbandon  Kind = 93
	KindUploadComplete Kind = 94

	KindReplicaClaim      Kind = 100
	KindReplicaCheckpoint Kind = 101
	KindReplicaComplete   Kind = 102
	KindReplicaFail       Kind = 103
	KindReplicaRelease    Kind = 104
	KindReplicaMarkLost   Kind = 105

	KindRepositoryCompact Kind = 110
	KindRepositoryCondemn Kind = 111
	KindRepositorySwept   Kind = 112

	KindExpireClaims  Kind = 120
	KindExpireUploads Kind = 121
	KindPruneRequests Kind = 122
)
