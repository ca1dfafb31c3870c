package gallery

import (
	"time"

	"loggia/internal/digest"
)

// ContentKind says what the bytes of a disk are.
type ContentKind string

// The kinds of content.
const (
	ContentDisk ContentKind = "disk" // a multiple of 512 bytes
	ContentBlob ContentKind = "blob" // any length
)

// Disk is the content of one virtual disk, made by an upload. It never changes.
type Disk struct {
	ID     DiskID        `cbor:"1,keyasint"`
	Domain Domain        `cbor:"2,keyasint"`
	Root   digest.Digest `cbor:"3,keyasint,omitzero"` // of the manifest: identity of the content
	Table  digest.Digest `cbor:"4,keyasint,omitzero"` // frame table vouched for by the node that took the bytes in
	Size   int64         `cbor:"5,keyasint"`          // guest bytes
	Data   int64         `cbor:"6,keyasint"`          // guest bytes that are no hole
	Stored int64         `cbor:"7,keyasint"`          // bytes that one copy takes in a store
	Kind   ContentKind   `cbor:"8,keyasint"`
	// FlatSHA256 is the digest of all guest bytes, zero unless the publisher gave or asked for one.
	FlatSHA256 digest.Digest `cbor:"9,keyasint,omitzero"`
	Origin     RegionName    `cbor:"10,keyasint"` // where it was uploaded
	Created    time.Time     `cbor:"11,keyasint,omitzero"`
}

// Claim is a node's fenced right, granted through the log, to write one replica or upload.
type Claim struct {
	Epoch    uint64    `cbor:"1,keyasint"` // log index that granted it: unique in the log
	Node     NodeID    `cbor:"2,keyasint"`
	Deadline time.Time `cbor:"3,keyasint,omitzero"` // state time; only ExpireClaims acts on it
	// Predecessors are the epochs of earlier claims on the same thing, oldest first: their
	// packs may be adopted.
	Predecessors []uint64 `cbor:"4,keyasint,omitempty"`
}

// MaxPredecessors bounds the epochs remembered for adoption; older ones are left to the collector.
const MaxPredecessors = 64

// UploadState says how an upload stands.
type UploadState string

// The states of an upload.
const (
	UploadOpen      UploadState = "Open"
	UploadCompleted UploadState = "Completed"
	UploadAbandoned UploadState = "Abandoned"
)

// Upload is a publish of one disk into one region.
type Upload struct {
	ID        UploadID    `cbor:"1,keyasint"`
	Domain    Domain      `cbor:"2,keyasint"`
	Region    RegionName  `cbor:"3,keyasint"`
	Store     StoreID     `cbor:"4,keyasint"`
	Slot      int         `cbor:"5,keyasint"`
	Kind      ContentKind `cbor:"6,keyasint"`
	Size      int64       `cbor:"7,keyasint"` // guest bytes
	State     UploadState `cbor:"8,keyasint"`
	Claim     Claim       `cbor:"9,keyasint"`            // the last one, also when no longer Open
	Disk      DiskID      `cbor:"10,keyasint,omitempty"` // once Completed
	Principal string      `cbor:"11,keyasint,omitempty"`
	Created   time.Time   `cbor:"12,keyasint,omitzero"`
	Expires   time.Time   `cbor:"13,keyasint,omitzero"`            // then it, and a disk that nothing refers to, may be dropped
	Target    string      `cbor:"14,keyasint,omitempty" since:"2"` // canonical id of what the disk is for; "": something in the default group
}

// Repository returns the repository that the upload writes to.
func (u *Upload) Repository() RepositoryKey { return RepositoryKey{u.Store, u.Slot, u.Domain} }
