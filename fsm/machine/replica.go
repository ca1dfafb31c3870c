package machine

import (
	"slices"
	"time"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func replicaClaim(e *entry, c *command.ReplicaClaim) (*command.ReplicaGranted, error) {
	r := e.Replica(c.Replica)
	if r == nil {
		return nil, notFound("replica", c.Replica)
	}
	if err := e.nodeIn(c.Node, r.Key.Region); err != nil {
		return nil, err
	}
	name := c.Replica.String()
	switch {
	case r.Whole():
		return nil, fail(gallery.ErrConflict, name, "it is %s", r.State)
	case r.Paused != nil:
		return nil, fail(gallery.ErrConflict, name, "it is paused since %s", r.Paused.Since.Format("2006-01-02T15:04:05Z"))
	case r.Store == "":
		return nil, fail(gallery.ErrUnavailable, name, "the region has no store for it")
	case r.Claim != nil && r.Claim.Node != c.Node:
		return nil, fail(gallery.ErrClaimed, name, "node %s holds a claim until %s", r.Claim.Node, r.Claim.Deadline.Format("15:04:05Z"))
	}
	row := *r
	row.Tried = ended(r)
	row.Claim = &gallery.Claim{Epoch: e.Index(), Node: c.Node, Deadline: e.Now().Add(c.Lease), Predecessors: row.Tried}
	row.State, row.Reason = gallery.ReplicaReplicating, ""
	row.Progress, row.Source = gallery.Progress{}, c.Source
	row.Attempts++
	row.NextRetry = zeroTime
	if row.Started.IsZero() {
		row.Started = e.Now()
	}
	state.Put(e.Tx, &row)
	if e.knows(5) {
		e.settle(row.Key.Disk) // one that is made from what is left somewhere still has no source
		row = *e.Replica(row.Key)
	}
	return &command.ReplicaGranted{Replica: row, RepositoryEpoch: e.Repository(row.Repository()).Epoch}, nil
}

func replicaCheckpoint(e *entry, c *command.ReplicaCheckpoint) (*command.Checkpointed, error) {
	if e.Node(c.Node) == nil {
		return nil, notFound("node", c.Node)
	}
	deadline := e.Now().Add(c.Lease)
	live := make(map[uint64]bool)
	for _, u := range e.OpenUploadsOfNode(c.Node) {
		live[u.Claim.Epoch] = true
		row := *u
		row.Claim.Deadline = deadline
		state.Put(e.Tx, &row)
	}
	told := make(map[uint64]command.ClaimProgress, len(c.Claims))
	for _, p := range c.Claims {
		told[p.Epoch] = p
	}
	for _, r := range e.ReplicasOfNode(c.Node) {
		live[r.Claim.Epoch] = true
		row, claim := *r, *r.Claim
		claim.Deadline = deadline
		row.Claim = &claim
		if p, ok := told[claim.Epoch]; ok {
			row.Progress = forward(row.Progress, p.Progress)
			if p.Source != "" {
				row.Source = p.Source
			}
		}
		state.Put(e.Tx, &row)
	}
	for _, r := range e.RepositoriesOfNode(c.Node) {
		row, claim := *r, *r.Claim
		claim.Deadline = deadline
		row.Claim = &claim
		state.Put(e.Tx, &row)
	}
	out := &command.Checkpointed{}
	for _, p := range c.Claims {
		if !live[p.Epoch] {
			out.Stale = append(out.Stale, p.Epoch)
		}
	}
	return out, nil
}

// forward returns progress that is nowhere behind old (D6).
func forward(old, p gallery.Progress) gallery.Progress {
	out := gallery.Progress{Total: max(old.Total, p.Total), Have: max(old.Have, p.Have), Sent: max(old.Sent, p.Sent), Left: p.Left}
	if old.Total == p.Total && old.Total > 0 {
		out.Left = min(old.Left, p.Left)
	}
	return out
}

// claimed returns the replica of a report whose epoch is that of the live claim (D5).
func (e *entry) claimed(k gallery.ReplicaKey, epoch uint64) (*gallery.Replica, error) {
	r := e.Replica(k)
	if r == nil {
		return nil, notFound("replica", k)
	}
	if r.Claim == nil || r.Claim.Epoch != epoch {
		return nil, fail(gallery.ErrStaleClaim, k.String(), "claim %d is not the live one", epoch)
	}
	return r, nil
}

func replicaComplete(e *entry, c *command.ReplicaComplete) (*gallery.Replica, error) {
	r, err := e.claimed(c.Replica, c.Epoch)
	if err != nil {
		return nil, err
	}
	d := e.Disk(c.Replica.Disk)
	if d == nil {
		return nil, notFound("disk", c.Replica.Disk)
	}
	if c.Root != d.Root {
		return nil, fail(gallery.ErrVerification, c.Replica.String(), "the root is not the disk's")
	}
	if err := e.changeSegments(r.Repository(), c.RepositoryEpoch, c.Add, c.Remove); err != nil {
		return nil, named(err, c.Replica.String())
	}
	row := *r
	row.State, row.Claim, row.Tried, row.Paused = gallery.ReplicaCompleted, nil, nil, nil
	row.Reason, row.LastError, row.NextRetry = "", "", zeroTime
	row.Progress = forward(r.Progress, c.Progress)
	row.Progress.Left = 0
	row.Finished, row.Table, row.Stored = e.Now(), c.Table, c.Stored
	state.Put(e.Tx, &row)
	e.settle(c.Replica.Disk)
	return &row, nil
}

func replicaFail(e *entry, c *command.ReplicaFail) (*gallery.Replica, error) {
	r := e.Replica(c.Replica)
	if !c.Final {
		var err error
		if r, err = e.claimed(c.Replica, c.Epoch); err != nil {
			return nil, err
		}
	} else if r == nil {
		return nil, notFound("replica", c.Replica)
	} else if r.Claim != nil || r.Whole() {
		return nil, fail(gallery.ErrConflict, c.Replica.String(), "it is %s", r.State)
	}
	row := *r
	row.State, row.Tried, row.Claim = gallery.ReplicaFailed, ended(r), nil
	row.Reason, row.LastError, row.NextRetry = c.Reason, c.Error, c.NextRetry.UTC()
	row.Progress = forward(r.Progress, c.Progress)
	state.Put(e.Tx, &row)
	e.settle(c.Replica.Disk)
	return e.Replica(c.Replica), nil
}

func replicaRelease(e *entry, c *command.ReplicaRelease) (*none, error) {
	r, err := e.claimed(c.Replica, c.Epoch)
	if err != nil {
		return nil, err
	}
	e.unclaim(r, "")
	return nil, nil
}

func replicaMarkLost(e *entry, c *command.ReplicaMarkLost) (*gallery.Replica, error) {
	r := e.Replica(c.Replica)
	if r == nil {
		return nil, notFound("replica", c.Replica)
	}
	if !r.Whole() {
		return nil, fail(gallery.ErrConflict, c.Replica.String(), "it is %s", r.State)
	}
	last := !slices.ContainsFunc(e.ReplicasOfDisk(r.Key.Disk), func(o *gallery.Replica) bool { return o.Key != r.Key && o.Whole() })
	if last && (c.Spare || e.knows(5) && r.State == gallery.ReplicaRetiring) {
		return nil, fail(gallery.ErrNotAllowed, c.Replica.String(), "the disk has no other whole copy")
	}
	row := gallery.Replica{Key: r.Key, Domain: r.Domain, Store: r.Store, State: gallery.ReplicaUnknown,
		Reason: c.Reason, LastError: c.Error, Wanted: r.Wanted, Priority: r.Priority}
	if e.knows(5) {
		row.Table = r.Table // it was whole once
	}
	state.Put(e.Tx, &row)
	if r.State == gallery.ReplicaRetiring {
		e.remove(&row)
	}
	e.settle(c.Replica.Disk)
	if now := e.Replica(c.Replica); now != nil {
		return now, nil
	}
	return &row, nil
}

// unclaim ends a replica's claim without a failure of the work: it is to be done anew.
func (e *entry) unclaim(r *gallery.Replica, why string) {
	row := *r
	row.State, row.Tried, row.Claim = gallery.ReplicaUnknown, ended(r), nil
	if why != "" {
		row.LastError = why
	}
	state.Put(e.Tx, &row)
	e.settle(row.Key.Disk)
}

// ended returns the epochs of a replica's ended claims once its present claim has ended.
func ended(r *gallery.Replica) []uint64 {
	if r.Claim == nil {
		return r.Tried
	}
	return remembered(r.Tried, r.Claim.Epoch)
}

// remembered adds an epoch to those whose packs may be adopted and forgets the oldest above the bound.
func remembered(epochs []uint64, epoch uint64) []uint64 {
	from := max(0, len(epochs)+1-gallery.MaxPredecessors)
	out := make([]uint64, 0, len(epochs)+1-from)
	return append(append(out, epochs[from:]...), epoch)
}

var zeroTime time.Time
