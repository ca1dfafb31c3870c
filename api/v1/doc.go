// Package v1 holds the JSON shapes and the routes of Loggia's own HTTP surface.
//
// Every request but /livez and /readyz carries "Authorization: Bearer TOKEN". Answers that are no
// 2xx carry an ErrorBody. Reads take consistency=strong|default|stale and answer the header
// Loggia-State-Age (seconds, only when the answer may be stale).
//
//	GET    /livez /readyz /metrics
//	GET    /v1/status                                  Status
//	GET    /v1/events[?version=g/i/v]                  text/event-stream of Event
//	GET    /v1/regions[/{region}]                      List[Region] | Region
//	DELETE /v1/regions/{region}[?lost=true]            RegionRemoved
//	GET    /v1/members                                 List[Member]
//	DELETE /v1/members/{id}
//	POST   /v1/join-tokens                             JoinTokenRequest -> JoinToken
//	GET    /v1/tokens; POST /v1/tokens                 List[Token]; TokenRequest -> Token
//	DELETE /v1/tokens/{id}
//	GET    /v1/login[?issuer=NAME]                     List[LoginIssuer]; needs no token
//	GET    /v1/acl/me                                  Identity
//	POST   /v1/acl/bootstrap                           BootstrapRequest -> Bootstrap, once
//	POST   /v1/acl/keys/replace                        new signing keys: every token that was issued ends
//	GET    /v1/acl/principals[?kind=]; POST            List[Principal]; PrincipalRequest -> Principal
//	GET|PATCH|DELETE /v1/acl/principals/{p}            Principal; PrincipalPatch
//	POST   /v1/acl/principals/{p}/secrets              SecretRequest -> Secret
//	DELETE /v1/acl/principals/{p}/secrets/{id}
//	PUT|DELETE /v1/acl/principals/{p}/keys/{kid}       KeyRequest -> Principal
//	PUT|DELETE /v1/acl/principals/{p}/groups/{group}   membership
//	GET    /v1/acl/issuers; POST; DELETE .../{issuer}  List[Issuer]; Issuer
//	GET    /v1/acl/roles                               List[Role]
//	GET    /v1/acl/assignments[?principal=]; POST      List[Assignment]; AssignmentRequest -> Assignment
//	DELETE /v1/acl/assignments/{id}
//	GET    /v1/raft/peers                              List[RaftPeer]
//	POST   /v1/raft/transfer                           hands leadership over
//	POST   /v1/raft/promote                            PromoteRequest
//	GET    /v1/galleries                               List[Gallery]
//	GET|PUT|DELETE /v1/galleries/{g}                   Gallery
//	GET    /v1/galleries/{g}/images                    List[Image]
//	GET|PUT|DELETE /v1/galleries/{g}/images/{i}        Image
//	GET    /v1/galleries/{g}/images/{i}/versions       List[Version]
//	GET|PUT|PATCH|DELETE .../versions/{v}              Version; {v} may be "latest" in a GET, with ?region=
//	GET    .../versions/{v}/status                     VersionStatus
//	POST   /v1/uploads                                 UploadRequest -> Upload
//	GET    /v1/uploads/{id}                            Upload
//	POST   /v1/uploads/{id}/open                       Upload: this node takes the upload over
//	GET    /v1/uploads/{id}/known                      chunk ids the client need not send (transfer/wire)
//	GET    /v1/uploads/{id}/spans                      finished spans (transfer/wire)
//	POST   /v1/uploads/{id}/batches?worker=N           one batch of frames and leaves (transfer/wire); those of one worker follow each other on the disk
//	POST   /v1/uploads/{id}/commit                     UploadCommit -> Upload with its disk
//	DELETE /v1/uploads/{id}
//	GET    .../versions/{v}/disks/{lun}/tree           manifest nodes, top down (transfer/wire)
//	POST   .../versions/{v}/disks/{lun}/frames         wanted chunks -> frames (transfer/wire)
//	POST   .../versions/{v}/disks/{lun}/links          wanted chunks -> Links to the region's store
//
// {lun} is "os" or the number of a data disk. PUT creates or replaces; If-Match and
// If-None-Match: * work on every PUT, PATCH and DELETE of a gallery, image or version.
package v1

// Headers of requests and answers.
const (
	// RequestIDHeader names a write: sent again within a day it answers as it did the first time.
	RequestIDHeader = "Loggia-Request-Id"
	// AgeHeader is how old the state was that a read answered from, in seconds, where it may be stale.
	AgeHeader = "Loggia-State-Age"
	// UncheckedHeader: "1" in a request for frames says that the client looks at each itself, and will ask without the header for
	// what is wrong: the node sends what its store gives.
	UncheckedHeader = "Loggia-Unchecked"
)
