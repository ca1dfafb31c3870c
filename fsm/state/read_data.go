package state

import (
	"cmp"
	"slices"
	"time"

	"loggia/gallery"
	"loggia/internal/digest"
)

// AccessTokenByHash returns the access token with the SHA-256 of a secret. The look-up is by a digest, so its time tells
// nothing of the secret (S6).
func (v *View) AccessTokenByHash(hash digest.Digest) *gallery.AccessToken {
	return findBy(v, accessTokens, "hash", hash[:])
}

// Disk returns one disk.
func (v *View) Disk(id gallery.DiskID) *gallery.Disk { return find(v, disks, key(id)) }

// Disks returns all disks.
func (v *View) Disks() []*gallery.Disk { return list(v, disks, "id", nil) }

// Replica returns one replica.
func (v *View) Replica(k gallery.ReplicaKey) *gallery.Replica {
	return find(v, replicas, replicaKey(k))
}

// ReplicaByEpoch returns the replica whose live claim has an epoch.
func (v *View) ReplicaByEpoch(epoch uint64) *gallery.Replica {
	return findBy(v, replicas, "epoch", number(nil, epoch))
}

// ReplicasOfDisk returns the replicas of a disk, by region and slot.
func (v *View) ReplicasOfDisk(id gallery.DiskID) []*gallery.Replica {
	return list(v, replicas, "id", key(id))
}

// ReplicasOfRegion returns the replicas in a region, by disk and slot.
func (v *View) ReplicasOfRegion(name gallery.RegionName) []*gallery.Replica {
	return list(v, replicas, "region", key(name))
}

// ReplicasOfStore returns the replicas placed in a store. It looks at every replica of the store's region.
func (v *View) ReplicasOfStore(id gallery.StoreID) []*gallery.Replica {
	s := v.Store(id)
	if s == nil {
		return nil
	}
	return slices.DeleteFunc(v.ReplicasOfRegion(s.Region), func(r *gallery.Replica) bool { return r.Store != id })
}

// ReplicasOfNode returns the replicas that a node has claimed.
func (v *View) ReplicasOfNode(id gallery.NodeID) []*gallery.Replica {
	return list(v, replicas, "node", key(id))
}

// ClaimedReplicas returns every claimed replica, oldest epoch first.
func (v *View) ClaimedReplicas() []*gallery.Replica { return list(v, replicas, "epoch", nil) }

// Limit returns one limit.
func (v *View) Limit(k gallery.LimitKey) *gallery.Limit { return find(v, limits, limitKey(k)) }

// Limits returns all limits.
func (v *View) Limits() []*gallery.Limit { return list(v, limits, "id", nil) }

// Distance returns what is said of a pair of regions.
func (v *View) Distance(p gallery.RegionPair) *gallery.Distance {
	return find(v, distances, pairKey(p))
}

// Distances returns all distances between regions.
func (v *View) Distances() []*gallery.Distance { return list(v, distances, "id", nil) }

// Upload returns one upload.
func (v *View) Upload(id gallery.UploadID) *gallery.Upload { return find(v, uploads, key(id)) }

// Uploads returns all uploads, also ended ones that have not expired.
func (v *View) Uploads() []*gallery.Upload { return list(v, uploads, "id", nil) }

// OpenUploadsOfNode returns the open uploads that a node has claimed.
func (v *View) OpenUploadsOfNode(id gallery.NodeID) []*gallery.Upload {
	return list(v, uploads, "node", key(id))
}

// UploadsBefore returns at most limit uploads that expire at or before t, in order of expiry.
func (v *View) UploadsBefore(t time.Time, limit int) []*gallery.Upload {
	var out []*gallery.Upload
	for r := range v.iterate(uploads.name, "expires", nil, false) {
		u := r.(*gallery.Upload)
		if u.Expires.After(t) || len(out) == limit {
			break
		}
		out = append(out, u)
	}
	return out
}

// Repository returns what the log knows of a repository; one without a row has epoch 0 and no segments.
func (v *View) Repository(k gallery.RepositoryKey) *gallery.Repository {
	if r := find(v, repositories, repositoryKey(k)); r != nil {
		return r
	}
	return &gallery.Repository{Key: k}
}

// RepositoriesOfStore returns the repositories in a store that have a row.
func (v *View) RepositoriesOfStore(id gallery.StoreID) []*gallery.Repository {
	return list(v, repositories, "id", key(id))
}

// RepositoryKeys returns every repository of a store that something lies in, may lie in or has lain in, in the order of their keys.
func (v *View) RepositoryKeys(id gallery.StoreID) []gallery.RepositoryKey {
	seen := map[gallery.RepositoryKey]bool{}
	for _, r := range v.RepositoriesOfStore(id) {
		seen[r.Key] = true
	}
	for _, t := range v.TombstonesOfStore(id) {
		seen[t.Repository] = true
	}
	for _, r := range v.ReplicasOfStore(id) {
		seen[r.Repository()] = true
	}
	out := make([]gallery.RepositoryKey, 0, len(seen))
	for k := range seen {
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b gallery.RepositoryKey) int {
		return cmp.Or(cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.Domain, b.Domain))
	})
	return out
}

// ClaimedRepositories returns the repositories whose collector's claim is live, oldest epoch first.
func (v *View) ClaimedRepositories() []*gallery.Repository {
	return list(v, repositories, "epoch", nil)
}

// RepositoriesOfNode returns the repositories that a node collects.
func (v *View) RepositoriesOfNode(id gallery.NodeID) []*gallery.Repository {
	return list(v, repositories, "node", key(id))
}

// Tombstones returns the tombstones of a repository, oldest first.
func (v *View) Tombstones(k gallery.RepositoryKey) []*gallery.Tombstone {
	return list(v, tombstones, "id", repositoryKey(k))
}

// TombstonesOfStore returns the tombstones of all repositories in a store.
func (v *View) TombstonesOfStore(id gallery.StoreID) []*gallery.Tombstone {
	return list(v, tombstones, "id", key(id))
}

// Request returns the remembered outcome of a request id.
func (v *View) Request(id string) *Request { return find(v, requests, key(id)) }

// RequestsBefore returns at most limit remembered requests applied before t, oldest first.
func (v *View) RequestsBefore(t time.Time, limit int) []*Request {
	var out []*Request
	for r := range v.iterate(requests.name, "index", nil, false) {
		q := r.(*Request)
		if !q.Time.Before(t) || len(out) == limit {
			break
		}
		out = append(out, q)
	}
	return out
}
