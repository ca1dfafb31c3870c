package machine

import (
	"slices"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

// repositoryChecked keeps the report of a turn, and what is remembered beyond it: rounds, repairs, and when something was bad last.
func repositoryChecked(e *entry, c *command.RepositoryChecked) (*none, error) {
	old, err := e.collecting(c.Repository, c.Claim)
	if err != nil {
		return nil, err
	}
	var before gallery.Check
	if old.Checked != nil {
		before = *old.Checked
	}
	now := c.Turn
	now.Claim, now.Began, now.Ended, now.Damaged = c.Claim, c.Turn.Began.UTC(), e.Now(), slices.Clone(c.Turn.Damaged)
	now.Round, now.Whole, now.Finished, now.LastBad = before.Round, before.Whole, before.Finished, before.LastBad
	now.Repairs = before.Repairs + c.Turn.Repaired
	if before.Claim == c.Claim { // the same turn has reported before
		now.Repaired += before.Repaired
	}
	if now.Round.IsZero() {
		now.Round = now.Began
	}
	if c.Wrapped {
		now.Whole, now.Round = e.Now(), e.Now()
		now.Finished++
	}
	if now.Found.Bad() > 0 {
		now.LastBad = e.Now()
	}
	row := *old
	row.Checked = &now
	state.Put(e.Tx, &row)
	return nil, nil
}
