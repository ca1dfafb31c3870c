package checking

import (
	"context"
	"errors"

	"loggia/api/v1"
	"loggia/fsm/command"
	"loggia/gallery"
	"loggia/node/collection"
	"loggia/node/depot"
	"loggia/transfer/collect"
	"loggia/transfer/index"
	"loggia/transfer/pack"
	"loggia/transfer/repository"
	"loggia/transfer/scrub"
)

// repair takes what is lost or damaged out of the live segments, under the collector's claim, so that nobody relies on it any more, and
// then marks the copies that are no longer whole: the region's loop makes them whole again from another copy (D9). In this order a crash
// in between is found by the next check.
func (j *job) repair(ctx context.Context, claim uint64) error {
	if err := collection.Identity(ctx, j.o.State(), j.key.Store, j.repo.Store); err != nil {
		return err
	}
	if err := j.rewrite(ctx, claim); err != nil {
		return err
	}
	return j.mark(ctx)
}

// rewrite replaces the live segments that list a bad pack or are bad themselves.
func (j *job) rewrite(ctx context.Context, claim uint64) error {
	row := j.o.State().Repository(j.key)
	good, compact := j.split(ctx, row)
	view, err := j.repo.Open(ctx, good)
	if err != nil {
		return err
	}
	defer view.Close()
	if j.spare {
		if err := j.leave(ctx, view, len(compact.Remove) > 0); err != nil {
			return err
		}
	}
	which, err := j.which(view)
	if err != nil || len(which)+len(compact.Remove)+len(j.records) == 0 {
		return err
	}
	w, err := j.repo.NewWriter(ctx, repository.WriterOptions{Epoch: claim, Pool: j.o.Pool, Encoder: j.o.Encoder})
	if err != nil {
		return err
	}
	defer w.Close()
	if err := j.record(w, good); err != nil || len(which)+len(compact.Remove) == 0 {
		return err
	}
	add, remove, err := w.Rewrite(ctx, view, which, func(p index.Pack) bool { return !j.packs[p] })
	if err != nil {
		return err
	}
	compact.Repository, compact.Epoch, compact.Claim = j.key, row.Epoch, claim
	compact.Add, compact.Remove = depot.Segments(add), append(compact.Remove, remove...)
	_, err = j.o.Reports.Report(ctx, compact)
	return err
}

// record writes the version records that are lost: what a rebuild needs of a disk is in the state and the live segments.
func (j *job) record(w *repository.Writer, live []repository.SegmentRef) error {
	v := j.o.State()
	for _, r := range v.ReplicasOfStore(j.key.Store) {
		d := v.Disk(r.Key.Disk)
		if !j.records[r.Key.String()] || d == nil {
			continue
		}
		if err := w.PutVersion(repository.Version{Root: d.Root, Table: d.Table, Length: d.Size, Segments: live}); err != nil {
			return err
		}
	}
	return nil
}

// split opens each live segment: one that can be had nowhere is only removed.
func (j *job) split(ctx context.Context, row *gallery.Repository) (good []repository.SegmentRef, c *command.RepositoryCompact) {
	c = &command.RepositoryCompact{}
	for _, ref := range depot.Refs(row.Segments) {
		v, err := j.repo.Open(ctx, []repository.SegmentRef{ref})
		if err == nil {
			err = v.Close()
		}
		if errors.Is(err, repository.ErrMissing) || errors.Is(err, repository.ErrDamaged) {
			c.Remove = append(c.Remove, ref.ID)
			continue
		}
		good = append(good, ref) // where the store failed, opening them together says so
	}
	return good, c
}

// which numbers the segments to rewrite: those that list a bad pack, and those whose object is bad though a local copy is good.
func (j *job) which(v *repository.View) ([]int, error) {
	bad := map[int]bool{}
	err := v.Packs(func(i int, p index.Pack, _ *pack.Directory) error {
		if j.packs[p] {
			bad[i] = true
		}
		return nil
	})
	var out []int
	for i, ref := range v.Refs() {
		if (bad[i] || j.segments[j.repo.Keys.Segment(ref.Epoch, ref.ID)]) && len(out) < command.MaxSegmentChange/2 {
			out = append(out, i)
		}
	}
	return out, err
}

// mark tells the log of the copies that are no longer whole.
func (j *job) mark(ctx context.Context) error {
	v := j.o.State()
	view, err := j.o.Depot.Open(ctx, v.Repository(j.key))
	if err != nil {
		return err
	}
	defer view.Release()
	alone := map[string]bool{}
	for _, d := range only(v, j.key) {
		alone[d.Name] = true
	}
	why := map[collect.Disk]string{}
	for _, d := range collection.State(v, j.key).Whole {
		ok, reason, err := scrub.Whole(ctx, view.View, d)
		if err != nil {
			return err
		}
		if !ok && !(j.spare && alone[d.Name]) {
			why[d] = reason
		}
	}
	return j.markAll(ctx, why)
}

// markAll marks copies all at once: one that is being made whole takes equal parts of others for there.
func (j *job) markAll(ctx context.Context, why map[collect.Disk]string) error {
	for d, reason := range why {
		if err := j.lost(ctx, d, reason); err != nil {
			return err
		}
	}
	return nil
}

// lost has a copy made whole again. One that has no other whole one by the log's word is left where that is to be spared.
func (j *job) lost(ctx context.Context, d collect.Disk, why string) error {
	for _, r := range j.o.State().ReplicasOfStore(j.key.Store) {
		if r.Key.String() != d.Name {
			continue
		}
		c := &command.ReplicaMarkLost{Replica: r.Key, Reason: gallery.ReasonDamaged, Error: gallery.ErrorText("a check found it incomplete: " + why),
			Spare: j.spare && j.o.Claims.Version() >= sparingSince}
		_, err := j.o.Reports.Report(ctx, c)
		if errors.Is(err, gallery.ErrNotAllowed) {
			j.o.Log.Warn("copy is left as it is: it has no other whole one any more", "replica", d.Name, "why", why)
			return nil
		}
		if err != nil && !errors.Is(err, gallery.ErrConflict) && !errors.Is(err, gallery.ErrNotFound) {
			return err
		}
		j.o.Log.Warn("copy is made whole again", "replica", d.Name, "why", why)
		j.repaired++
		return j.emit(v1.CheckEvent{Type: "repaired", Message: d.Name + " is made whole again from another copy"})
	}
	return nil
}
