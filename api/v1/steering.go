package v1

import "time"

// Limit bounds the traffic between regions: of a pair (from and to), of all that leaves a region (from) or a node (fromNode), or of all that
// arrives at one (to, toNode). Bytes are those that an interface counts.
type Limit struct {
	From           string    `json:"from,omitempty"`
	To             string    `json:"to,omitempty"`
	FromNode       string    `json:"fromNode,omitempty"`
	ToNode         string    `json:"toNode,omitempty"`
	BytesPerSecond int64     `json:"bytesPerSecond"`
	Rate           string    `json:"rate"` // for people: "12.5 MB/s"
	Updated        time.Time `json:"updated,omitzero"`
	By             string    `json:"by,omitempty"`
}

// LimitRequest sets a limit.
type LimitRequest struct {
	From     string `json:"from,omitempty"`
	To       string `json:"to,omitempty"`
	FromNode string `json:"fromNode,omitempty"`
	ToNode   string `json:"toNode,omitempty"`
	Rate     string `json:"rate"` // digits and a unit: 100Mbit/s, 12.5MB/s, 10MiB/s
}

// Distance says how far two regions are from each other, in a measure of the operator's.
type Distance struct {
	A        string    `json:"a"`
	B        string    `json:"b"`
	Distance uint32    `json:"distance"`
	Updated  time.Time `json:"updated,omitzero"`
	By       string    `json:"by,omitempty"`
}

// DistanceRequest sets the distance of two regions; their order does not count.
type DistanceRequest struct {
	A        string `json:"a"`
	B        string `json:"b"`
	Distance uint32 `json:"distance"` // 1 to 1,000,000
}

// PauseRequest names the regions whose copies of a version are paused or resumed; none: all.
type PauseRequest struct {
	Regions []string `json:"regions,omitempty"`
}

// Steered says how many copies a request changed.
type Steered struct {
	Replicas int `json:"replicas"`
}

// Pause says since when, and by whom, a copy rests.
type Pause struct {
	Since time.Time `json:"since"`
	By    string    `json:"by,omitempty"`
}

// ReplicaSource is a place from which a copy is being made.
type ReplicaSource struct {
	Name     string  `json:"name"`
	Bytes    int64   `json:"bytes"` // that came from it
	Rate     float64 `json:"bytesPerSecond,omitempty"`
	InFlight int     `json:"inFlight,omitempty"` // requests
	Failed   string  `json:"failed,omitempty"`   // why it is not asked any more
}
