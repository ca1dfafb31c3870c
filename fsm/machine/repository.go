package machine

import (
	"slices"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/internal/digest"
)

// changeSegments changes a repository's live segments, if its epoch has not moved and those to remove are live (D5).
func (e *entry) changeSegments(k gallery.RepositoryKey, epoch uint64, add []gallery.Segment, remove []digest.Digest) error {
	old := e.Repository(k)
	if old.Epoch != epoch {
		return fail(gallery.ErrStaleRepository, "", "the repository's epoch is %d, not %d", old.Epoch, epoch)
	}
	kept := make([]gallery.Segment, 0, len(old.Segments)+len(add))
	gone := 0
	for _, s := range old.Segments {
		if slices.Contains(remove, s.ID) {
			gone++
		} else {
			kept = append(kept, s)
		}
	}
	if gone != len(remove) {
		return fail(gallery.ErrStaleRepository, "", "a segment to remove is not live, or named twice")
	}
	for _, s := range add {
		if s.Epoch >= e.Index() {
			return invalid("", "segments.epoch", "that of a claim granted before")
		}
		if !slices.ContainsFunc(kept, func(l gallery.Segment) bool { return l.ID == s.ID }) {
			kept = append(kept, s)
		}
	}
	if len(kept) > gallery.MaxSegments {
		return fail(gallery.ErrLimit, "", "%d live segments, at most %d: merge them", len(kept), gallery.MaxSegments)
	}
	if len(add) > 0 || len(remove) > 0 || e.knows(3) {
		row := *old
		row.Segments = kept
		if e.knows(3) {
			row.Changed = e.Index()
		}
		state.Put(e.Tx, &row)
	}
	return nil
}

func repositoryName(k gallery.RepositoryKey) string { return string(k.Store) }

func repositoryCompact(e *entry, c *command.RepositoryCompact) (*gallery.Repository, error) {
	if e.Store(c.Repository.Store) == nil {
		return nil, notFound("store", c.Repository.Store)
	}
	if e.knows(3) {
		if _, err := e.collecting(c.Repository, c.Claim); err != nil {
			return nil, err
		}
	}
	if err := e.changeSegments(c.Repository, c.Epoch, c.Add, c.Remove); err != nil {
		return nil, named(err, repositoryName(c.Repository))
	}
	if e.knows(4) && len(c.Remove) > 0 { // what is lost goes with them: copies and uploads that relied on it look again
		row := *e.Repository(c.Repository)
		row.Epoch = e.Index()
		state.Put(e.Tx, &row)
	}
	return brief(e.Repository(c.Repository)), nil
}

// brief is a repository for a result: without its segments, which may be many.
func brief(r *gallery.Repository) *gallery.Repository {
	return &gallery.Repository{Key: r.Key, Epoch: r.Epoch, Condemned: r.Condemned, Changed: r.Changed, Claim: r.Claim, Last: r.Last, Asked: r.Asked, Checked: r.Checked, Checking: r.Checking}
}

func repositoryCondemn(e *entry, c *command.RepositoryCondemn) (*gallery.Repository, error) {
	if e.Store(c.Repository.Store) == nil {
		return nil, notFound("store", c.Repository.Store)
	}
	old := e.Repository(c.Repository)
	if old.Epoch != c.Epoch {
		return nil, fail(gallery.ErrStaleRepository, repositoryName(c.Repository), "the repository's epoch is %d, not %d", old.Epoch, c.Epoch)
	}
	if old.Condemned != nil {
		return nil, fail(gallery.ErrConflict, repositoryName(c.Repository), "the collection of epoch %d has not ended", old.Condemned.Epoch)
	}
	if e.knows(3) {
		if err := e.mayCondemn(c, old); err != nil {
			return nil, err
		}
		if err := e.changeSegments(c.Repository, c.Epoch, c.Add, c.Remove); err != nil {
			return nil, named(err, repositoryName(c.Repository))
		}
	}
	row := *e.Repository(c.Repository)
	row.Epoch = e.Index()
	row.Condemned = &gallery.Condemnation{Epoch: e.Index(), List: c.List, Time: e.Now(), Claim: c.Claim, Began: c.Began}
	if c.Report != nil {
		row.Last = reported(c.Report, c.Claim)
	}
	state.Put(e.Tx, &row)
	return brief(&row), nil
}

func repositorySwept(e *entry, c *command.RepositorySwept) (*none, error) {
	row := *e.Repository(c.Repository)
	if row.Condemned == nil || row.Condemned.Epoch != c.Epoch {
		return nil, fail(gallery.ErrStaleRepository, repositoryName(c.Repository), "no collection of epoch %d is under way", c.Epoch)
	}
	accounted := c.Epoch
	if e.knows(3) {
		if _, err := e.collecting(c.Repository, c.Claim); err != nil {
			return nil, err
		}
		if !row.Condemned.Sweeping {
			return nil, fail(gallery.ErrConflict, repositoryName(c.Repository), "nothing may be deleted yet")
		}
		accounted = row.Condemned.Began
		row.Last = swept(row.Last, e.Now())
	}
	row.Condemned = nil
	state.Put(e.Tx, &row)
	for _, t := range e.Tombstones(c.Repository) {
		if t.Index <= accounted {
			state.Delete(e.Tx, t)
		}
	}
	return nil, nil
}
