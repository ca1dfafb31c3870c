package gallery

import (
	"time"

	"loggia/internal/digest"
)

// RepositoryKey names the packs of one domain and one replica slot in one store.
type RepositoryKey struct {
	Store  StoreID `cbor:"1,keyasint"`
	Slot   int     `cbor:"2,keyasint"`
	Domain Domain  `cbor:"3,keyasint"`
}

// Segment is one immutable, sorted part of a repository's index.
type Segment struct {
	Epoch  uint64        `cbor:"1,keyasint"` // claim that wrote it: its place is i/<epoch>/<id>
	ID     digest.Digest `cbor:"2,keyasint,omitzero"`
	Size   int64         `cbor:"3,keyasint"` // bytes
	Chunks int64         `cbor:"4,keyasint"`
}

// MaxSegments bounds the live segments of one repository; merges keep them far below.
const MaxSegments = 1024

// Condemnation is a collection under way: the keys in its list count as absent.
type Condemnation struct {
	Epoch uint64        `cbor:"1,keyasint"`          // log index of the Condemn; the list is g/<epoch of the collector>
	List  digest.Digest `cbor:"2,keyasint,omitzero"` // of the stored list of keys
	Time  time.Time     `cbor:"3,keyasint,omitzero"`
	Claim uint64        `cbor:"4,keyasint,omitempty"` // where the list lies: g/<claim>/<list>
	// Began is the index of the state that the mark began from: deletes up to there are accounted for by this list.
	Began uint64 `cbor:"5,keyasint,omitempty" since:"3"`
	// Sweeping says that the grace time is over and that nothing older relies on the keys: they may be deleted.
	Sweeping bool `cbor:"6,keyasint,omitempty" since:"3"`
}

// Repository is what the log knows of a repository. A repository that has no row has epoch 0 and
// no segments.
type Repository struct {
	Key       RepositoryKey `cbor:"1,keyasint"`
	Epoch     uint64        `cbor:"2,keyasint"` // moved by Condemn, and by Compact that removes; completions of an older one are refused
	Segments  []Segment     `cbor:"3,keyasint,omitempty"`
	Condemned *Condemnation `cbor:"4,keyasint,omitempty"`
	// Changed is the index of the last change of the segments, or completion of a copy that relies on them.
	Changed uint64             `cbor:"5,keyasint,omitempty" since:"3"`
	Claim   *Claim             `cbor:"6,keyasint,omitempty" since:"3"` // of the collector; there is at most one
	Last    *Collection        `cbor:"7,keyasint,omitempty" since:"3"` // how the newest run stands
	Asked   *CollectionRequest `cbor:"8,keyasint,omitempty" since:"3"` // the newest request of an operator
	Checked *Check             `cbor:"9,keyasint,omitempty" since:"4"` // how the region's own checks stand
	// Checking says that Claim is held to check or repair, and not to collect.
	Checking bool `cbor:"10,keyasint,omitempty" since:"4"`
}

// Due says whether an operator's request is unanswered.
func (r *Repository) Due() bool {
	return r.Asked != nil && (r.Last == nil || r.Last.Asked < r.Asked.Index)
}

// Tombstone tells the collector of a copy that no row wants any more.
type Tombstone struct {
	Repository RepositoryKey `cbor:"1,keyasint"`
	Index      uint64        `cbor:"2,keyasint"` // log index of the removal
	Disk       DiskID        `cbor:"3,keyasint"`
	Root       digest.Digest `cbor:"4,keyasint,omitzero"` // zero where no copy was finished
	Time       time.Time     `cbor:"5,keyasint,omitzero"`
	Table      digest.Digest `cbor:"6,keyasint,omitzero" since:"3"` // zero as Root is
}
