package command

import (
	"fmt"
	"slices"

	"loggia/gallery"
)

func steeringDefs() []Def {
	return from(3,
		def[LimitPut, *LimitPut, gallery.Limit](KindLimitPut, "limit.put"),
		def[LimitRemove, *LimitRemove, noValue](KindLimitRemove, "limit.remove"),
		def[TransferPause, *TransferPause, Steered](KindTransferPause, "transfer.pause"),
		def[TransferResume, *TransferResume, Steered](KindTransferResume, "transfer.resume"),
	)
}

// LimitPut sets a limit or changes it. ErrNotFound where a region or node that it names is not there, ErrLimit above gallery.MaxLimits.
// Its result is the *gallery.Limit.
type LimitPut struct {
	Limit gallery.Limit `cbor:"1,keyasint"`
}

// LimitRemove lifts a limit. ErrNotFound where there is none.
type LimitRemove struct {
	Key gallery.LimitKey `cbor:"1,keyasint"`
}

// TransferPause lets the copies of a version that are not whole rest: their claims are given back and no new ones are granted, what is there is
// kept. One that is paused already stays as it is. ErrInvalid for a region that is no target, ErrConflict where every copy is whole.
// Its result is *Steered.
type TransferPause struct {
	Version gallery.VersionRef   `cbor:"1,keyasint"`
	Regions []gallery.RegionName `cbor:"2,keyasint,omitempty"` // none: all of the version's targets
}

// TransferResume ends what TransferPause began; the copies are due at once. Its result is *Steered.
type TransferResume struct {
	Version gallery.VersionRef   `cbor:"1,keyasint"`
	Regions []gallery.RegionName `cbor:"2,keyasint,omitempty"`
}

// Steered says how many replicas a command changed.
type Steered struct {
	Replicas int `cbor:"1,keyasint,omitempty"`
}

func (*LimitPut) Kind() Kind       { return KindLimitPut }
func (*LimitRemove) Kind() Kind    { return KindLimitRemove }
func (*TransferPause) Kind() Kind  { return KindTransferPause }
func (*TransferResume) Kind() Kind { return KindTransferResume }

// Check implements Command.
func (c *LimitPut) Check() error { return c.Limit.Validate() }

// Check implements Command.
func (c *LimitRemove) Check() error { return c.Key.Validate() }

// Check implements Command.
func (c *TransferPause) Check() error { return checkSteered(c.Version, c.Regions) }

// Check implements Command.
func (c *TransferResume) Check() error { return checkSteered(c.Version, c.Regions) }

func checkSteered(v gallery.VersionRef, regions []gallery.RegionName) error {
	if len(regions) > gallery.MaxTargetRegions {
		return invalid("regions", "at most %d", gallery.MaxTargetRegions)
	}
	for i, r := range regions {
		field := fmt.Sprintf("regions[%d]", i)
		if err := checkRegion(field, r); err != nil {
			return err
		}
		if slices.Contains(regions[:i], r) {
			return invalid(field, "region %q is named twice", r)
		}
	}
	return checkVersionRef(v)
}
