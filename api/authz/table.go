package authz

import "net/http"

// Rule is what a route needs: an action at a scope.
type Rule struct {
	Method, Pattern string // as net/http.ServeMux has them
	Action          string
	At              Scope
}

// Scope finds where a route's action is needed.
type Scope func(n Names, r *http.Request) Target

// Target is an action at a scope. Where Action is empty it is the rule's.
type Target struct{ Scope, Action string }

// Names gives the canonical ids of what the native routes name. What does not exist has an id all the same: that of the
// place where it would be made.
type Names interface {
	Subscription() string
	Gallery(g string) string
	Image(g, i string) string
	Version(g, i, v string) string
	// Upload returns what an upload was opened for, as Target.
	Upload(id string) Target
}

const (
	galleryPath = "/v1/galleries/{g}"
	imagePath   = galleryPath + "/images/{i}"
	versionPath = imagePath + "/versions/{v}"
	uploadPath  = "/v1/uploads/{id}"

	snapshotPath = "/v1/groups/{group}/snapshots/{name}"

	principalsPath = "/v1/acl/principals"
	principalPath  = principalsPath + "/{principal}"
)

// The scopes.
func root(Names, *http.Request) Target             { return Target{Scope: "/"} }
func subscription(n Names, _ *http.Request) Target { return Target{Scope: n.Subscription()} }
func theGallery(n Names, r *http.Request) Target   { return Target{Scope: n.Gallery(r.PathValue("g"))} }
func theImage(n Names, r *http.Request) Target {
	return Target{Scope: n.Image(r.PathValue("g"), r.PathValue("i"))}
}
func theVersion(n Names, r *http.Request) Target {
	return Target{Scope: n.Version(r.PathValue("g"), r.PathValue("i"), r.PathValue("v"))}
}
func theSnapshot(n Names, r *http.Request) Target {
	return Target{Scope: n.Subscription() + "/resourceGroups/" + r.PathValue("group") + "/providers/Microsoft.Compute/snapshots/" + r.PathValue("name")}
}
func theUpload(n Names, r *http.Request) Target { return n.Upload(r.PathValue("id")) }

// events are those of one version, or of everything.
func events(n Names, r *http.Request) Target {
	key := r.URL.Query().Get("version")
	if key == "" {
		return Target{Scope: "/"}
	}
	g, i, v := split(key)
	return Target{Scope: n.Version(g, i, v), Action: versions + "/read"}
}

// Self marks a route that asks about what its body names, or about the caller alone.
func self(Names, *http.Request) Target { return Target{} }

// The types of Azure's Resource Manager, and our own.
const (
	galleries    = "Microsoft.Compute/galleries"
	images       = galleries + "/images"
	versions     = images + "/versions"
	applications = galleries + "/applications"
	snapshots    = "Microsoft.Compute/snapshots"
	assignments  = "Microsoft.Authorization/roleAssignments"

	status      = "Loggia.Cluster/status"
	regions     = "Loggia.Cluster/regions"
	members     = "Loggia.Cluster/members"
	limits      = "Loggia.Cluster/limits"
	distances   = "Loggia.Cluster/distances"
	raft        = "Loggia.Cluster/raft"
	collections = "Loggia.Cluster/collections"
	joinTokens  = "Loggia.Cluster/joinTokens"
	tokens      = "Loggia.Identity/tokens"
	principals  = "Loggia.Identity/principals"
	issuers     = "Loggia.Identity/issuers"
)

// table is what every native route needs. A route whose At is self checks by itself, and the reason stands beside it.
var table = []Rule{
	{"GET", "/metrics", status + "/read", root},
	{"GET", "/v1/status", status + "/read", root},
	{"GET", "/v1/events", status + "/read", events},

	{"GET", "/v1/galleries", galleries + "/read", subscription},
	{"GET", galleryPath, galleries + "/read", theGallery},
	{"PUT", galleryPath, galleries + "/write", theGallery},
	{"DELETE", galleryPath, galleries + "/delete", theGallery},
	{"GET", galleryPath + "/images", images + "/read", theGallery},
	{"GET", imagePath, images + "/read", theImage},
	{"PUT", imagePath, images + "/write", theImage},
	{"DELETE", imagePath, images + "/delete", theImage},
	{"GET", imagePath + "/versions", versions + "/read", theImage},
	{"GET", versionPath, versions + "/read", theVersion},
	{"PUT", versionPath, versions + "/write", theVersion},
	{"PATCH", versionPath, versions + "/write", theVersion},
	{"DELETE", versionPath, versions + "/delete", theVersion},
	{"GET", versionPath + "/status", versions + "/read", theVersion},
	{"POST", versionPath + "/pause", versions + "/write", theVersion},
	{"POST", versionPath + "/resume", versions + "/write", theVersion},
	{"GET", versionPath + "/disks/{lun}/tree", versions + "/read", theVersion},
	{"POST", versionPath + "/disks/{lun}/frames", versions + "/read", theVersion},
	{"POST", versionPath + "/disks/{lun}/links", versions + "/read", theVersion},

	{"GET", snapshotPath, snapshots + "/read", theSnapshot},
	{"PUT", snapshotPath, snapshots + "/write", theSnapshot},

	{"POST", "/v1/uploads", "", self}, // the body names what it is for
	{"GET", uploadPath, "", theUpload},
	{"POST", uploadPath + "/open", "", self}, // may open it anew, for what the body names
	{"GET", uploadPath + "/known", "", theUpload},
	{"GET", uploadPath + "/spans", "", theUpload},
	{"POST", uploadPath + "/batches", "", theUpload},
	{"POST", uploadPath + "/commit", "", theUpload},
	{"DELETE", uploadPath, "", theUpload},

	{"GET", "/v1/regions", regions + "/read", root},
	{"GET", "/v1/regions/{region}", regions + "/read", root},
	{"DELETE", "/v1/regions/{region}", regions + "/delete", root},
	{"POST", "/v1/regions/{region}/verify", regions + "/verify/action", root},
	{"GET", "/v1/members", members + "/read", root},
	{"DELETE", "/v1/members/{id}", members + "/delete", root},
	{"GET", "/v1/limits", limits + "/read", root},
	{"PUT", "/v1/limits", limits + "/write", root},
	{"DELETE", "/v1/limits", limits + "/delete", root},
	{"GET", "/v1/distances", distances + "/read", root},
	{"PUT", "/v1/distances", distances + "/write", root},
	{"DELETE", "/v1/distances", distances + "/delete", root},
	{"POST", "/v1/join-tokens", joinTokens + "/write", root},
	{"GET", "/v1/raft/peers", raft + "/peers/read", root},
	{"POST", "/v1/raft/transfer", raft + "/transfer/action", root},
	{"POST", "/v1/raft/promote", members + "/promote/action", root},

	{"GET", "/v1/collections", collections + "/read", root},
	{"POST", "/v1/collections", collections + "/write", root},
	{"POST", "/v1/collections/switch", collections + "/switch/action", root},

	{"GET", "/v1/tokens", tokens + "/read", root},
	{"POST", "/v1/tokens", tokens + "/write", root},
	{"DELETE", "/v1/tokens/{id}", tokens + "/delete", root},

	{"GET", "/v1/acl/me", "", self}, // about the caller alone
	{"POST", "/v1/acl/bootstrap", "Loggia.Identity/bootstrap/action", root},
	{"POST", "/v1/acl/keys/replace", "Loggia.Identity/keys/replace/action", root},
	{"GET", principalsPath, principals + "/read", root},
	{"POST", principalsPath, principals + "/write", root},
	{"GET", principalPath, principals + "/read", root},
	{"PATCH", principalPath, principals + "/write", root},
	{"DELETE", principalPath, principals + "/delete", root},
	{"POST", principalPath + "/secrets", principals + "/write", root},
	{"DELETE", principalPath + "/secrets/{secret}", principals + "/write", root},
	{"PUT", principalPath + "/keys/{key}", principals + "/write", root},
	{"DELETE", principalPath + "/keys/{key}", principals + "/write", root},
	{"PUT", principalPath + "/groups/{group}", principals + "/write", root},
	{"DELETE", principalPath + "/groups/{group}", principals + "/write", root},
	{"GET", "/v1/acl/tenants", "Loggia.Identity/tenants/read", root},
	{"POST", "/v1/acl/tenants", "Loggia.Identity/tenants/write", root},
	{"GET", "/v1/acl/subscriptions", "Loggia.Identity/subscriptions/read", root},
	{"POST", "/v1/acl/subscriptions", "Loggia.Identity/subscriptions/write", root},
	{"GET", "/v1/acl/issuers", issuers + "/read", root},
	{"POST", "/v1/acl/issuers", issuers + "/write", root},
	{"DELETE", "/v1/acl/issuers/{issuer}", issuers + "/delete", root},
	{"GET", "/v1/acl/roles", "Microsoft.Authorization/roleDefinitions/read", subscription},
	{"GET", "/v1/acl/assignments", assignments + "/read", root},
	{"POST", "/v1/acl/assignments", "", self},        // the body names the scope
	{"DELETE", "/v1/acl/assignments/{id}", "", self}, // the row names the scope
}

// Rules returns the table.
func Rules() []Rule { return append([]Rule(nil), table...) }
