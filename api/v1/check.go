package v1

import "time"

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

// RegionCheck sums up the checks that a region makes of its own stores. Findings are those of each repository's newest turn.
type RegionCheck struct {
	Ended time.Time `json:"ended,omitzero"` // of the newest turn
	// Whole is when everything that was there at the time of the last rounds was read: the end of the oldest one; zero while a repository has
	// had none.
	Whole   time.Time `json:"whole,omitzero"`
	Percent float64   `json:"roundPercent"` // of the round that is furthest behind
	Rounds  int64     `json:"rounds"`       // that have ended in every repository

	Packs     int64     `json:"packs"`
	ReadBytes int64     `json:"bytesRead"` // by the newest turns
	Lost      int64     `json:"lost"`
	Damaged   int64     `json:"damaged"`
	Unindexed int64     `json:"unindexed"`
	Unknown   int64     `json:"unknown"`
	Orphaned  int64     `json:"orphaned"`
	Repaired  int64     `json:"repaired"` // copies made whole again
	Repairs   int64     `json:"repairs"`  // by all turns
	LastBad   time.Time `json:"lastBad,omitzero"`
	Message   string    `json:"message,omitempty"` // why something was not checked, or not repaired
	Failed    int       `json:"failed,omitempty"`  // repositories whose newest turn failed
	Running   []string  `json:"running,omitempty"` // the nodes that are at it, with the store
}

// Bad counts what needs repair or a person.
func (c *RegionCheck) Bad() int64 { return c.Lost + c.Damaged + c.Unindexed + c.Unknown }
