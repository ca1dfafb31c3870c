package command

import (
	"slices"
	"time"

	"loggia/gallery"
	"loggia/internal/digest"
)

func repositoryDefs() []Def {
	return slices.Concat([]Def{
		def[RepositoryCompact, *RepositoryCompact, gallery.Repository](KindRepositoryCompact, "repository.compact"),
		def[RepositoryCondemn, *RepositoryCondemn, gallery.Repository](KindRepositoryCondemn, "repository.condemn"),
		def[RepositorySwept, *RepositorySwept, noValue](KindRepositorySwept, "repository.swept"),
	}, from(3,
		def[RepositoryClaim, *RepositoryClaim, gallery.Repository](KindRepositoryClaim, "repository.claim"),
		def[RepositoryRelease, *RepositoryRelease, noValue](KindRepositoryRelease, "repository.release"),
		def[RepositorySweep, *RepositorySweep, noValue](KindRepositorySweep, "repository.sweep"),
		def[RepositoryAsk, *RepositoryAsk, RepositoriesAsked](KindRepositoryAsk, "repository.ask"),
	), from(4,
		def[RepositoryChecked, *RepositoryChecked, noValue](KindRepositoryChecked, "repository.checked"),
	))
}

// RepositoryCompact replaces live segments by others that say the same or more. ErrStaleRepository where the epoch moved or a
// removed segment is not live. Its result is the *gallery.Repository.
type RepositoryCompact struct {
	Repository gallery.RepositoryKey `cbor:"1,keyasint"`
	Epoch      uint64                `cbor:"2,keyasint,omitempty"` // of the repository
	Add        []gallery.Segment     `cbor:"3,keyasint,omitempty"`
	Remove     []digest.Digest       `cbor:"4,keyasint,omitempty"`
	// Claim is the collector's, from cluster version 3 on: it must be the live one.
	Claim uint64 `cbor:"5,keyasint,omitempty" since:"3"`
}

// RepositoryCondemn moves the repository's epoch to the entry's index: from then on the keys in the stored list count as absent, and
// live segments change to those that don't name them. ErrConflict while another list stands. From cluster version 3 on the claim must be
// the collector's live one (ErrStaleClaim), collection must be on (ErrNotAllowed), and nothing that relies on the repository
// may have been completed since the state that was marked (ErrStaleRepository). Its result is the *gallery.Repository.
type RepositoryCondemn struct {
	Repository gallery.RepositoryKey `cbor:"1,keyasint"`
	Epoch      uint64                `cbor:"2,keyasint,omitempty"` // of the repository before
	List       digest.Digest         `cbor:"3,keyasint"`
	Claim      uint64                `cbor:"4,keyasint,omitempty"` // the list lies in g/<claim>/<list>
	Add        []gallery.Segment     `cbor:"5,keyasint,omitempty" since:"3"`
	Remove     []digest.Digest       `cbor:"6,keyasint,omitempty" since:"3"`
	Marked     uint64                `cbor:"7,keyasint,omitempty" since:"3"` // index of the newest state that was marked
	Began      uint64                `cbor:"8,keyasint,omitempty" since:"3"` // and of the first: deletes up to it are accounted for
	Report     *gallery.Collection   `cbor:"9,keyasint,omitempty" since:"3"`
}

// RepositorySwept ends a collection: its keys are deleted. Tombstones up to the Condemn's index go with it.
type RepositorySwept struct {
	Repository gallery.RepositoryKey `cbor:"1,keyasint"`
	Epoch      uint64                `cbor:"2,keyasint"` // of the Condemn
	Claim      uint64                `cbor:"3,keyasint,omitempty" since:"3"`
}

// RepositoryClaim gives the repository's one collector's claim to a node of its region; its epoch is the entry's index. It
// supersedes the node's own (ErrClaimed for another node's). Its result is the *gallery.Repository.
type RepositoryClaim struct {
	Repository gallery.RepositoryKey `cbor:"1,keyasint"`
	Node       gallery.NodeID        `cbor:"2,keyasint"`
	Lease      time.Duration         `cbor:"3,keyasint"`
	// Checking says that it is claimed to check or repair, and not to collect.
	Checking bool `cbor:"4,keyasint,omitempty" since:"4"`
}

// RepositoryRelease gives the collector's claim back and tells how the run stands; without a report nothing else changes.
type RepositoryRelease struct {
	Repository gallery.RepositoryKey `cbor:"1,keyasint"`
	Claim      uint64                `cbor:"2,keyasint"`
	Report     *gallery.Collection   `cbor:"3,keyasint,omitempty"`
}

// RepositorySweep asks for leave to delete what is condemned. ErrUnavailable: the grace time is not over, or a claim from
// before the Condemn is still open.
type RepositorySweep struct {
	Repository gallery.RepositoryKey `cbor:"1,keyasint"`
	Claim      uint64                `cbor:"2,keyasint"`
	Epoch      uint64                `cbor:"3,keyasint"` // of the Condemn
	Grace      time.Duration         `cbor:"4,keyasint,omitempty"`
}

// RepositoryAsk has every repository of a region's stores, or of one of them, collected as soon as a node can. Its result is
// *RepositoriesAsked.
type RepositoryAsk struct {
	Region gallery.RegionName `cbor:"1,keyasint"`
	Store  gallery.StoreID    `cbor:"2,keyasint,omitempty"`
	DryRun bool               `cbor:"3,keyasint,omitempty"`
	Accept bool               `cbor:"4,keyasint,omitempty"`
}

// RepositoriesAsked says of how many repositories a request is, and its index.
type RepositoriesAsked struct {
	Count int    `cbor:"1,keyasint,omitempty"`
	Index uint64 `cbor:"2,keyasint,omitempty"`
}

// RepositoryChecked tells how a turn of the region's own checks stands, under the collector's claim, which goes on. It counts rounds and
// repairs itself: Turn has what the turn did, with Repaired since its last report.
type RepositoryChecked struct {
	Repository gallery.RepositoryKey `cbor:"1,keyasint"`
	Claim      uint64                `cbor:"2,keyasint"`
	Turn       gallery.Check         `cbor:"3,keyasint"`
	Wrapped    bool                  `cbor:"4,keyasint,omitempty"` // the turn has ended a round
}

func (*RepositoryChecked) Kind() Kind { return KindRepositoryChecked }
func (*RepositoryClaim) Kind() Kind   { return KindRepositoryClaim }
func (*RepositoryRelease) Kind() Kind { return KindRepositoryRelease }
func (*RepositorySweep) Kind() Kind   { return KindRepositorySweep }
func (*RepositoryAsk) Kind() Kind     { return KindRepositoryAsk }

// Check implements Command.
func (c *RepositoryClaim) Check() error {
	return first(checkRepository(c.Repository), checkID("node", c.Node), checkLease("lease", c.Lease, MaxLease))
}

// Check implements Command.
func (c *RepositoryRelease) Check() error {
	return first(checkRepository(c.Repository), positive("claim", c.Claim), checkReport(c.Report))
}

// Check implements Command.
func (c *RepositoryChecked) Check() error {
	if len(c.Turn.Message) > gallery.MaxLastError {
		return invalid("turn.message", "at most %d bytes", gallery.MaxLastError)
	}
	if len(c.Turn.Damaged) > gallery.MaxDamaged {
		return invalid("turn.damaged", "at most %d packs", gallery.MaxDamaged)
	}
	return first(checkRepository(c.Repository), positive("claim", c.Claim))
}

// Check implements Command.
func (c *RepositorySweep) Check() error {
	if c.Grace < 0 {
		return invalid("grace", "not negative")
	}
	return first(checkRepository(c.Repository), positive("claim", c.Claim), positive("epoch", c.Epoch))
}

// Check implements Command.
func (c *RepositoryAsk) Check() error {
	if c.Store != "" {
		if err := checkID("store", c.Store); err != nil {
			return err
		}
	}
	return checkRegion("region", c.Region)
}

func checkReport(r *gallery.Collection) error {
	if r != nil && len(r.Message) > gallery.MaxLastError {
		return invalid("report.message", "at most %d bytes", gallery.MaxLastError)
	}
	return nil
}

func (*RepositoryCompact) Kind() Kind { return KindRepositoryCompact }
func (*RepositoryCondemn) Kind() Kind { return KindRepositoryCondemn }
func (*RepositorySwept) Kind() Kind   { return KindRepositorySwept }

// Check implements Command.
func (c *RepositoryCompact) Check() error {
	return first(checkRepository(c.Repository), checkSegments(c.Add, c.Remove))
}

// Check implements Command.
func (c *RepositoryCondemn) Check() error {
	if c.List.IsZero() {
		return invalid("list", "required")
	}
	return first(checkRepository(c.Repository), checkSegments(c.Add, c.Remove), checkReport(c.Report))
}

// Check implements Command.
func (c *RepositorySwept) Check() error {
	return first(checkRepository(c.Repository), positive("epoch", c.Epoch))
}

// MaxSegmentChange bounds the segments that one command adds, and that it removes: with its other fields it fits MaxSize.
const MaxSegmentChange = 256

func checkSegments(add []gallery.Segment, remove []digest.Digest) error {
	if len(add) > MaxSegmentChange || len(remove) > MaxSegmentChange {
		return invalid("segments", "at most %d added and removed", MaxSegmentChange)
	}
	for _, s := range add {
		if s.ID.IsZero() {
			return invalid("segments.id", "required")
		}
		if err := first(positive("segments.epoch", s.Epoch), checkBytes("segments.size", s.Size), checkBytes("segments.chunks", s.Chunks)); err != nil {
			return err
		}
	}
	for _, id := range remove {
		if id.IsZero() {
			return invalid("segments.remove", "required")
		}
	}
	return nil
}
