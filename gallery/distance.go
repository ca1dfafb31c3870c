package gallery

import "time"

// RegionPair is two regions, whichever way one looks: the lesser name is A.
type RegionPair struct {
	A RegionName `cbor:"1,keyasint"`
	B RegionName `cbor:"2,keyasint"`
}

// PairOf returns the pair of two regions.
func PairOf(a, b RegionName) RegionPair { return RegionPair{min(a, b), max(a, b)} }

// String writes east-west.
func (p RegionPair) String() string { return string(p.A) + "-" + string(p.B) }

// Validate says whether these are two regions, in order, by names in their canonical form.
func (p RegionPair) Validate() error {
	for _, x := range []struct {
		field string
		name  RegionName
	}{{"a", p.A}, {"b", p.B}} {
		if n, err := ParseRegionName(string(x.name)); err != nil || n != x.name {
			return invalid(x.field, "%q: must be the name of a region", x.name)
		}
	}
	if p.A >= p.B {
		return invalid("b", "must be another region than a: a region is at no distance from itself")
	}
	return nil
}

// Distance says how far two regions are from each other, in a measure of the operator's: milliseconds, money, hops. Only which of two is less counts.
type Distance struct {
	Pair     RegionPair `cbor:"1,keyasint"`
	Distance uint32     `cbor:"2,keyasint"` // 1 to MaxDistance
	Updated  time.Time  `cbor:"3,keyasint,omitzero"`
	By       string     `cbor:"4,keyasint,omitempty"`
}

// The bounds of distances: of one, and of how many a cluster has.
const (
	MaxDistance  = 1_000_000
	MaxDistances = 1000
)

// Validate checks what a person asks for.
func (d *Distance) Validate() error {
	if d.Distance < 1 || d.Distance > MaxDistance {
		return invalid("distance", "must be from 1 to %d", MaxDistance)
	}
	return d.Pair.Validate()
}
