package command

import (
	"time"

	"loggia/gallery"
)

func snapshotDefs() []Def {
	return from(2,
		def[SnapshotPut, *SnapshotPut, gallery.Snapshot](KindSnapshotPut, "snapshot.put"),
		def[SnapshotDelete, *SnapshotDelete, noValue](KindSnapshotDelete, "snapshot.delete"),
		def[SnapshotComplete, *SnapshotComplete, gallery.Snapshot](KindSnapshotComplete, "snapshot.complete"),
		def[SnapshotFail, *SnapshotFail, gallery.Snapshot](KindSnapshotFail, "snapshot.fail"),
		def[SnapshotGrant, *SnapshotGrant, gallery.Snapshot](KindSnapshotGrant, "snapshot.grantAccess"),
		def[SnapshotRevoke, *SnapshotRevoke, gallery.Snapshot](KindSnapshotRevoke, "snapshot.revokeAccess"),
		def[VersionImported, *VersionImported, gallery.ImageVersion](KindVersionImported, "version.imported"),
		def[VersionImportFailed, *VersionImportFailed, gallery.ImageVersion](KindVersionImportFailed, "version.importFailed"),
	)
}

// SnapshotPut creates a snapshot of a disk of its domain, or of one that a node of its region is to import; or replaces what may change.
// On an update disk and import are kept, except that an import that failed is tried again when a new one of the same source is given.
// It is Creating until a whole copy is in its region. State, size and access are the machine's. Its result is the *gallery.Snapshot.
type SnapshotPut struct {
	Snapshot gallery.Snapshot `cbor:"1,keyasint"`
	If       Precondition     `cbor:"2,keyasint,omitzero"`
}

// SnapshotDelete removes a snapshot and, where nothing else has it, its disk.
type SnapshotDelete struct {
	Ref gallery.SnapshotRef `cbor:"1,keyasint"`
	If  Precondition        `cbor:"2,keyasint,omitzero"`
}

// SnapshotComplete gives a snapshot the disk of a completed upload of its domain. ErrStaleClaim where the import is not the one under way
// (D5). Its result is the *gallery.Snapshot.
type SnapshotComplete struct {
	Ref    gallery.SnapshotRef `cbor:"1,keyasint"`
	Import gallery.ImportID    `cbor:"2,keyasint"`
	Upload gallery.UploadID    `cbor:"3,keyasint"`
}

// SnapshotFail gives an import up. ErrStaleClaim where it is not the one under way. Its result is the *gallery.Snapshot.
type SnapshotFail struct {
	Ref     gallery.SnapshotRef `cbor:"1,keyasint"`
	Import  gallery.ImportID    `cbor:"2,keyasint"`
	Reason  gallery.Reason      `cbor:"3,keyasint"`
	Message string              `cbor:"4,keyasint,omitempty"` // at most gallery.MaxLastError bytes
}

// SnapshotGrant notes a link to a snapshot's bytes; ended ones go. ErrConflict while its bytes are not there, ErrQuota above gallery.MaxAccess live ones.
// Its result is the *gallery.Snapshot.
type SnapshotGrant struct {
	Ref    gallery.SnapshotRef `cbor:"1,keyasint"`
	Access gallery.AccessID    `cbor:"2,keyasint"`
	Life   time.Duration       `cbor:"3,keyasint"` // at most gallery.MaxAccessLife
}

// SnapshotRevoke ends one link to a snapshot's bytes, all for an empty id. Its result is the *gallery.Snapshot.
type SnapshotRevoke struct {
	Ref    gallery.SnapshotRef `cbor:"1,keyasint"`
	Access gallery.AccessID    `cbor:"2,keyasint,omitempty"`
}

// VersionImported puts the disk of a completed upload in the place of an import of a version. With the last one the version's
// replicas are wanted. ErrStaleClaim where the import is not under way (D5). Its result is the *gallery.ImageVersion.
type VersionImported struct {
	Ref    gallery.VersionRef `cbor:"1,keyasint"`
	Import gallery.ImportID   `cbor:"2,keyasint"`
	Upload gallery.UploadID   `cbor:"3,keyasint"`
}

// VersionImportFailed gives an import of a version up. ErrStaleClaim where it is not under way. Its result is the *gallery.ImageVersion.
type VersionImportFailed struct {
	Ref     gallery.VersionRef `cbor:"1,keyasint"`
	Import  gallery.ImportID   `cbor:"2,keyasint"`
	Reason  gallery.Reason     `cbor:"3,keyasint"`
	Message string             `cbor:"4,keyasint,omitempty"`
}

func (*SnapshotPut) Kind() Kind         { return KindSnapshotPut }
func (*SnapshotDelete) Kind() Kind      { return KindSnapshotDelete }
func (*SnapshotComplete) Kind() Kind    { return KindSnapshotComplete }
func (*SnapshotFail) Kind() Kind        { return KindSnapshotFail }
func (*SnapshotGrant) Kind() Kind       { return KindSnapshotGrant }
func (*SnapshotRevoke) Kind() Kind      { return KindSnapshotRevoke }
func (*VersionImported) Kind() Kind     { return KindVersionImported }
func (*VersionImportFailed) Kind() Kind { return KindVersionImportFailed }

// Check implements Command.
func (c *SnapshotPut) Check() error { return c.Snapshot.Validate() }

// Check implements Command.
func (c *SnapshotDelete) Check() error { return c.Ref.Validate() }

// Check implements Command.
func (c *SnapshotComplete) Check() error {
	return first(c.Ref.Validate(), checkID("import", c.Import), checkID("upload", c.Upload))
}

// Check implements Command.
func (c *SnapshotFail) Check() error {
	return first(c.Ref.Validate(), checkID("import", c.Import), checkReason(c.Reason, c.Message))
}

// Check implements Command.
func (c *SnapshotGrant) Check() error {
	return first(c.Ref.Validate(), checkID("access", c.Access), checkLease("life", c.Life, gallery.MaxAccessLife))
}

// Check implements Command.
func (c *SnapshotRevoke) Check() error {
	if c.Access != "" {
		return first(c.Ref.Validate(), checkID("access", c.Access))
	}
	return c.Ref.Validate()
}

// Check implements Command.
func (c *VersionImported) Check() error {
	return first(checkVersionRef(c.Ref), checkID("import", c.Import), checkID("upload", c.Upload))
}

// Check implements Command.
func (c *VersionImportFailed) Check() error {
	return first(checkVersionRef(c.Ref), checkID("import", c.Import), checkReason(c.Reason, c.Message))
}
