package gallery

import "time"

// Region is a place with its own nodes and stores.
type Region struct {
	Name    RegionName `cbor:"1,keyasint"`
	Display string     `cbor:"2,keyasint,omitempty"` // as the operator wrote it
	Created time.Time  `cbor:"3,keyasint,omitzero"`
}

// StoreClass is the class of a store.
type StoreClass string

// The classes of stores.
const (
	ClassStandard StoreClass = "standard"
	ClassPremium  StoreClass = "premium"
)

// StoreKind is the protocol of a store.
type StoreKind string

// The kinds of stores.
const (
	KindFilesystem StoreKind = "filesystem"
	KindS3         StoreKind = "s3"
)

// StoreState says whether a store can be used (D12).
type StoreState string

// The states of a store.
const (
	StoreOK          StoreState = "ok"
	StoreFull        StoreState = "full"
	StoreUnavailable StoreState = "unavailable"
	StoreForbidden   StoreState = "forbidden"
)

// Capacity is the room of a store, in bytes; zero where the store cannot tell.
type Capacity struct {
	Total int64 `cbor:"1,keyasint,omitempty"`
	Free  int64 `cbor:"2,keyasint,omitempty"`
}

// Store is one bucket or directory of a region.
type Store struct {
	ID        StoreID    `cbor:"1,keyasint"`
	Region    RegionName `cbor:"2,keyasint"`
	Name      string     `cbor:"3,keyasint"`           // unique in its region
	Zone      string     `cbor:"4,keyasint,omitempty"` // failure domain inside the region
	Class     StoreClass `cbor:"5,keyasint"`
	Kind      StoreKind  `cbor:"6,keyasint"`
	Location  string     `cbor:"7,keyasint,omitempty"` // for people: a path or URL without secrets
	State     StoreState `cbor:"8,keyasint"`
	Reason    string     `cbor:"9,keyasint,omitempty"`
	Capacity  Capacity   `cbor:"10,keyasint,omitzero"`
	Abilities []byte     `cbor:"11,keyasint,omitempty"` // JSON of the probe's answers, opaque here
	Created   time.Time  `cbor:"12,keyasint,omitzero"`
	Checked   time.Time  `cbor:"13,keyasint,omitzero"` // when State and Capacity were last told
}

// MaxAbilities bounds Store.Abilities, in bytes.
const MaxAbilities = 4 << 10
