package gallery

import (
	"slices"
	"time"
)

// StorageClass says how the copies of a version lie in a region.
type StorageClass string

// The storage classes.
const (
	StandardLRS StorageClass = "Standard_LRS" // each copy in one standard store
	StandardZRS StorageClass = "Standard_ZRS" // each copy in standard stores of three zones
	PremiumLRS  StorageClass = "Premium_LRS"  // each copy in one premium store
)

// The replication modes.
const (
	ReplicationFull    = "Full"
	ReplicationShallow = "Shallow" // one replica, in the version's own region; for trying things out
)

// The host caching modes.
const (
	CachingNone      = "None"
	CachingReadOnly  = "ReadOnly"
	CachingReadWrite = "ReadWrite"
)

// LUNOS is the LUN of the operating system's disk.
const LUNOS = -1

// Bounds of a version.
const (
	MaxLUN           = 63
	MaxReplicas      = 100 // per region
	MaxTargetRegions = 100
)

// VersionDisk is one disk of a version.
type VersionDisk struct {
	LUN         int    `cbor:"1,keyasint"` // LUNOS or 0..MaxLUN
	Disk        DiskID `cbor:"2,keyasint"`
	HostCaching string `cbor:"3,keyasint,omitempty"`
	SizeBytes   int64  `cbor:"4,keyasint"` // guest bytes; taken from the disk
}

// TargetRegion is a region where a version is wanted. The order of a version's target regions is kept.
type TargetRegion struct {
	Region            RegionName   `cbor:"1,keyasint"`
	ReplicaCount      int          `cbor:"2,keyasint,omitempty"`           // 0: the profile's
	StorageClass      StorageClass `cbor:"3,keyasint,omitempty"`           // empty: the profile's
	ExcludeFromLatest *bool        `cbor:"4,keyasint,omitempty"`           // set: wins over the profile's flag
	Priority          Priority     `cbor:"5,keyasint,omitempty" since:"3"` // empty: the profile's
}

// PublishingProfile says where and how a version is published.
type PublishingProfile struct {
	TargetRegions     []TargetRegion `cbor:"1,keyasint,omitempty"`
	ReplicaCount      int            `cbor:"2,keyasint,omitempty"` // where a region has none; 0: 1
	StorageClass      StorageClass   `cbor:"3,keyasint,omitempty"` // where a region has none; empty: Standard_LRS
	ReplicationMode   string         `cbor:"4,keyasint,omitempty"` // empty: Full
	ExcludeFromLatest bool           `cbor:"5,keyasint,omitempty"`
	EndOfLife         time.Time      `cbor:"6,keyasint,omitzero"`            // zero: none
	Priority          Priority       `cbor:"7,keyasint,omitempty" since:"3"` // of its copies; empty: normal
}

// SafetyProfile guards a version against hasty writes.
type SafetyProfile struct {
	AllowDeletionOfReplicatedLocations bool `cbor:"1,keyasint,omitempty"` // an update may drop finished replicas
	BlockDeletionBeforeEndOfLife       bool `cbor:"2,keyasint,omitempty"`
}

// ImageVersion is a version of an image: its disks, and where they are wanted.
type ImageVersion struct {
	Ref           VersionRef        `cbor:"1,keyasint"`
	ResourceGroup string            `cbor:"2,keyasint"`
	Location      RegionName        `cbor:"3,keyasint"` // home region, immutable
	Disks         []VersionDisk     `cbor:"4,keyasint"` // by LUN, immutable
	Publishing    PublishingProfile `cbor:"5,keyasint,omitzero"`
	Safety        SafetyProfile     `cbor:"6,keyasint,omitzero"`
	Tags          map[string]string `cbor:"7,keyasint,omitempty"`
	ETag          uint64            `cbor:"8,keyasint"`          // moved by writes, never by status
	Created       time.Time         `cbor:"9,keyasint,omitzero"` // the published date
	Updated       time.Time         `cbor:"10,keyasint,omitzero"`
	CreatedBy     string            `cbor:"11,keyasint,omitempty"`
	UpdatedBy     string            `cbor:"12,keyasint,omitempty"`
	Operation     OperationID       `cbor:"13,keyasint,omitempty" since:"2"` // the last one
	Sources       []byte            `cbor:"14,keyasint,omitempty" since:"2"` // JSON of the sources as written, echoed
	Wire          []byte            `cbor:"15,keyasint,omitempty" since:"2"` // JSON that only clients understand
	App           *AppVersion       `cbor:"16,keyasint,omitempty" since:"2"` // of an application version
	Imports       []DiskImport      `cbor:"17,keyasint,omitempty" since:"2"` // disks that are not here yet; none is replicated before
}

// DiskImport is a disk of a version that has yet to be made. It is in Disks afterwards.
type DiskImport struct {
	LUN         int    `cbor:"1,keyasint"`
	HostCaching string `cbor:"2,keyasint,omitempty"`
	Import
}

// Importing says whether a node is to make a disk of the version.
func (v *ImageVersion) Importing() bool {
	return slices.ContainsFunc(v.Imports, func(i DiskImport) bool { return !i.Failed() })
}

// ImportFailed says whether the making of a disk was given up.
func (v *ImageVersion) ImportFailed() bool {
	return slices.ContainsFunc(v.Imports, func(i DiskImport) bool { return i.Failed() })
}

// Targets returns the target regions in their order, with defaults filled in from the profile.
func (p *PublishingProfile) Targets() []TargetRegion {
	out := slices.Clone(p.TargetRegions)
	for i := range out {
		if out[i].ReplicaCount == 0 {
			out[i].ReplicaCount = max(p.ReplicaCount, 1)
		}
		if out[i].StorageClass == "" {
			out[i].StorageClass = p.StorageClass
		}
		if out[i].StorageClass == "" {
			out[i].StorageClass = StandardLRS
		}
		if out[i].Priority == "" {
			out[i].Priority = p.Priority
		}
	}
	return out
}

// Target returns the target of one region, with defaults filled in.
func (p *PublishingProfile) Target(r RegionName) (TargetRegion, bool) {
	for _, t := range p.Targets() {
		if t.Region == r {
			return t, true
		}
	}
	return TargetRegion{}, false
}

// ExcludedFromLatest says whether `latest` passes the version over in region r: the region's flag
// if it is set, else the global one. A regional false re-includes a globally excluded version.
func (p *PublishingProfile) ExcludedFromLatest(r RegionName) bool {
	for _, t := range p.TargetRegions {
		if t.Region == r && t.ExcludeFromLatest != nil {
			return *t.ExcludeFromLatest
		}
	}
	return p.ExcludeFromLatest
}
