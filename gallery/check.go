package gallery

import (
	"time"

	"loggia/internal/digest"
)

// Check is how the checks of a repository by its own region stand. A turn looks at the existence and length of everything, and reads whole
// the packs whose ids lie in the next part of all ids; a round is over when the turns have been through all of them.
type Check struct {
	Claim   uint64    `cbor:"1,keyasint,omitempty"` // epoch of the newest turn's
	Began   time.Time `cbor:"2,keyasint,omitzero"`  // the newest turn; state times
	Ended   time.Time `cbor:"3,keyasint,omitzero"`
	More    bool      `cbor:"4,keyasint,omitempty"` // it gave its place to others; the next one is due at once
	Failed  bool      `cbor:"5,keyasint,omitempty"` // it could not go on, or could not repair; Message says why
	Message string    `cbor:"6,keyasint,omitempty"`

	Cursor    uint32    `cbor:"7,keyasint,omitempty"` // packs whose ids begin below are read in this round
	Round     time.Time `cbor:"8,keyasint,omitzero"`  // since when this round is under way
	Whole     time.Time `cbor:"9,keyasint,omitzero"`  // when the last one ended: all that lay there when it began has been read since
	Packs     int64     `cbor:"10,keyasint,omitempty"`
	ReadPacks int64     `cbor:"11,keyasint,omitempty"` // by the newest turn
	ReadBytes int64     `cbor:"12,keyasint,omitempty"`

	Found    CheckCounts `cbor:"13,keyasint,omitzero"`  // by the newest turn
	Repaired int64       `cbor:"14,keyasint,omitempty"` // copies that it has had made whole again
	// Damaged are the packs known to be damaged for which nothing could be done: each turn reads them again, so that they are found until they
	// are repaired. At most MaxDamaged.
	Damaged  []digest.Digest `cbor:"15,keyasint,omitempty"`
	LastBad  time.Time       `cbor:"16,keyasint,omitzero"`  // when a turn last found something that needed repair
	Repairs  int64           `cbor:"17,keyasint,omitempty"` // copies made whole again by all turns
	Finished int64           `cbor:"18,keyasint,omitempty"` // rounds
}

// MaxDamaged bounds Check.Damaged.
const MaxDamaged = 64

// CheckCounts counts what a check found, by kind.
type CheckCounts struct {
	Lost      int64 `cbor:"1,keyasint,omitempty"`
	Damaged   int64 `cbor:"2,keyasint,omitempty"`
	Unindexed int64 `cbor:"3,keyasint,omitempty"`
	Unknown   int64 `cbor:"4,keyasint,omitempty"`
	Orphaned  int64 `cbor:"5,keyasint,omitempty"`
}

// Bad counts what needs repair or a person.
func (c CheckCounts) Bad() int64 { return c.Lost + c.Damaged + c.Unindexed + c.Unknown }

// Add returns the sum of both.
func (c CheckCounts) Add(d CheckCounts) CheckCounts {
	return CheckCounts{c.Lost + d.Lost, c.Damaged + d.Damaged, c.Unindexed + d.Unindexed, c.Unknown + d.Unknown, c.Orphaned + d.Orphaned}
}
