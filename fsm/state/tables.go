package state

import (
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
		indexes: []index[gallery.ImageVersion]{{"disk", false, versionDisks}}}
	disks    = &table[gallery.Disk]{name: "disk", key: func(d *gallery.Disk) []byte { return key(d.ID) }}
	replicas = &table[gallery.Replica]{name: "replica", key: func(r *gallery.Replica) []byte { return replicaKey(r.Key) },
		indexes: []index[gallery.Replica]{
			one("region", false, func(r *gallery.Replica) []byte { return key(r.Key.Region) }),
			one("epoch", true, replicaEpoch), one("node", false, replicaNode)}}
	uploads = &table[gallery.Upload]{name: "upload", key: func(u *gallery.Upload) []byte { return key(u.ID) },
		indexes: []index[gallery.Upload]{one("node", false, uploadNode),
			one("expires", false, func(u *gallery.Upload) []byte { return instant(nil, u.Expires) })}}
	repositories = &table[gallery.Repository]{name: "repository", key: func(r *gallery.Repository) []byte { return repositoryKey(r.Key) }}
	tombstones   = &table[gallery.Tombstone]{name: "tombstone", key: tombstoneKey}
	requests     = &table[Request]{name: "request", key: func(r *Request) []byte { return key(r.ID) },
		indexes: []index[Request]{one("index", true, func(r *Request) []byte { return number(nil, r.Index) })}}
)

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
		disks, replicas, uploads, repositories, tombstones, requests}
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
