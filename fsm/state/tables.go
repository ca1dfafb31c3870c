package state

import (
	"strings"

	"github.com/hashicorp/go-memdb"

	"loggia/gallery"
)

// The tables. An index entry costs about half a kilobyte of memory, so there is one only where a look-up is frequent.
var (
	clusters = &table[gallery.Cluster]{name: "cluster", key: func(*gallery.Cluster) []byte { return []byte{0} }}
	regions  = &table[gallery.Region]{name: "region", key: func(r *gallery.Region) []byte { return key(r.Name) }}
	stores   = &table[gallery.Store]{name: "store", key: func(s *gallery.Store) []byte { return key(s.ID) },
		indexes: []index[gallery.Store]{one("region", false, func(s *gallery.Store) []byte { return key(s.Region) })}}
	nodes = &table[gallery.Node]{name: "node", key: func(n *gallery.Node) []byte { return key(n.ID) },
		indexes: []index[gallery.Node]{one("region", false, func(n *gallery.Node) []byte { return key(n.Region) })}}
	accessTokens = &table[gallery.AccessToken]{name: "accessToken", key: func(t *gallery.AccessToken) []byte { return key(t.ID) },
		indexes: []index[gallery.AccessToken]{one("hash", false, func(t *gallery.AccessToken) []byte { return t.Hash[:] })}}
	joinTokens = &table[gallery.JoinToken]{name: "joinToken", key: func(t *gallery.JoinToken) []byte { return key(t.ID) }}
	galleries  = &table[gallery.Gallery]{name: "gallery", key: func(g *gallery.Gallery) []byte { return galleryKey(g.Ref) }}
	images     = &table[gallery.Image]{name: "image", key: func(i *gallery.Image) []byte { return imageKey(i.Ref) },
		indexes: []index[gallery.Image]{one("identifier", true, identifierKey)}}
	versions = &table[gallery.ImageVersion]{name: "version", key: func(v *gallery.ImageVersion) []byte { return versionKey(v.Ref) },
		indexes: []index[gallery.ImageVersion]{{"disk", false, versionDisks}, one("importing", false, versionImporting)}}
	disks    = &table[gallery.Disk]{name: "disk", key: func(d *gallery.Disk) []byte { return key(d.ID) }}
	replicas = &table[gallery.Replica]{name: "replica", key: func(r *gallery.Replica) []byte { return replicaKey(r.Key) },
		indexes: []index[gallery.Replica]{
			one("region", false, func(r *gallery.Replica) []byte { return key(r.Key.Region) }),
			one("epoch", true, replicaEpoch), one("node", false, replicaNode)}}
	uploads = &table[gallery.Upload]{name: "upload", key: func(u *gallery.Upload) []byte { return key(u.ID) },
		indexes: []index[gallery.Upload]{one("node", false, uploadNode),
			one("expires", false, func(u *gallery.Upload) []byte { return instant(nil, u.Expires) })}}
	repositories = &table[gallery.Repository]{name: "repository", key: func(r *gallery.Repository) []byte { return repositoryKey(r.Key) },
		indexes: []index[gallery.Repository]{one("epoch", true, collectorEpoch), one("node", false, collectorNode)}}
	tombstones = &table[gallery.Tombstone]{name: "tombstone", key: tombstoneKey}
	requests   = &table[Request]{name: "request", key: func(r *Request) []byte { return key(r.ID) },
		indexes: []index[Request]{one("index", true, func(r *Request) []byte { return number(nil, r.Index) })}}
)

// The tables of who may do what, and of what lies beside galleries.
var (
	tenants       = &table[gallery.Tenant]{name: "tenant", key: func(t *gallery.Tenant) []byte { return key(t.ID) }}
	subscriptions = &table[gallery.Subscription]{name: "subscription", key: func(s *gallery.Subscription) []byte { return key(s.ID) }}
	groups        = &table[gallery.ResourceGroup]{name: "resourceGroup", key: func(g *gallery.ResourceGroup) []byte { return groupKey(g.Ref) },
		indexes: []index[gallery.ResourceGroup]{one("deleting", false, groupDeleting)}}
	principals = &table[gallery.Principal]{name: "principal", key: func(p *gallery.Principal) []byte { return key(p.ID) },
		indexes: []index[gallery.Principal]{one("app", true, principalApp), one("external", true, principalExternal),
			one("userName", true, principalUserName), {"group", false, principalGroups}}}
	roles = &table[gallery.RoleDefinition]{name: "roleDefinition", key: func(r *gallery.RoleDefinition) []byte { return key(r.ID) },
		indexes: []index[gallery.RoleDefinition]{one("name", true, func(r *gallery.RoleDefinition) []byte { return nameKey(r.Tenant, r.Name) })}}
	assignments = &table[gallery.RoleAssignment]{name: "roleAssignment",
		key:     func(a *gallery.RoleAssignment) []byte { return assignmentKey(a.Scope, a.ID) },
		indexes: []index[gallery.RoleAssignment]{one("grant", true, grantKey)}}
	issuers = &table[gallery.Issuer]{name: "issuer", key: func(i *gallery.Issuer) []byte { return key(i.ID) },
		indexes: []index[gallery.Issuer]{one("name", true, func(i *gallery.Issuer) []byte { return key(strings.ToLower(i.Name)) })}}
	signingKeys = &table[gallery.SigningKey]{name: "signingKey", key: func(k *gallery.SigningKey) []byte { return key(k.ID) }}
	operations  = &table[gallery.Operation]{name: "operation", key: func(o *gallery.Operation) []byte { return key(o.ID) },
		indexes: []index[gallery.Operation]{one("open", false, operationWaits), one("deadline", false, operationDeadline), one("ended", false, operationEnded)}}
	snapshots = &table[gallery.Snapshot]{name: "snapshot", key: func(s *gallery.Snapshot) []byte { return snapshotKey(s.Ref) },
		indexes: []index[gallery.Snapshot]{one("disk", false, snapshotDisk), one("importing", false, snapshotImporting)}}
	limits    = &table[gallery.Limit]{name: "limit", key: func(l *gallery.Limit) []byte { return limitKey(l.Key) }}
	distances = &table[gallery.Distance]{name: "distance", key: func(d *gallery.Distance) []byte { return pairKey(d.Pair) }}
)

func groupDeleting(g *gallery.ResourceGroup) []byte {
	if !g.Deleting {
		return nil
	}
	return groupKey(g.Ref)
}

func principalApp(p *gallery.Principal) []byte {
	if p.AppID == "" {
		return nil
	}
	return key(p.AppID)
}

func principalExternal(p *gallery.Principal) []byte {
	if p.External == nil {
		return nil
	}
	return externalKey(p.Kind == gallery.KindGroup, *p.External)
}

// externalKey keeps users and groups apart: the value of a group claim may be somebody's subject.
func externalKey(group bool, e gallery.ExternalIdentity) []byte {
	kind := "user"
	if group {
		kind = "group"
	}
	return key(kind, string(e.Issuer), e.Subject)
}

func principalUserName(p *gallery.Principal) []byte {
	if p.UserName == "" {
		return nil
	}
	return nameKey(p.Tenant, p.UserName)
}

func principalGroups(p *gallery.Principal) [][]byte {
	out := make([][]byte, 0, len(p.Groups))
	for _, g := range p.Groups {
		out = append(out, key(g))
	}
	return out
}

func nameKey(tenant gallery.TenantID, name string) []byte {
	return key(string(tenant), strings.ToLower(name))
}

// grantKey is unique, and begins with the principal.
func grantKey(a *gallery.RoleAssignment) []byte {
	return append(key(string(a.Principal), string(a.Role)), scopeKey(a.Scope)...)
}

func operationDeadline(o *gallery.Operation) []byte {
	if !o.Open() {
		return nil
	}
	return instant(nil, o.Deadline)
}

func operationEnded(o *gallery.Operation) []byte {
	if o.Open() {
		return nil
	}
	return instant(nil, o.Ended)
}

func snapshotDisk(s *gallery.Snapshot) []byte {
	if s.Disk == "" {
		return nil
	}
	return key(s.Disk)
}

func snapshotImporting(s *gallery.Snapshot) []byte {
	if !s.Importing() {
		return nil
	}
	return key(s.Location)
}

func versionImporting(v *gallery.ImageVersion) []byte {
	if !v.Importing() {
		return nil
	}
	return key(v.Location)
}

func versionDisks(v *gallery.ImageVersion) [][]byte {
	out := make([][]byte, 0, len(v.Disks))
	for _, d := range v.Disks {
		out = append(out, key(d.Disk))
	}
	return out
}

func replicaEpoch(r *gallery.Replica) []byte {
	if r.Claim == nil {
		return nil
	}
	return number(nil, r.Claim.Epoch)
}

func replicaNode(r *gallery.Replica) []byte {
	if r.Claim == nil {
		return nil
	}
	return key(r.Claim.Node)
}

func collectorEpoch(r *gallery.Repository) []byte {
	if r.Claim == nil {
		return nil
	}
	return number(nil, r.Claim.Epoch)
}

func collectorNode(r *gallery.Repository) []byte {
	if r.Claim == nil {
		return nil
	}
	return key(r.Claim.Node)
}

// uploadNode holds open uploads only: an ended one has no claim to renew.
func uploadNode(u *gallery.Upload) []byte {
	if u.State != gallery.UploadOpen {
		return nil
	}
	return key(u.Claim.Node)
}

// inOrder lists the tables as snapshots hold them: new ones are added at the end.
func inOrder() []anyTable {
	return []anyTable{clusters, regions, stores, nodes, accessTokens, joinTokens, galleries, images, versions,
		disks, replicas, uploads, repositories, tombstones, requests,
		tenants, subscriptions, groups, principals, roles, assignments, issuers, signingKeys, operations, snapshots, limits, distances}
}

// tableOf returns the table of a row type.
func tableOf[T Row]() *table[T] {
	for _, t := range inOrder() {
		if t, ok := t.(*table[T]); ok {
			return t
		}
	}
	panic("a row type without a table") // Row lists exactly the types of inOrder; a test walks them
}

const metaTable = "meta"

func schema() *memdb.DBSchema {
	s := &memdb.DBSchema{Tables: map[string]*memdb.TableSchema{metaTable: {Name: metaTable, Indexes: map[string]*memdb.IndexSchema{
		"id": {Name: "id", Unique: true, Indexer: metaIndexer{}},
	}}}}
	for _, t := range inOrder() {
		s.Tables[t.tableName()] = t.schema()
	}
	return s
}

// metaIndexer gives the one meta row its key.
type metaIndexer struct{ exact }

func (metaIndexer) FromObject(any) (bool, []byte, error) { return true, []byte{0}, nil }
