package gallery

import (
	"slices"
	"strings"
	"time"
)

// SnapshotName is the name of a snapshot, as first written. It is unique in its resource group; case does not count.
type SnapshotName string

const ruleSnapshot = "1 to 80 letters, digits, '.', '_' and '-', first a letter or digit, last no '.' or '-'"

// Fold returns the name as keys and comparisons use it.
func (n SnapshotName) Fold() SnapshotName { return SnapshotName(strings.ToLower(string(n))) }

// ParseSnapshotName checks a snapshot's name and keeps its case.
func ParseSnapshotName(s string) (SnapshotName, error) {
	if !validSnapshot(s) {
		return "", invalid("name", ruleSnapshot)
	}
	return SnapshotName(s), nil
}

func validSnapshot(s string) bool {
	return madeOf(s, MaxName, "._-") && isAlnum(s[0]) && (isAlnum(s[len(s)-1]) || s[len(s)-1] == '_')
}

// SnapshotRef names a snapshot. Compare refs only after Fold.
type SnapshotRef struct {
	GroupRef
	Name SnapshotName `cbor:"3,keyasint"`
}

// Fold returns the ref as keys and comparisons use it.
func (r SnapshotRef) Fold() SnapshotRef { return SnapshotRef{r.GroupRef.Fold(), r.Name.Fold()} }

// String writes group/snapshot.
func (r SnapshotRef) String() string { return string(r.Group) + "/" + string(r.Name) }

// Validate checks what needs no other row.
func (r SnapshotRef) Validate() error {
	var f faults
	f.group(r.GroupRef)
	f.unless(validSnapshot(string(r.Name)), "name", ruleSnapshot)
	return f.err()
}

// Import says where a disk that is not here yet comes from: from a URI, or from a disk of another domain. A node of the
// region makes an upload of it.
type Import struct {
	ID       ImportID `cbor:"11,keyasint"` // fences late reports; a new one for each attempt that a person asks for
	URI      string   `cbor:"12,keyasint,omitempty"`
	Account  string   `cbor:"13,keyasint,omitempty"` // id or name of the storage account that the URI belongs to
	Source   DiskID   `cbor:"14,keyasint,omitempty"` // of another domain
	Resource string   `cbor:"15,keyasint,omitempty"` // id of what holds Source, as written
	// Reason is set when the import has failed for good: nobody tries any more until a person asks again. It and Message are the
	// machine's.
	Reason  Reason `cbor:"16,keyasint,omitempty"`
	Message string `cbor:"17,keyasint,omitempty"`
}

// Failed says whether the import was given up.
func (i *Import) Failed() bool { return i.Reason != "" }

// Same says whether o asks for the same bytes.
func (i *Import) Same(o *Import) bool {
	return i.URI == o.URI && i.Account == o.Account && i.Source == o.Source && i.Resource == o.Resource
}

// SnapshotState says how the making of a snapshot stands.
type SnapshotState string

// The states of a snapshot.
const (
	SnapshotCreating  SnapshotState = "Creating" // its disk is being imported, or copied into its region
	SnapshotSucceeded SnapshotState = "Succeeded"
	SnapshotFailed    SnapshotState = "Failed"
)

// Access is a link to a snapshot's bytes that was given to somebody.
type Access struct {
	ID      AccessID  `cbor:"1,keyasint"`
	Expires time.Time `cbor:"2,keyasint,omitzero"`
}

// Bounds of a snapshot.
const (
	MaxAccess     = 16             // live links to one snapshot
	MaxAccessLife = 24 * time.Hour // of a link
	MaxWire       = 16 << 10       // bytes of a row's Wire
	MaxSources    = 8 << 10        // bytes of a version's Sources
	maxSKU        = 64
)

// Snapshot is a disk under a name of its own, in one region.
type Snapshot struct {
	Ref              SnapshotRef       `cbor:"1,keyasint"`
	Tenant           TenantID          `cbor:"2,keyasint"`
	Location         RegionName        `cbor:"3,keyasint"` // immutable
	Tags             map[string]string `cbor:"4,keyasint,omitempty"`
	SKU              string            `cbor:"5,keyasint,omitempty"`
	OSType           string            `cbor:"6,keyasint,omitempty"`
	HyperVGeneration string            `cbor:"7,keyasint,omitempty"`
	Architecture     string            `cbor:"8,keyasint,omitempty"`
	Incremental      bool              `cbor:"9,keyasint,omitempty"`  // as asked for, for people: all snapshots share what is equal
	Disk             DiskID            `cbor:"10,keyasint,omitempty"` // empty while it is to be imported
	Size             int64             `cbor:"11,keyasint,omitempty"` // guest bytes; taken from the disk
	State            SnapshotState     `cbor:"12,keyasint"`           // the machine's
	Import           *Import           `cbor:"13,keyasint,omitempty"` // where the disk comes from, until it is here
	Access           []Access          `cbor:"14,keyasint,omitempty"` // the machine's
	Wire             []byte            `cbor:"15,keyasint,omitempty"` // JSON that only clients understand, such as creationData as written
	Operation        OperationID       `cbor:"16,keyasint,omitempty"` // the last one
	UniqueID         string            `cbor:"17,keyasint,omitempty"` // a UUID, given by who creates it
	ETag             uint64            `cbor:"18,keyasint"`
	Created          time.Time         `cbor:"19,keyasint,omitzero"`
	Updated          time.Time         `cbor:"20,keyasint,omitzero"`
	CreatedBy        string            `cbor:"21,keyasint,omitempty"`
	UpdatedBy        string            `cbor:"22,keyasint,omitempty"`
}

// Domain returns the domain of deduplication of the snapshot's disk.
func (s *Snapshot) Domain() Domain { return DomainOf(s.Tenant) }

// Importing says whether a node is to make the snapshot's disk.
func (s *Snapshot) Importing() bool {
	return s.State == SnapshotCreating && s.Import != nil && !s.Import.Failed()
}

// Granted says whether a link is live at now.
func (s *Snapshot) Granted(id AccessID, now time.Time) bool {
	return slices.ContainsFunc(s.Access, func(a Access) bool { return a.ID == id && now.Before(a.Expires) })
}

// Target returns where the snapshot's disk is wanted: one copy in its region.
func (s *Snapshot) Target() TargetRegion {
	return TargetRegion{Region: s.Location, ReplicaCount: 1, StorageClass: StandardLRS}
}

// Validate checks what needs no other row. Enumerations must be in canonical case. Disk and Import may be absent on an update.
func (s *Snapshot) Validate() error {
	var f faults
	f.group(s.Ref.GroupRef)
	f.unless(validSnapshot(string(s.Ref.Name)), "name", ruleSnapshot)
	f.id("tenant", string(s.Tenant))
	f.region("location", s.Location)
	f.tags(s.Tags)
	f.text("sku.name", s.SKU, maxSKU)
	f.oneOf("properties.osType", s.OSType, "", OSLinux, OSWindows)
	f.oneOf("properties.hyperVGeneration", s.HyperVGeneration, "", GenerationV1, GenerationV2)
	f.oneOf("properties.supportedCapabilities.architecture", s.Architecture, "", ArchX64, ArchArm64)
	f.unless(s.Disk == "" || s.Import == nil, "properties.creationData", "exactly one source")
	if s.Disk != "" {
		f.id("properties.creationData.disk", string(s.Disk))
	}
	if s.Import != nil {
		f.importOf("properties.creationData", s.Import)
	}
	if s.UniqueID != "" {
		f.id("properties.uniqueId", s.UniqueID)
	}
	f.wire(s.Wire)
	return f.err()
}

func (f *faults) importOf(at string, i *Import) {
	f.id(at+".import", string(i.ID))
	f.unless((i.URI == "") != (i.Source == ""), at, "exactly one source: a URI or a disk")
	f.text(at+".sourceUri", i.URI, MaxText)
	f.text(at+".storageAccountId", i.Account, MaxScope)
	f.text(at+".sourceResourceId", i.Resource, MaxScope)
	if i.Source != "" {
		f.id(at+".sourceResourceId", string(i.Source))
	}
	f.text(at, string(i.Reason), maxZone)
	f.text(at, i.Message, MaxLastError)
}

// CheckUpdate says what of s may not follow old: an *Error of kind ErrImmutable, or nil.
func (s *Snapshot) CheckUpdate(old *Snapshot) error {
	f := faults{kind: ErrImmutable}
	f.same(s.Tenant == old.Tenant, "tenant")
	f.same(s.Location == old.Location, "location")
	f.same(s.Incremental == old.Incremental, "properties.incremental")
	f.same(old.HyperVGeneration == "" || s.HyperVGeneration == old.HyperVGeneration, "properties.hyperVGeneration")
	f.same(s.Disk == old.Disk, "properties.creationData")
	f.same(old.Import == nil && s.Import == nil || old.Import != nil && s.Import != nil && s.Import.Same(old.Import), "properties.creationData")
	return f.err()
}
