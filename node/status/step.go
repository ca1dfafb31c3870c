package status

import (
	"fmt"
	"time"

	"loggia/api/peer"
	"loggia/api/v1"
	"loggia/fsm/state"
	"loggia/gallery"
)

// The steps of a copy, for people and programs. They only grow.
const (
	stepPaused    = "paused"
	stepCopying   = "copying"
	stepComparing = "comparing"          // what is there with what is wanted
	stepRetry     = "retry"              // at StepAt
	stepSource    = "waiting for source" // no byte comes
	stepStore     = "waiting for a store"
	stepSlot      = "waiting for a slot" // of a node of the region
)

// silent is how long nothing may come before a copy is said to wait for its source.
const silent = 10 * time.Second

// explain says what happens to a copy that is not whole, what comes next, and what its ETA takes for granted.
func (b *Board) explain(v *state.View, p gallery.Replica, d *detail, out *v1.Replica) {
	out.Priority = string(p.Priority)
	if p.Paused != nil {
		out.Step, out.StepAt, out.Paused = stepPaused, p.Paused.Since, &v1.Pause{Since: p.Paused.Since, By: p.Paused.By}
		out.Rate, out.ETA = 0, 0
		return
	}
	switch {
	case p.Store == "":
		out.Step = stepStore
	case d != nil && d.Total == 0:
		out.Step = stepComparing
	case d != nil && d.Left() > 0 && d.Still > silent.Seconds():
		out.Step = stepSource
	case d != nil || p.Claim != nil:
		out.Step = stepCopying
	case p.NextRetry.After(b.o.Now()):
		out.Step, out.StepAt = stepRetry, p.NextRetry
	case p.Reason == gallery.ReasonNoSource:
		out.Step = stepSource
	default:
		out.Step = stepSlot
		if n := ahead(v, p); n > 0 {
			out.ETANote = fmt.Sprintf("behind %d transfers", n)
			if n == 1 {
				out.ETANote = "behind 1 transfer"
			}
		}
	}
	if d != nil && out.Rate > 0 {
		out.ETANote = assumption(v, p, d.Live)
	}
}

// assumption says what an ETA takes for granted: the limit that the rate is close to, or that it stays as it was.
func assumption(v *state.View, p gallery.Replica, l peer.Live) string {
	froms := map[gallery.RegionName]bool{}
	for _, s := range l.Sources {
		if s.Failed == "" && (s.Rate > 0 || s.InFlight > 0) {
			froms[gallery.RegionName(s.Name)] = true
		}
	}
	var smallest *gallery.Limit
	for _, x := range v.Limits() {
		k := x.Key
		on := k.To == p.Key.Region && (k.From == "" || froms[k.From]) || k.To == "" && froms[k.From] || p.Claim != nil && k.ToNode == p.Claim.Node
		if on && (smallest == nil || x.Rate < smallest.Rate) {
			smallest = x
		}
	}
	if smallest != nil && l.Rate > near*float64(smallest.Rate) {
		return fmt.Sprintf("limited to %s by %s", smallest.Rate, smallest.Key)
	}
	return "at the rate of the last 10 s"
}

// near is the part of a limit from which on a transfer is said to be held by it. Others may share it.
const near = 0.8

// ahead counts the copies of a region that come before one that waits.
func ahead(v *state.View, p gallery.Replica) int {
	n := 0
	for _, r := range v.ReplicasOfRegion(p.Key.Region) {
		if r.Key == p.Key || r.Whole() || r.Paused != nil {
			continue
		}
		more, less := r.Priority.Rank() > p.Priority.Rank(), r.Priority.Rank() < p.Priority.Rank()
		if r.Claim != nil && !less || more || !less && r.Wanted.Before(p.Wanted) {
			n++
		}
	}
	return n
}

// note is a copy's step in words, for surfaces that have no fields of their own for it.
func note(r v1.Replica) string {
	text := r.Step
	switch {
	case r.Paused != nil:
		text = "paused since " + r.Paused.Since.UTC().Format(time.RFC3339)
		if r.Paused.By != "" {
			text += " by " + r.Paused.By
		}
	case r.Step == stepRetry && r.LastError != "":
		text = "retry at " + r.StepAt.UTC().Format(time.RFC3339) + " after " + r.Reason + ": " + r.LastError
	case r.Step == stepCopying && r.Total > 0:
		text = fmt.Sprintf("copying: %d of %d bytes", r.Have+r.Sent, r.Total)
		if r.Rate >= 1 {
			text += fmt.Sprintf(", %s from %s, %s left", gallery.Rate(r.Rate), r.Source, (time.Duration(r.ETA) * time.Second).Round(time.Second))
		}
	}
	if r.ETANote != "" {
		text += " (" + r.ETANote + ")"
	}
	if r.Age > 0 {
		text += fmt.Sprintf(", as of %.0f s ago", r.Age)
	}
	return text
}
