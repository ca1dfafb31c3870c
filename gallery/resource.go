package gallery

import "time"

// Gallery is a collection of image definitions.
type Gallery struct {
	Ref           GalleryRef        `cbor:"1,keyasint"`
	Tenant        TenantID          `cbor:"2,keyasint"`
	ResourceGroup string            `cbor:"3,keyasint"`
	Location      RegionName        `cbor:"4,keyasint"` // home region, immutable
	Description   string            `cbor:"5,keyasint,omitempty"`
	Tags          map[string]string `cbor:"6,keyasint,omitempty"`
	ETag          uint64            `cbor:"7,keyasint"` // log index of the last accepted write
	Created       time.Time         `cbor:"8,keyasint,omitzero"`
	Updated       time.Time         `cbor:"9,keyasint,omitzero"`
	CreatedBy     string            `cbor:"10,keyasint,omitempty"`
	UpdatedBy     string            `cbor:"11,keyasint,omitempty"`
	Wire          []byte            `cbor:"12,keyasint,omitempty" since:"2"` // JSON that only clients understand
}

// Group returns the resource group that the gallery lies in.
func (g *Gallery) Group() GroupRef { return GroupRef{g.Ref.Subscription, GroupName(g.ResourceGroup)} }

// Domain returns the domain of deduplication of the gallery's disks.
func (g *Gallery) Domain() Domain { return DomainOf(g.Tenant) }

// Identifier is unique in one gallery; case does not count.
type Identifier struct {
	Publisher string `cbor:"1,keyasint"`
	Offer     string `cbor:"2,keyasint"`
	SKU       string `cbor:"3,keyasint"`
}

// Feature is a named property of an image definition.
type Feature struct {
	Name            string `cbor:"1,keyasint"`
	Value           string `cbor:"2,keyasint"`
	StartsAtVersion string `cbor:"3,keyasint,omitempty"`
}

// Bounds is an inclusive range; a nil end is open.
type Bounds struct {
	Min *int32 `cbor:"1,keyasint,omitempty"`
	Max *int32 `cbor:"2,keyasint,omitempty"`
}

// Recommended says on what machines an image is meant to run.
type Recommended struct {
	VCPUs  Bounds `cbor:"1,keyasint,omitzero"`
	Memory Bounds `cbor:"2,keyasint,omitzero"` // GiB
}

// PurchasePlan names a marketplace plan.
type PurchasePlan struct {
	Name      string `cbor:"1,keyasint,omitempty"`
	Publisher string `cbor:"2,keyasint,omitempty"`
	Product   string `cbor:"3,keyasint,omitempty"`
}

// The enumerations of an image definition, in canonical case.
const (
	OSLinux          = "Linux"
	OSWindows        = "Windows"
	StateGeneralized = "Generalized"
	StateSpecialized = "Specialized"
	GenerationV1     = "V1"
	GenerationV2     = "V2"
	ArchX64          = "x64"
	ArchArm64        = "Arm64"
)

// Image is an image definition or, by its Ref's Kind, an application definition, which has no OSState, Identifier, HyperVGeneration,
// Architecture, features, sizes and plan.
type Image struct {
	Ref              ImageRef          `cbor:"1,keyasint"`
	ResourceGroup    string            `cbor:"2,keyasint"`
	Location         RegionName        `cbor:"3,keyasint"` // immutable
	OSType           string            `cbor:"4,keyasint"` // immutable
	OSState          string            `cbor:"5,keyasint"` // immutable
	Identifier       Identifier        `cbor:"6,keyasint"` // immutable
	HyperVGeneration string            `cbor:"7,keyasint"` // immutable
	Architecture     string            `cbor:"8,keyasint"` // immutable
	Features         []Feature         `cbor:"9,keyasint,omitempty"`
	AllowUpdate      bool              `cbor:"10,keyasint,omitempty"` // allowUpdateImage: features may change
	Recommended      Recommended       `cbor:"11,keyasint,omitzero"`
	DisallowedTypes  []string          `cbor:"12,keyasint,omitempty"`
	PurchasePlan     PurchasePlan      `cbor:"13,keyasint,omitzero"` // immutable
	Description      string            `cbor:"14,keyasint,omitempty"`
	EULA             string            `cbor:"15,keyasint,omitempty"` // immutable
	PrivacyURI       string            `cbor:"16,keyasint,omitempty"` // immutable
	ReleaseNoteURI   string            `cbor:"17,keyasint,omitempty"`
	EndOfLife        time.Time         `cbor:"18,keyasint,omitzero"` // zero: none
	Tags             map[string]string `cbor:"19,keyasint,omitempty"`
	ETag             uint64            `cbor:"20,keyasint"`
	Created          time.Time         `cbor:"21,keyasint,omitzero"`
	Updated          time.Time         `cbor:"22,keyasint,omitzero"`
	CreatedBy        string            `cbor:"23,keyasint,omitempty"`
	UpdatedBy        string            `cbor:"24,keyasint,omitempty"`
	Wire             []byte            `cbor:"25,keyasint,omitempty" since:"2"` // JSON that only clients understand
}
