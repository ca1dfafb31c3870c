package command

import (
	"time"

	"loggia/gallery"
	"loggia/internal/digest"
)

func uploadDefs() []Def {
	return []Def{
		def[UploadOpen, *UploadOpen, UploadGranted](KindUploadOpen, "upload.open"),
		def[UploadReopen, *UploadReopen, UploadGranted](KindUploadReopen, "upload.reopen"),
		def[UploadRenew, *UploadRenew, gallery.Upload](KindUploadRenew, "upload.renew"),
		def[UploadAbandon, *UploadAbandon, noValue](KindUploadAbandon, "upload.abandon"),
		def[UploadComplete, *UploadComplete, gallery.Upload](KindUploadComplete, "upload.complete"),
	}
}

// MaxLease bounds how long a claim may be asked for at once, MaxUploadLife an upload.
const (
	MaxLease      = 24 * time.Hour
	MaxUploadLife = 30 * 24 * time.Hour
)

// UploadOpen begins the publish of one disk and grants its claim, whose epoch is the entry's index. The same upload opened
// again (same id, domain, region, size, kind) returns it as it stands, with no new epoch; another
// one under the id gives ErrConflict. Its result is *UploadGranted.
type UploadOpen struct {
	ID      gallery.UploadID    `cbor:"1,keyasint"`
	Domain  gallery.Domain      `cbor:"2,keyasint"`
	Region  gallery.RegionName  `cbor:"3,keyasint"`
	Store   gallery.StoreID     `cbor:"4,keyasint"`
	Node    gallery.NodeID      `cbor:"5,keyasint"`
	Content gallery.ContentKind `cbor:"6,keyasint"`
	Size    int64               `cbor:"7,keyasint"` // guest bytes
	Lease   time.Duration       `cbor:"8,keyasint"` // of the claim
	Life    time.Duration       `cbor:"9,keyasint"` // of the upload
	// Principal is who asked the node, Target the canonical id of what the disk is for. Those of the first opening stay.
	Principal string `cbor:"10,keyasint,omitempty" since:"2"`
	Target    string `cbor:"11,keyasint,omitempty" since:"2"`
}

// UploadReopen gives the claim to a node of the same region, superseding whoever had it: another node, or the same one before it
// restarted. Its result is *UploadGranted, with the superseded epochs as the claim's predecessors.
type UploadReopen struct {
	ID    gallery.UploadID `cbor:"1,keyasint"`
	Node  gallery.NodeID   `cbor:"2,keyasint"`
	Lease time.Duration    `cbor:"3,keyasint"`
}

// UploadGranted is an upload and the epoch of the repository it writes to.
type UploadGranted struct {
	Upload          gallery.Upload `cbor:"1,keyasint"`
	RepositoryEpoch uint64         `cbor:"2,keyasint,omitempty"`
}

// UploadRenew puts off the claim's deadline, and the upload's end where Life is given. ErrStaleClaim for an old epoch. Its result is the *gallery.Upload.
type UploadRenew struct {
	ID    gallery.UploadID `cbor:"1,keyasint"`
	Epoch uint64           `cbor:"2,keyasint"`
	Lease time.Duration    `cbor:"3,keyasint"`
	Life  time.Duration    `cbor:"4,keyasint,omitempty"`
}

// UploadAbandon ends an open upload. Epoch 0 asks in a person's name, whoever holds the claim.
type UploadAbandon struct {
	ID    gallery.UploadID `cbor:"1,keyasint"`
	Epoch uint64           `cbor:"2,keyasint,omitempty"`
}

// UploadComplete makes the disk, and its first Completed replica where it was uploaded. ErrStaleClaim or
// ErrStaleRepository (D5) change nothing. Its result is the *gallery.Upload.
type UploadComplete struct {
	ID              gallery.UploadID  `cbor:"1,keyasint"`
	Epoch           uint64            `cbor:"2,keyasint"`
	RepositoryEpoch uint64            `cbor:"3,keyasint,omitempty"`
	Disk            gallery.DiskID    `cbor:"4,keyasint"`
	Root            digest.Digest     `cbor:"5,keyasint"`
	Table           digest.Digest     `cbor:"6,keyasint"`
	Data            int64             `cbor:"7,keyasint,omitempty"` // guest bytes that are no hole
	Stored          int64             `cbor:"8,keyasint,omitempty"` // bytes that a whole copy takes
	FlatSHA256      digest.Digest     `cbor:"9,keyasint,omitzero"`
	Add             []gallery.Segment `cbor:"10,keyasint,omitempty"`
	Remove          []digest.Digest   `cbor:"11,keyasint,omitempty"` // ids of live segments that Add supersedes
	Size            int64             `cbor:"12,keyasint,omitempty"` // guest bytes; 0: as opened
}

func (*UploadOpen) Kind() Kind     { return KindUploadOpen }
func (*UploadReopen) Kind() Kind   { return KindUploadReopen }
func (*UploadRenew) Kind() Kind    { return KindUploadRenew }
func (*UploadAbandon) Kind() Kind  { return KindUploadAbandon }
func (*UploadComplete) Kind() Kind { return KindUploadComplete }

// Check implements Command.
func (c *UploadOpen) Check() error {
	if c.Content != gallery.ContentDisk && c.Content != gallery.ContentBlob {
		return invalid("kind", "disk or blob")
	}
	if len(c.Principal) > MaxPrincipal {
		return invalid("principal", "at most %d bytes", MaxPrincipal)
	}
	if c.Target != "" && !gallery.ValidScope(c.Target) {
		return invalid("target", "the canonical id of a resource")
	}
	return first(checkID("id", c.ID), checkID("domain", c.Domain), checkRegion("region", c.Region), checkID("store", c.Store),
		checkID("node", c.Node), checkSize(c.Content, c.Size), checkLease("lease", c.Lease, MaxLease), checkLease("life", c.Life, MaxUploadLife))
}

// Check implements Command.
func (c *UploadReopen) Check() error {
	return first(checkID("id", c.ID), checkID("node", c.Node), checkLease("lease", c.Lease, MaxLease))
}

// Check implements Command.
func (c *UploadRenew) Check() error {
	if c.Life != 0 {
		if err := checkLease("life", c.Life, MaxUploadLife); err != nil {
			return err
		}
	}
	return first(checkID("id", c.ID), positive("epoch", c.Epoch), checkLease("lease", c.Lease, MaxLease))
}

// Check implements Command.
func (c *UploadAbandon) Check() error { return checkID("id", c.ID) }

// Check implements Command.
func (c *UploadComplete) Check() error {
	if c.Root.IsZero() || c.Table.IsZero() {
		return invalid("root", "root and table are required")
	}
	return first(checkID("id", c.ID), positive("epoch", c.Epoch), checkID("disk", c.Disk), checkBytes("data", c.Data),
		checkBytes("stored", c.Stored), checkBytes("size", c.Size), checkSegments(c.Add, c.Remove))
}

// SectorSize divides the size of every disk, in bytes.
const SectorSize = 512

func checkSize(kind gallery.ContentKind, n int64) error {
	if n <= 0 || n > maxBytes {
		return invalid("size", "more than 0 and at most %d bytes", int64(maxBytes))
	}
	if kind == gallery.ContentDisk && n%SectorSize != 0 {
		return invalid("size", "a multiple of %d bytes", SectorSize)
	}
	return nil
}

func checkLease(field string, d, limit time.Duration) error {
	if d <= 0 || d > limit {
		return invalid(field, "more than 0 and at most %s", limit)
	}
	return nil
}
