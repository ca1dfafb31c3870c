package gallery

import (
	"strings"
	"time"
)

// OperationStatus says how an operation stands.
type OperationStatus string

// The states of an operation.
const (
	OperationInProgress OperationStatus = "InProgress"
	OperationSucceeded  OperationStatus = "Succeeded"
	OperationFailed     OperationStatus = "Failed"
)

// OperationKind says what an operation does to its resource.
type OperationKind string

// The kinds of operations.
const (
	OperationCreate OperationKind = "create"
	OperationUpdate OperationKind = "update"
	OperationDelete OperationKind = "delete"
	OperationImport OperationKind = "import"
	OperationShare  OperationKind = "share"
	OperationAccess OperationKind = "access" // a link to bytes is given or taken back
)

// The codes of operations that failed.
const (
	CodeReplicationJobs = "ReplicationJobsNotCompleted" // with a detail for each region
	CodeResourceDeleted = "ResourceDeleted"
	CodeTimedOut        = "OperationTimedOut"
	CodeImportFailed    = "ImportFailed"
)

// The times of operations.
const (
	OperationLife    = 24 * time.Hour // an open one fails when it is over
	OperationHistory = 25 * time.Hour // an ended one is forgotten when it is over
)

// Bounds of an operation.
const (
	MaxOperationDetails = MaxTargetRegions
	maxOperationText    = 1024
)

// OperationStart asks for an operation to be kept beside a write. It is part of the write's header.
type OperationStart struct {
	ID           OperationID    `cbor:"1,keyasint"`
	Subscription SubscriptionID `cbor:"2,keyasint,omitempty"`
	Tenant       TenantID       `cbor:"3,keyasint,omitempty"`
	Location     RegionName     `cbor:"4,keyasint"`
	Kind         OperationKind  `cbor:"5,keyasint"`
	Resource     string         `cbor:"6,keyasint"` // canonical id
}

// OperationDetail is one part of a failure.
type OperationDetail struct {
	Code    string `cbor:"1,keyasint"`
	Message string `cbor:"2,keyasint,omitempty"`
	Target  string `cbor:"3,keyasint,omitempty"` // a region
}

// Operation is what people see of a write that takes its time, until OperationHistory after its end.
type Operation struct {
	ID           OperationID       `cbor:"1,keyasint"`
	Subscription SubscriptionID    `cbor:"2,keyasint,omitempty"`
	Tenant       TenantID          `cbor:"3,keyasint,omitempty"`
	Location     RegionName        `cbor:"4,keyasint"`
	Kind         OperationKind     `cbor:"5,keyasint"`
	Resource     string            `cbor:"6,keyasint"`           // canonical id
	Version      *VersionRef       `cbor:"7,keyasint,omitempty"` // that it waits for
	Snapshot     *SnapshotRef      `cbor:"8,keyasint,omitempty"`
	Group        *GroupRef         `cbor:"9,keyasint,omitempty"`
	Targets      []RegionName      `cbor:"10,keyasint,omitempty"` // regions of the request
	Status       OperationStatus   `cbor:"11,keyasint"`
	Code         string            `cbor:"12,keyasint,omitempty"` // of a failure
	Message      string            `cbor:"13,keyasint,omitempty"`
	Details      []OperationDetail `cbor:"14,keyasint,omitempty"`
	Started      time.Time         `cbor:"15,keyasint,omitzero"`
	Ended        time.Time         `cbor:"16,keyasint,omitzero"`
	Deadline     time.Time         `cbor:"17,keyasint,omitzero"` // of an open one
	Principal    string            `cbor:"18,keyasint,omitempty"`
}

// Open says whether the operation has not ended.
func (o *Operation) Open() bool { return o.Status == OperationInProgress }

// Validate checks what needs no other row.
func (s *OperationStart) Validate() error {
	var f faults
	f.id("operation.id", string(s.ID))
	if s.Subscription != "" {
		f.id("operation.subscription", string(s.Subscription))
	}
	if s.Tenant != "" {
		f.id("operation.tenant", string(s.Tenant))
	}
	f.unless(s.Location == "" || s.Location.valid(), "operation.location", ruleRegion)
	f.oneOf("operation.kind", string(s.Kind), string(OperationCreate), string(OperationUpdate), string(OperationDelete),
		string(OperationImport), string(OperationShare), string(OperationAccess))
	f.scope("operation.resource", s.Resource)
	return f.err()
}

// ProvisioningState is what people see of a resource's last write.
type ProvisioningState string

// The provisioning states.
const (
	ProvisioningCreating  ProvisioningState = "Creating"
	ProvisioningUpdating  ProvisioningState = "Updating"
	ProvisioningDeleting  ProvisioningState = "Deleting"
	ProvisioningFailed    ProvisioningState = "Failed"
	ProvisioningSucceeded ProvisioningState = "Succeeded"
)

// Provisioning says how the last write of v stands. regions are v's, last is the operation that v.Operation names, nil
// where it is forgotten or there was none.
func (v *ImageVersion) Provisioning(regions []RegionStatus, last *Operation) ProvisioningState {
	whole := v.Aggregated(regions)
	switch {
	case last != nil && last.Open() && last.Kind == OperationUpdate:
		return ProvisioningUpdating
	case last != nil && last.Open():
		return ProvisioningCreating
	case whole == AggregatedCompleted:
		return ProvisioningSucceeded
	case v.ImportFailed() || last != nil && last.Status == OperationFailed || whole == AggregatedFailed:
		return ProvisioningFailed
	case last != nil:
		return ProvisioningSucceeded // its copies were lost later: the replication status says so
	}
	return ProvisioningCreating
}

// Curable says whether waiting may cure what a replica failed with; an operation waits on for it.
func (r Reason) Curable() bool {
	switch r {
	case ReasonNoSource, ReasonNoStore, ReasonStoreFull, ReasonStoreForbidden, ReasonDamaged, ReasonVerification, ReasonLost:
		return false
	}
	return true
}

// cut shortens a text for people to limit bytes of UTF-8.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}

// Fail ends the operation at now without success.
func (o *Operation) Fail(now time.Time, code, message string, details ...OperationDetail) {
	o.Status, o.Ended, o.Deadline = OperationFailed, now, time.Time{}
	o.Code, o.Message = code, cut(message, maxOperationText)
	o.Details = details[:min(len(details), MaxOperationDetails)]
}

// Succeed ends the operation at now.
func (o *Operation) Succeed(now time.Time) {
	o.Status, o.Ended, o.Deadline = OperationSucceeded, now, time.Time{}
}
