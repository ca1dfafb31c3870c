package command

// The kinds. A number is never used again; families begin at round numbers.
const (
	KindClusterInit          Kind = 10
	KindClusterSetVersion    Kind = 11
	KindClusterSetGeneration Kind = 12
	KindClusterSetCollection Kind = 13

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
	KindRepositoryClaim   Kind = 113
	KindRepositoryRelease Kind = 114
	KindRepositorySweep   Kind = 115
	KindRepositoryAsk     Kind = 116
	KindRepositoryChecked Kind = 117

	KindExpireClaims  Kind = 120
	KindExpireUploads Kind = 121
	KindPruneRequests Kind = 122

	KindTenantPut          Kind = 130
	KindSubscriptionPut    Kind = 131
	KindSubscriptionDelete Kind = 132

	KindGroupPut    Kind = 140
	KindGroupDelete Kind = 141
	KindGroupSweep  Kind = 142

	KindPrincipalPut          Kind = 150
	KindPrincipalDelete       Kind = 151
	KindPrincipalAddSecret    Kind = 152
	KindPrincipalRemoveSecret Kind = 153
	KindPrincipalSetDisabled  Kind = 154
	KindPrincipalSetMember    Kind = 155
	KindACLBootstrap          Kind = 156

	KindRolePut          Kind = 160
	KindRoleDelete       Kind = 161
	KindAssignmentPut    Kind = 162
	KindAssignmentDelete Kind = 163

	KindIssuerPut        Kind = 170
	KindIssuerDelete     Kind = 171
	KindSigningKeyPut    Kind = 172
	KindSigningKeyDelete Kind = 173

	KindExpireOperations Kind = 180

	KindSnapshotPut      Kind = 190
	KindSnapshotDelete   Kind = 191
	KindSnapshotComplete Kind = 192
	KindSnapshotFail     Kind = 193
	KindSnapshotGrant    Kind = 194
	KindSnapshotRevoke   Kind = 195

	KindVersionImported     Kind = 200
	KindVersionImportFailed Kind = 201

	KindLimitPut       Kind = 210
	KindLimitRemove    Kind = 211
	KindTransferPause  Kind = 212
	KindTransferResume Kind = 213

	KindDistancePut    Kind = 220
	KindDistanceRemove Kind = 221
)
