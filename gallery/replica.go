package gallery

import (
	"fmt"
	"strings"
	"time"

	"loggia/internal/digest"
)

// ReplicaState says how a replica stands.
type ReplicaState string

// The states of a replica. Completed is left only through repair, delete or a lost object (D6).
const (
	ReplicaUnknown     ReplicaState = "Unknown" // wanted, not begun or put back
	ReplicaReplicating ReplicaState = "Replicating"
	ReplicaCompleted   ReplicaState = "Completed"
	ReplicaFailed      ReplicaState = "Failed"
	ReplicaRetiring    ReplicaState = "Retiring" // whole, unwanted, a source until another is Completed (D11)
)

// Reason says why a replica is not there, so that an operator can act on it.
type Reason string

// The reasons. They only grow.
const (
	ReasonNoSource         Reason = "NoSource" // no region holds a whole copy any more
	ReasonNoStore          Reason = "NoStore"  // the region has no store of the class
	ReasonStoreFull        Reason = "StoreFull"
	ReasonStoreForbidden   Reason = "StoreForbidden"
	ReasonStoreUnavailable Reason = "StoreUnavailable"
	ReasonDamaged          Reason = "Damaged"
	ReasonUnreachable      Reason = "Unreachable"
	ReasonVerification     Reason = "VerificationFailed"
	ReasonTimedOut         Reason = "TimedOut"
	ReasonLost             Reason = "Lost"
	ReasonInternal         Reason = "Internal"
	ReasonSourceForbidden  Reason = "SourceForbidden" // of an import: the operator's rules, or the source itself
	ReasonSourceMissing    Reason = "SourceMissing"
	ReasonSourceInvalid    Reason = "SourceInvalid" // no disk image that can be read, or too large
)

// Progress counts the bytes of one copy. Within a claim's epoch it never goes backwards (D6).
type Progress struct {
	Total int64 `cbor:"1,keyasint,omitempty"` // stored bytes of the whole copy
	Have  int64 `cbor:"2,keyasint,omitempty"` // that were there before
	Sent  int64 `cbor:"3,keyasint,omitempty"`
	Left  int64 `cbor:"4,keyasint,omitempty"`
}

// ReplicaKey names a replica: one whole copy of a disk in one slot of a region.
type ReplicaKey struct {
	Disk   DiskID     `cbor:"1,keyasint"`
	Region RegionName `cbor:"2,keyasint"`
	Slot   int        `cbor:"3,keyasint"`
}

// String writes disk@region/slot.
func (k ReplicaKey) String() string { return fmt.Sprintf("%s@%s/%d", k.Disk, k.Region, k.Slot) }

// Replica is the wanted or present copy of a disk in one slot of a region.
type Replica struct {
	Key       ReplicaKey    `cbor:"1,keyasint"`
	Domain    Domain        `cbor:"2,keyasint"`
	Store     StoreID       `cbor:"3,keyasint,omitempty"` // empty: no store fits (ReasonNoStore)
	State     ReplicaState  `cbor:"4,keyasint"`
	Claim     *Claim        `cbor:"5,keyasint,omitempty"`
	Tried     []uint64      `cbor:"6,keyasint,omitempty"` // epochs of ended claims, oldest first: packs to adopt
	Progress  Progress      `cbor:"7,keyasint,omitzero"`
	Source    string        `cbor:"8,keyasint,omitempty"` // where the bytes come from, for people
	Reason    Reason        `cbor:"9,keyasint,omitempty"`
	LastError string        `cbor:"10,keyasint,omitempty"`
	Attempts  int           `cbor:"11,keyasint,omitempty"` // claims since it was wanted, or lost
	NextRetry time.Time     `cbor:"12,keyasint,omitzero"`
	Started   time.Time     `cbor:"13,keyasint,omitzero"`            // of the first of them
	Finished  time.Time     `cbor:"14,keyasint,omitzero"`            // when it became Completed
	Table     digest.Digest `cbor:"15,keyasint,omitzero"`            // frame table of this copy, once Completed; kept where that was lost: something of it may be left
	Stored    int64         `cbor:"16,keyasint,omitempty"`           // bytes that this copy added to its repository
	Wanted    time.Time     `cbor:"17,keyasint,omitzero"`            // since when a version wants it
	Priority  Priority      `cbor:"18,keyasint,omitempty" since:"3"` // the highest of the versions that want it; empty: normal
	Paused    *Pause        `cbor:"19,keyasint,omitempty" since:"3"` // no claim is granted; what is there is kept
}

// Whole says whether the copy can be read.
func (r *Replica) Whole() bool { return r.State == ReplicaCompleted || r.State == ReplicaRetiring }

// Remains says whether the copy was whole once and is not, so that something of it may be left.
func (r *Replica) Remains() bool { return !r.Whole() && r.Store != "" && !r.Table.IsZero() }

// Repository returns the repository that holds the copy.
func (r *Replica) Repository() RepositoryKey { return RepositoryKey{r.Store, r.Key.Slot, r.Domain} }

// MaxLastError bounds Replica.LastError, in bytes.
const MaxLastError = 512

// ErrorText makes what the log takes of an error's text, at most MaxLastError bytes of UTF-8: the text may hold bytes that came from outside,
// and its end may be lost.
func ErrorText(s string) string {
	if s = strings.ToValidUTF8(s, "?"); len(s) <= MaxLastError {
		return s
	}
	const more = "..."
	return cut(s, MaxLastError-len(more)) + more
}
