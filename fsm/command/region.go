package command

import "loggia/gallery"

func regionDefs() []Def {
	return []Def{
		def[RegionPut, *RegionPut, gallery.Region](KindRegionPut, "region.put"),
		def[RegionRemove, *RegionRemove, RegionRemoved](KindRegionRemove, "region.remove"),
	}
}

// RegionPut adds a region or changes how it is displayed. Its result is the *gallery.Region.
type RegionPut struct {
	Region gallery.Region `cbor:"1,keyasint"`
}

// RegionRemove removes a region with its stores. It is refused (ErrInUse) while a version wants it,
// it has nodes or open uploads, or it holds the last whole copy of a live version (D11).
// Lost overrides all of that for a region that will not come back. Its result is *RegionRemoved.
type RegionRemove struct {
	Region gallery.RegionName `cbor:"1,keyasint"`
	Lost   bool               `cbor:"2,keyasint,omitempty"`
}

// RegionRemoved lists what went with a region: at most MaxListed of each.
type RegionRemoved struct {
	NoSource []gallery.VersionRef `cbor:"1,keyasint,omitempty"` // versions without a whole copy anywhere
	Changed  []gallery.VersionRef `cbor:"2,keyasint,omitempty"` // versions that no longer name the region
	Nodes    []gallery.NodeID     `cbor:"3,keyasint,omitempty"` // removed with it
	Replicas int                  `cbor:"4,keyasint,omitempty"` // rows removed
	More     bool                 `cbor:"5,keyasint,omitempty"` // a list was cut
}

// MaxListed bounds each list in a result.
const MaxListed = 100

func (*RegionPut) Kind() Kind    { return KindRegionPut }
func (*RegionRemove) Kind() Kind { return KindRegionRemove }

// Check implements Command.
func (c *RegionPut) Check() error { return c.Region.Validate() }

// Check implements Command.
func (c *RegionRemove) Check() error { return checkRegion("region", c.Region) }
