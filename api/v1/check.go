package v1

// CheckRequest has a region's stores checked: every object that is lost, damaged or orphaned is found.
type CheckRequest struct {
	Store  string `json:"store,omitempty"` // name; empty: all
	Quick  bool   `json:"quick,omitempty"` // existence and lengths only
	Repair bool   `json:"repair,omitempty"`
}

// CheckEvent is one line of the answer: its Type says which of the others is set.
type CheckEvent struct {
	Type     string         `json:"type"` // progress, finding, repaired, failed, done
	Store    string         `json:"store,omitempty"`
	Slot     int            `json:"slot,omitempty"`
	Domain   string         `json:"domain,omitempty"`
	Progress *CheckProgress `json:"progress,omitempty"`
	Finding  *CheckFinding  `json:"finding,omitempty"`
	Message  string         `json:"message,omitempty"`
}

// CheckProgress is how far the check of one repository is.
type CheckProgress struct {
	Disks      int64 `json:"disks"`
	Packs      int64 `json:"packs"`
	PacksTotal int64 `json:"packsTotal"`
	Bytes      int64 `json:"bytes"`
	BytesTotal int64 `json:"bytesTotal"`
}

// CheckFinding is one thing that is not as it should be.
type CheckFinding struct {
	Kind   string `json:"kind"` // lost, damaged, unindexed, orphaned, unknown
	Key    string `json:"key,omitempty"`
	Size   int64  `json:"size,omitempty"`
	Disk   string `json:"replica,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// Bad says whether something needs repair or a person: what is orphaned goes with the next collection.
func (f *CheckFinding) Bad() bool { return f.Kind != "orphaned" }
