package command

import (
	"loggia/gallery"
	"loggia/internal/digest"
)

func repositoryDefs() []Def {
	return []Def{
		def[RepositoryCompact, *RepositoryCompact, gallery.Repository](KindRepositoryCompact, "repository.compact"),
		def[RepositoryCondemn, *RepositoryCondemn, gallery.Repository](KindRepositoryCondemn, "repository.condemn"),
		def[RepositorySwept, *RepositorySwept, noValue](KindRepositorySwept, "repository.swept"),
	}
}

// RepositoryCompact replaces live segments by others that say the same or more. ErrStaleRepository where the epoch moved or a
// removed segment is not live. Its result is the *gallery.Repository.
type RepositoryCompact struct {
	Repository gallery.RepositoryKey `cbor:"1,keyasint"`
	Epoch      uint64                `cbor:"2,keyasint,omitempty"` // of the repository
	Add        []gallery.Segment     `cbor:"3,keyasint,omitempty"`
	Remove     []digest.Digest       `cbor:"4,keyasint,omitempty"`
}

// RepositoryCondemn moves the repository's epoch to the entry's index: from then on the keys in the stored list count as absent.
// ErrConflict while another list stands. Its result is the *gallery.Repository.
type RepositoryCondemn struct {
	Repository gallery.RepositoryKey `cbor:"1,keyasint"`
	Epoch      uint64                `cbor:"2,keyasint,omitempty"` // of the repository before
	List       digest.Digest         `cbor:"3,keyasint"`
	Claim      uint64                `cbor:"4,keyasint,omitempty"` // the list lies in g/<claim>
}

// RepositorySwept ends a collection: its keys are deleted. Tombstones up to the Condemn's index go with it.
type RepositorySwept struct {
	Repository gallery.RepositoryKey `cbor:"1,keyasint"`
	Epoch      uint64                `cbor:"2,keyasint"` // of the Condemn
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
	return checkRepository(c.Repository)
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
