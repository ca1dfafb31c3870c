package gallery

import "time"

// Priority says how urgent copies are: those of a deployment that waits before those of the night.
type Priority string

// The priorities.
const (
	PriorityLow    Priority = "low"
	PriorityNormal Priority = "normal"
	PriorityHigh   Priority = "high"
)

// Rank orders priorities, the most urgent highest; empty is normal.
func (p Priority) Rank() int {
	switch p {
	case PriorityLow:
		return 0
	case PriorityHigh:
		return 2
	}
	return 1
}

// Pause says since when, and by whom, a copy rests.
type Pause struct {
	Since time.Time `cbor:"1,keyasint"`
	By    string    `cbor:"2,keyasint,omitempty"`
}
