package v1

import "time"

// List is every list answer.
type List[T any] struct {
	Value []T `json:"value"`
}

// Gallery is a collection of image definitions.
type Gallery struct {
	Name        string            `json:"name"`
	ID          string            `json:"id,omitempty"` // in Azure's terms
	Location    string            `json:"location"`     // home region
	Description string            `json:"description,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Created     time.Time         `json:"created,omitzero"`
	Updated     time.Time         `json:"updated,omitzero"`
	ETag        string            `json:"etag,omitempty"`
}

// Image is an image definition.
type Image struct {
	Gallery          string            `json:"gallery"`
	Name             string            `json:"name"`
	Location         string            `json:"location"`
	OSType           string            `json:"osType"`           // Linux, Windows
	OSState          string            `json:"osState"`          // Generalized, Specialized
	Publisher        string            `json:"publisher"`        // publisher, offer and sku together are
	Offer            string            `json:"offer"`            // unique in a gallery
	SKU              string            `json:"sku"`              //
	HyperVGeneration string            `json:"hyperVGeneration"` // V1, V2
	Architecture     string            `json:"architecture"`     // x64, Arm64
	Description      string            `json:"description,omitempty"`
	EndOfLife        *time.Time        `json:"endOfLifeDate,omitempty"`
	Tags             map[string]string `json:"tags,omitempty"`
	Created          time.Time         `json:"created,omitzero"`
	Updated          time.Time         `json:"updated,omitzero"`
	ETag             string            `json:"etag,omitempty"`
}

// Version is an image version: what it is and where it is wanted.
type Version struct {
	Gallery                 string            `json:"gallery"`
	Image                   string            `json:"image"`
	Name                    string            `json:"name"` // Major.Minor.Patch
	Location                string            `json:"location"`
	Disks                   []Disk            `json:"disks"`
	App                     *App              `json:"application,omitempty"` // of a version of an application
	TargetRegions           []TargetRegion    `json:"targetRegions"`
	ReplicaCount            int               `json:"replicaCount,omitempty"`       // where a region has none; default 1
	StorageClass            string            `json:"storageAccountType,omitempty"` // default Standard_LRS
	Priority                string            `json:"priority,omitempty"`           // of its copies: high, normal (default) or low
	ExcludeFromLatest       bool              `json:"excludeFromLatest,omitempty"`
	EndOfLife               *time.Time        `json:"endOfLifeDate,omitempty"`
	AllowDeletionOfReplicas bool              `json:"allowDeletionOfReplicatedLocations,omitempty"`
	BlockDeletionBeforeEOL  bool              `json:"blockDeletionBeforeEndOfLife,omitempty"`
	Tags                    map[string]string `json:"tags,omitempty"`
	State                   string            `json:"state,omitempty"` // aggregated: Unknown, InProgress, Completed, Failed
	Published               time.Time         `json:"published,omitzero"`
	Updated                 time.Time         `json:"updated,omitzero"`
	ETag                    string            `json:"etag,omitempty"`
}

// App is what a version of an application has beside its package (LUN 0) and default configuration (LUN 1).
type App struct {
	Install     string `json:"install"`
	Remove      string `json:"remove"`
	Update      string `json:"update,omitempty"`
	PackageFile string `json:"packageFileName,omitempty"`
	ConfigFile  string `json:"configFileName,omitempty"`
}

// VersionPatch changes what is present. AllowDeletionOfReplicas in the same write is honoured.
type VersionPatch struct {
	TargetRegions           *[]TargetRegion    `json:"targetRegions,omitempty"`
	ReplicaCount            *int               `json:"replicaCount,omitempty"`
	Priority                *string            `json:"priority,omitempty"`
	ExcludeFromLatest       *bool              `json:"excludeFromLatest,omitempty"`
	EndOfLife               *time.Time         `json:"endOfLifeDate,omitempty"`
	AllowDeletionOfReplicas *bool              `json:"allowDeletionOfReplicatedLocations,omitempty"`
	BlockDeletionBeforeEOL  *bool              `json:"blockDeletionBeforeEndOfLife,omitempty"`
	Tags                    *map[string]string `json:"tags,omitempty"`
}

// Disk is one disk of a version. In a PUT, Disk names the disk that an upload made.
type Disk struct {
	LUN    int    `json:"lun"` // -1 is the OS disk
	Disk   string `json:"disk"`
	Size   int64  `json:"size,omitempty"`   // guest bytes
	Data   int64  `json:"data,omitempty"`   // guest bytes that are no hole
	Root   string `json:"root,omitempty"`   // identity of the content
	SHA256 string `json:"sha256,omitempty"` // flat digest, when the publisher gave or asked for one
}

// TargetRegion is a region where a version is wanted.
type TargetRegion struct {
	Name              string `json:"name"`
	ReplicaCount      int    `json:"regionalReplicaCount,omitempty"`
	StorageClass      string `json:"storageAccountType,omitempty"`
	ExcludeFromLatest *bool  `json:"excludeFromLatest,omitempty"` // set, it wins over the version's flag
	Priority          string `json:"priority,omitempty"`          // where it is not the version's
}

// Region is a place with its own nodes and stores.
type Region struct {
	Name   string  `json:"name"`
	Stores []Store `json:"stores"`
	Nodes  int     `json:"nodes"`
	Limits []Limit `json:"limits,omitempty"` // that name it, or one of its nodes

	Distances  []Distance        `json:"distances,omitempty"`  // to other regions, as far as they were said
	Collection *RegionCollection `json:"collection,omitempty"` // nil: none yet, and none under way
	Check      *RegionCheck      `json:"check,omitempty"`      // of its own; nil: as above
}

// Store is one bucket or directory of a region.
type Store struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Zone      string    `json:"zone,omitempty"`
	Class     string    `json:"class"` // standard, premium
	Kind      string    `json:"kind"`  // filesystem, s3
	State     string    `json:"state"` // ok, full, unavailable, forbidden
	Reason    string    `json:"reason,omitempty"`
	Total     int64     `json:"totalBytes,omitempty"` // 0: the store cannot tell
	Free      int64     `json:"freeBytes,omitempty"`
	Abilities any       `json:"abilities,omitempty"`
	Checked   time.Time `json:"checked,omitzero"`
}

// RegionRemoved lists what a lost region took with it.
type RegionRemoved struct {
	NoSource []string `json:"noSource,omitempty"` // versions without a copy anywhere, g/i/v
}

// Snapshot is the bytes of one disk under a name of a resource group, from which versions are made.
type Snapshot struct {
	ResourceGroup string            `json:"resourceGroup"`
	Name          string            `json:"name"`
	ID            string            `json:"id,omitempty"` // in Azure's terms
	Location      string            `json:"location,omitempty"`
	OSType        string            `json:"osType,omitempty"`           // Linux, Windows
	Generation    string            `json:"hyperVGeneration,omitempty"` // V1, V2
	Disk          string            `json:"disk,omitempty"`             // made by an upload
	Size          int64             `json:"size,omitempty"`             // guest bytes
	State         string            `json:"state,omitempty"`            // Creating, Succeeded, Failed
	Reason        string            `json:"reason,omitempty"`
	Tags          map[string]string `json:"tags,omitempty"`
	Created       time.Time         `json:"created,omitzero"`
	ETag          string            `json:"etag,omitempty"`
}
