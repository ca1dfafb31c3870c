package command

import "loggia/gallery"

func distanceDefs() []Def {
	return from(4,
		def[DistancePut, *DistancePut, gallery.Distance](KindDistancePut, "distance.put"),
		def[DistanceRemove, *DistanceRemove, noValue](KindDistanceRemove, "distance.remove"),
	)
}

// DistancePut says how far two regions are from each other, or changes it. ErrNotFound where one of them is not there, ErrLimit above
// gallery.MaxDistances. Its result is the *gallery.Distance.
type DistancePut struct {
	Distance gallery.Distance `cbor:"1,keyasint"`
}

// DistanceRemove takes back what was said of a pair. ErrNotFound where nothing was.
type DistanceRemove struct {
	Pair gallery.RegionPair `cbor:"1,keyasint"`
}

func (*DistancePut) Kind() Kind    { return KindDistancePut }
func (*DistanceRemove) Kind() Kind { return KindDistanceRemove }

// Check implements Command.
func (c *DistancePut) Check() error { return c.Distance.Validate() }

// Check implements Command.
func (c *DistanceRemove) Check() error { return c.Pair.Validate() }
