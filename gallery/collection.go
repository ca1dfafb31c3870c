package gallery

import "time"

// CollectionState says how a run of the collector stands.
type CollectionState string

// The states of a run.
const (
	CollectionWaiting CollectionState = "Waiting" // condemned; the grace time runs
	CollectionDone    CollectionState = "Done"
	CollectionDryRun  CollectionState = "DryRun"  // counted, nothing was condemned
	CollectionStopped CollectionState = "Stopped" // ended without a delete; Reason says why
)

// CollectionReason says why a run stopped, so that an operator can act on it.
type CollectionReason string

// The reasons. They only grow.
const (
	CollectionUnaccounted CollectionReason = "Unaccounted" // too much garbage that no delete explains: waits for an operator
	CollectionUnreadable  CollectionReason = "Unreadable"  // a live manifest cannot be read whole
	CollectionLost        CollectionReason = "Lost"        // a live pack is not in the store, or has another length
	CollectionListing     CollectionReason = "Listing"     // the listing failed, or lacks far too much
	CollectionForeign     CollectionReason = "Foreign"     // the store is newer than the state, or is not ours
	CollectionStore       CollectionReason = "Store"       // the store failed
	CollectionBusy        CollectionReason = "Busy"        // copies were completed faster than they could be looked at
	CollectionFailed      CollectionReason = "Failed"
)

// Collection is a run of the collector over one repository. Bytes are of stored objects.
type Collection struct {
	Claim   uint64           `cbor:"1,keyasint,omitempty"` // epoch
	State   CollectionState  `cbor:"2,keyasint"`
	Reason  CollectionReason `cbor:"3,keyasint,omitempty"`
	Message string           `cbor:"4,keyasint,omitempty"`
	Began   time.Time        `cbor:"5,keyasint,omitzero"` // state times
	Ended   time.Time        `cbor:"6,keyasint,omitzero"`
	Asked   uint64           `cbor:"7,keyasint,omitempty"` // index of the newest request that it answers

	Objects        int64 `cbor:"8,keyasint,omitempty"`  // listed
	Bytes          int64 `cbor:"9,keyasint,omitempty"`  // of them
	Live           int64 `cbor:"10,keyasint,omitempty"` // stored bytes of live chunks
	GarbageObjects int64 `cbor:"11,keyasint,omitempty"` // condemned
	GarbageBytes   int64 `cbor:"12,keyasint,omitempty"`
	Unaccounted    int64 `cbor:"13,keyasint,omitempty"` // packs among them that nothing explains
	Compacted      int64 `cbor:"14,keyasint,omitempty"` // bytes of packs whose live part was moved
	Written        int64 `cbor:"15,keyasint,omitempty"` // bytes of new packs
}

// Held says whether the run waits for an operator: no other is begun before somebody asks for it.
func (c *Collection) Held() bool {
	return c.State == CollectionStopped && (c.Reason == CollectionUnaccounted || c.Reason == CollectionForeign)
}

// CollectionRequest is what an operator asked for.
type CollectionRequest struct {
	Index  uint64    `cbor:"1,keyasint"` // of the entry
	Time   time.Time `cbor:"2,keyasint,omitzero"`
	DryRun bool      `cbor:"3,keyasint,omitempty"`
	Accept bool      `cbor:"4,keyasint,omitempty"` // garbage that nothing explains goes, too
	By     string    `cbor:"5,keyasint,omitempty"`
}
