package machine

import (
	"time"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

func repositoryClaim(e *entry, c *command.RepositoryClaim) (*gallery.Repository, error) {
	s := e.Store(c.Repository.Store)
	if s == nil {
		return nil, notFound("store", c.Repository.Store)
	}
	if err := e.nodeIn(c.Node, s.Region); err != nil {
		return nil, err
	}
	row := *e.Repository(c.Repository)
	if row.Claim != nil && row.Claim.Node != c.Node {
		return nil, fail(gallery.ErrClaimed, repositoryName(c.Repository), "node %s collects or checks it until %s", row.Claim.Node, row.Claim.Deadline.Format("15:04:05Z"))
	}
	row.Claim = &gallery.Claim{Epoch: e.Index(), Node: c.Node, Deadline: e.Now().Add(c.Lease)}
	row.Checking = c.Checking
	state.Put(e.Tx, &row)
	return brief(&row), nil
}

// stopCollecting ends a collector's claim without a word from it: whoever comes next goes on from what is committed.
func (e *entry) stopCollecting(r *gallery.Repository) {
	row := *r
	row.Claim, row.Checking = nil, false
	state.Put(e.Tx, &row)
}

// collecting returns the repository whose live collector's claim has an epoch (D5).
func (e *entry) collecting(k gallery.RepositoryKey, epoch uint64) (*gallery.Repository, error) {
	r := e.Repository(k)
	if r.Claim == nil || r.Claim.Epoch != epoch {
		return nil, fail(gallery.ErrStaleClaim, repositoryName(k), "the collector's claim %d is not the live one", epoch)
	}
	return r, nil
}

func repositoryRelease(e *entry, c *command.RepositoryRelease) (*none, error) {
	old, err := e.collecting(c.Repository, c.Claim)
	if err != nil {
		return nil, err
	}
	row := *old
	row.Claim, row.Checking = nil, false
	if c.Report != nil {
		row.Last = reported(c.Report, c.Claim)
		row.Last.Ended = e.Now()
	}
	state.Put(e.Tx, &row)
	return nil, nil
}

func reported(r *gallery.Collection, claim uint64) *gallery.Collection {
	out := *r
	out.Claim, out.Began, out.Ended = claim, out.Began.UTC(), zeroTime
	return &out
}

// swept is a run's report once everything that it condemned is deleted.
func swept(last *gallery.Collection, now time.Time) *gallery.Collection {
	out := gallery.Collection{}
	if last != nil {
		out = *last
	}
	out.State, out.Reason, out.Message, out.Ended = gallery.CollectionDone, "", "", now
	return &out
}

// mayCondemn holds a collector to what makes a list safe: the claim is its own, collection is on, and whatever was completed in the
// repository is in the state that it marked. So nobody's completed copy needs a condemned key.
func (e *entry) mayCondemn(c *command.RepositoryCondemn, old *gallery.Repository) error {
	name := repositoryName(c.Repository)
	if _, err := e.collecting(c.Repository, c.Claim); err != nil {
		return err
	}
	if e.Cluster().CollectionOff {
		return fail(gallery.ErrNotAllowed, name, "collection is off until an operator turns it on")
	}
	if old.Changed > c.Marked {
		return fail(gallery.ErrStaleRepository, name, "it changed at %d, after the state %d that was marked", old.Changed, c.Marked)
	}
	if c.Marked >= e.Index() || c.Began > c.Marked {
		return invalid(name, "marked", "indexes of states before this entry, in order")
	}
	return nil
}

// repositorySweep gives leave to delete: state time has passed the grace time, and every claim from before the Condemn, whose holder
// might still look at the old keys, has ended. A node that has let its lease run out holds none any more.
func repositorySweep(e *entry, c *command.RepositorySweep) (*none, error) {
	old, err := e.collecting(c.Repository, c.Claim)
	if err != nil {
		return nil, err
	}
	name := repositoryName(c.Repository)
	if old.Condemned == nil || old.Condemned.Epoch != c.Epoch {
		return nil, fail(gallery.ErrStaleRepository, name, "no collection of epoch %d is under way", c.Epoch)
	}
	if e.Cluster().CollectionOff {
		return nil, fail(gallery.ErrNotAllowed, name, "collection is off until an operator turns it on")
	}
	if over := old.Condemned.Time.Add(c.Grace); e.Now().Before(over) {
		return nil, fail(gallery.ErrUnavailable, name, "the grace time ends at %s", over.Format(time.RFC3339))
	}
	if epoch := e.olderClaim(c.Repository, c.Epoch); epoch != 0 {
		return nil, fail(gallery.ErrUnavailable, name, "claim %d from before the Condemn is open", epoch)
	}
	row, condemned := *old, *old.Condemned
	condemned.Sweeping = true
	row.Condemned = &condemned
	state.Put(e.Tx, &row)
	return nil, nil
}

// olderClaim returns an epoch below a bound whose claim on something in the repository is held; 0: none.
func (e *entry) olderClaim(k gallery.RepositoryKey, below uint64) uint64 {
	held := func(c *gallery.Claim) bool {
		return c != nil && c.Epoch < below && !e.Now().After(c.Deadline)
	}
	for _, r := range e.ReplicasOfStore(k.Store) {
		if r.Repository() == k && held(r.Claim) {
			return r.Claim.Epoch
		}
	}
	for _, u := range e.Uploads() {
		if u.State == gallery.UploadOpen && u.Repository() == k && held(&u.Claim) {
			return u.Claim.Epoch
		}
	}
	return 0
}

func repositoryAsk(e *entry, c *command.RepositoryAsk) (*command.RepositoriesAsked, error) {
	if e.Region(c.Region) == nil {
		return nil, notFound("region", c.Region)
	}
	if s := e.Store(c.Store); c.Store != "" && (s == nil || s.Region != c.Region) {
		return nil, notFound("store", c.Store)
	}
	out := &command.RepositoriesAsked{Index: e.Index()}
	for _, s := range e.Stores(c.Region) {
		if c.Store != "" && s.ID != c.Store {
			continue
		}
		for _, k := range e.RepositoryKeys(s.ID) {
			row := *e.Repository(k)
			row.Asked = &gallery.CollectionRequest{Index: e.Index(), Time: e.Now(), DryRun: c.DryRun, Accept: c.Accept, By: e.Principal}
			state.Put(e.Tx, &row)
			out.Count++
		}
	}
	return out, nil
}
