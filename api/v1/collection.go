package v1

import "time"

// Collection is how the collection of one repository's garbage stands. Bytes are of stored objects.
type Collection struct {
	Region     string `json:"region"`
	Store      string `json:"store"` // name
	Slot       int    `json:"slot"`
	Domain     string `json:"domain"`
	Collecting string `json:"collecting,omitempty"` // node that is at it
	// State is Never, Waiting (condemned; the grace time runs), Done, DryRun or Stopped.
	State   string    `json:"state"`
	Reason  string    `json:"reason,omitempty"` // of Stopped
	Message string    `json:"message,omitempty"`
	Held    bool      `json:"held,omitempty"` // waits for an operator
	Began   time.Time `json:"began,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`

	Objects        int64 `json:"objects"`
	Bytes          int64 `json:"bytes"`
	Live           int64 `json:"bytesLive"`
	GarbageObjects int64 `json:"garbageObjects"`
	GarbageBytes   int64 `json:"garbageBytes"`
	Unexplained    int64 `json:"unexplainedPacks"`
	Compacted      int64 `json:"bytesCompacted"`
	Written        int64 `json:"bytesWritten"`

	Asked    uint64 `json:"asked,omitempty"`    // the newest request
	Answered uint64 `json:"answered,omitempty"` // the newest request that a run has answered
}

// Collections is how the collection of garbage stands.
type Collections struct {
	Off   bool         `json:"off"` // until an operator turns it on, as after a recovery
	Value []Collection `json:"value"`
}

// CollectRequest has the repositories of a region, or of one of its stores, collected now.
type CollectRequest struct {
	Region string `json:"region"`
	Store  string `json:"store,omitempty"` // name
	DryRun bool   `json:"dryRun,omitempty"`
	// Accept lets garbage go that no delete, ended claim or compaction explains.
	Accept bool `json:"acceptUnexplained,omitempty"`
}

// Collecting says what was asked for.
type Collecting struct {
	Request      uint64 `json:"request"`
	Repositories int    `json:"repositories"`
}

// CollectionSwitch turns the collection of garbage on or off, in all regions.
type CollectionSwitch struct {
	Off bool `json:"off"`
}

// RegionCollection sums up how the collection of garbage stands in a region. Bytes are of stored objects, and of each repository's newest run.
type RegionCollection struct {
	Ended   time.Time `json:"ended,omitzero"` // of the newest run
	Freed   int64     `json:"bytesFreed"`
	Waiting int64     `json:"bytesCondemned"` // until the grace time is over
	Running []string  `json:"running,omitempty"`
	// Stopped names the stores whose newest run stopped without a delete, and why.
	Stopped []string `json:"stopped,omitempty"`
}
