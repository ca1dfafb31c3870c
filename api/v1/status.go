package v1

import "time"

// Status is the whole cluster at a glance.
type Status struct {
	Cluster      string          `json:"cluster"`
	Tenant       string          `json:"tenant"`       // the default one
	Subscription string          `json:"subscription"` // the default one
	Region       string          `json:"region"`       // of the node that answers
	Node         string          `json:"node"`
	Version      string          `json:"version"`
	Leader       string          `json:"leader,omitempty"` // node id; empty: none known
	Applied      uint64          `json:"appliedIndex"`
	Regions      []Region        `json:"regions"`
	Members      []Member        `json:"members"`
	Versions     []VersionStatus `json:"versions"`
	Limits       []Limit         `json:"limits,omitempty"`
}

// VersionStatus tells of every replica of a version.
type VersionStatus struct {
	Gallery string         `json:"gallery"`
	Image   string         `json:"image"`
	Name    string         `json:"name"`
	State   string         `json:"state"` // Unknown, InProgress, Completed, Failed
	Size    int64          `json:"size"`  // guest bytes, all disks
	Regions []RegionStatus `json:"regions"`
}

// RegionStatus sums up a version in one region.
type RegionStatus struct {
	Region   string    `json:"region"`
	State    string    `json:"state"`    // Unknown, Replicating, Completed, Failed
	Progress int       `json:"progress"` // percent, whole number
	Replicas []Replica `json:"replicas"`
}

// Replica is one copy of one disk of a version in one repository.
type Replica struct {
	Disk      string    `json:"disk"`
	LUN       int       `json:"lun"`
	Slot      int       `json:"slot"`
	Store     string    `json:"store"`
	State     string    `json:"state"` // Unknown, Replicating, Completed, Failed, Retiring
	Total     int64     `json:"bytesTotal"`
	Have      int64     `json:"bytesAlreadyThere"`
	Sent      int64     `json:"bytesSent"`
	Left      int64     `json:"bytesLeft"`
	Rate      float64   `json:"bytesPerSecond,omitempty"`
	ETA       float64   `json:"etaSeconds,omitempty"`
	Source    string    `json:"source,omitempty"`
	Node      string    `json:"node,omitempty"`
	Attempts  int       `json:"attempts,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	LastError string    `json:"lastError,omitempty"`
	NextRetry time.Time `json:"nextRetry,omitzero"`
	Started   time.Time `json:"started,omitzero"`
	Finished  time.Time `json:"finished,omitzero"`
	Age       float64   `json:"ageSeconds,omitempty"` // of the live detail; 0: fresh

	ETANote  string          `json:"etaNote,omitempty"`     // what the ETA takes for granted
	Step     string          `json:"step,omitempty"`        // what happens now, or next: "copying", "waiting for a slot", "retry", "paused"
	StepAt   time.Time       `json:"stepAt,omitzero"`       // when, where that is known
	Sources  []ReplicaSource `json:"sources,omitempty"`     // in use, or tried by this attempt
	Retries  int             `json:"retries,omitempty"`     // requests of this attempt that were made again
	Wasted   int64           `json:"bytesWasted,omitempty"` // that came and were not kept
	Priority string          `json:"priority,omitempty"`    // high, low; empty: normal
	Paused   *Pause          `json:"paused,omitempty"`
}

// Event is one message of /v1/events: its name is Type, its data the JSON.
type Event struct {
	Type    string         `json:"type"` // "version": Version changed or moved; "deleted"; "hello"
	Version *VersionStatus `json:"version,omitempty"`
	Key     string         `json:"key,omitempty"` // g/i/v
}
