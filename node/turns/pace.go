package turns

import (
	"encoding/binary"
	"fmt"
	"time"

	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/internal/digest"
)

// Beginning is since when there can be work in a repository. Both are state times, so they stay what they are however often nodes begin anew.
type Beginning struct {
	Stored  time.Time // the first copy in it began, or something that had lain in it was given up; zero: nothing says so
	Garbage time.Time // something that had lain in it was given up, and is not collected yet; zero: nothing
}

// Beginnings returns what a state tells of the repositories of a store.
func Beginnings(v *state.View, id gallery.StoreID) map[gallery.RepositoryKey]Beginning {
	out := map[gallery.RepositoryKey]Beginning{}
	for _, r := range v.ReplicasOfStore(id) {
		b := out[r.Repository()]
		b.Stored = earliest(b.Stored, r.Started, r.Finished)
		if b.Stored.IsZero() {
			b.Stored = r.Wanted
		}
		out[r.Repository()] = b
	}
	for _, t := range v.TombstonesOfStore(id) {
		b := out[t.Repository]
		b.Stored, b.Garbage = earliest(b.Stored, t.Time), earliest(b.Garbage, t.Time)
		out[t.Repository] = b
	}
	return out
}

// earliest returns the first of the times that are not zero.
func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}

// Pace spreads the turns of a duty, so that neither the nodes of a region nor its repositories are due at one moment. What it says for a node
// and a repository does not change when the node begins anew.
type Pace struct {
	Self  gallery.NodeID
	Began time.Time // of this node
}

// The bounds of the spread.
const (
	settling  = 2 * time.Minute // over which turns are spread that came due while the node was away, at most
	earlyPart = 10              // of a wait: a turn is early by less than this part of it
)

// Due says when the turn is that comes a wait after since, at the latest; a node that has just begun does not begin all of them at once.
func (p Pace) Due(k gallery.RepositoryKey, since time.Time, wait time.Duration) time.Time {
	at := since.Add(wait - p.spread(k, wait/earlyPart))
	if first := p.Began.Add(p.spread(k, min(wait, settling))); at.Before(first) {
		return first
	}
	return at
}

// spread is a part of most that is even over nodes and repositories.
func (p Pace) spread(k gallery.RepositoryKey, most time.Duration) time.Duration {
	h := digest.Of(fmt.Appendf(nil, "%s/%s/%d/%s", p.Self, k.Store, k.Slot, k.Domain))
	const parts = 1 << 16
	return most / parts * time.Duration(binary.BigEndian.Uint16(h[:]))
}
