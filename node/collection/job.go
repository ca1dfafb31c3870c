package collection

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"loggia/blobstore"
	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/node/depot"
	"loggia/node/turns"
	"loggia/transfer/collect"
	"loggia/transfer/repository"
)

// attempts is how often a run looks again where copies are completed while it condemns.
const attempts = 8

// job is one step for one repository: what is condemned is swept, else a run is made.
type job struct {
	*Loop
	key   gallery.RepositoryKey
	log   *slog.Logger
	repo  *repository.Repository // its requests paced
	epoch uint64                 // of the claim
	asked *gallery.CollectionRequest
}

func (j *job) run(ctx context.Context) error {
	bare, err := j.o.Depot.Repository(j.key)
	if err != nil {
		return err
	}
	j.repo = bare.Over(collect.Pace(bare.Store, j.o.Rates))
	got, err := j.o.Claims.Take(ctx, j.key, false, true)
	if err != nil {
		if errors.Is(err, gallery.ErrClaimed) {
			return turns.ErrLater
		}
		return fmt.Errorf("claim: %w", err)
	}
	j.epoch, j.asked = got.Claim.Epoch, got.Asked
	if got.Condemned != nil {
		err = j.sweep(ctx, got.Condemned)
		return errors.Join(err, j.release(nil))
	}
	report, err := j.collect(ctx)
	if report == nil { // it was committed with the list, or the node stops
		return errors.Join(err, j.release(nil))
	}
	if report.Reason != "" {
		j.log.Warn("collection stopped; nothing was deleted", "reason", report.Reason, "error", err)
		err = nil // the report says when the next one is due
	}
	return errors.Join(err, j.release(report))
}

// release gives the claim back, also while the node stops: for a bounded time.
func (j *job) release(report *gallery.Collection) error {
	return j.o.Claims.Release(j.key, j.epoch, report)
}

// collect makes a run. Its report is what the claim is given back with.
func (j *job) collect(ctx context.Context) (*gallery.Collection, error) {
	started := j.o.Now()
	report := &gallery.Collection{Began: started}
	if j.asked != nil {
		report.Asked = j.asked.Index
	}
	counted, condemned, err := j.condemn(ctx, report)
	switch {
	case ctx.Err() != nil:
		return nil, err
	case errors.Is(err, gallery.ErrStaleClaim), errors.Is(err, gallery.ErrNotAllowed), passing(err):
		return nil, err
	}
	fill(report, counted)
	if err != nil {
		report.State, report.Reason = gallery.CollectionStopped, reason(err)
		report.Message = gallery.ErrorText(err.Error())
		return report, err
	}
	j.log.Info("collected", "condemned", condemned, "objects", report.Objects, "bytes", report.Bytes, "live", report.Live,
		"garbage", report.GarbageBytes, "compacted", report.Compacted, "took", j.o.Now().Sub(started).Round(time.Millisecond))
	if condemned {
		return nil, nil
	}
	return report, nil
}

// passing says whether nothing is wrong with the store or the state: no leader can be reached.
func passing(err error) bool {
	return errors.Is(err, gallery.ErrNoLeader) || errors.Is(err, gallery.ErrUnknownOutcome) || errors.Is(err, gallery.ErrUnavailable)
}

func fill(to *gallery.Collection, r collect.Report) {
	to.Objects, to.Bytes, to.Live = r.Objects, r.Bytes, r.Live
	to.GarbageObjects, to.GarbageBytes, to.Unaccounted = r.Garbage, r.GarbageBytes, r.Unaccounted
	to.Compacted, to.Written = r.Compacted, r.Written
}

// condemn makes a run as far as the log's word.
func (j *job) condemn(ctx context.Context, report *gallery.Collection) (counted collect.Report, condemned bool, err error) {
	if err := j.identity(ctx); err != nil {
		return counted, false, err
	}
	dry := j.asked != nil && j.asked.DryRun && j.asked.Index > j.answered()
	w, err := j.repo.NewWriter(ctx, repository.WriterOptions{Epoch: j.epoch, Pool: j.o.Pool, Encoder: j.o.Encoder})
	if err != nil {
		return counted, false, err
	}
	defer w.Close()
	r, err := collect.New(collect.Options{Repository: j.repo, Writer: w, TempDir: j.o.TempDir, Encoder: j.o.Encoder, Compact: !dry,
		Accept: j.asked != nil && j.asked.Accept && j.asked.Index > j.answered(), Reached: j.reached})
	if err != nil {
		return counted, false, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := r.Survey(ctx, State(j.o.State(), j.key)); err != nil {
		return r.Report(), false, err
	}
	report.State = gallery.CollectionDone
	if dry {
		report.State = gallery.CollectionDryRun
		return r.Report(), false, nil
	}
	condemned, err = j.commit(ctx, r, report)
	return r.Report(), condemned, err
}

// answered is the newest request that a run before this one answered.
func (j *job) answered() uint64 {
	if last := j.o.State().Repository(j.key).Last; last != nil {
		return last.Asked
	}
	return 0
}

// commit has the log condemn what the run found. Where a copy was completed meanwhile, the run looks at that, too.
func (j *job) commit(ctx context.Context, r *collect.Run, report *gallery.Collection) (bool, error) {
	for range attempts {
		c, err := r.Condemn(ctx)
		if err != nil || c.List.IsZero() {
			return false, err
		}
		told := *report
		fill(&told, r.Report())
		told.State = gallery.CollectionWaiting
		_, err = j.o.Reports.Report(ctx, &command.RepositoryCondemn{Repository: j.key, Epoch: j.o.State().Repository(j.key).Epoch, List: c.List,
			Claim: j.epoch, Add: depot.Segments(c.Add), Remove: c.Remove, Marked: c.Marked, Began: c.Began, Report: &told})
		if !errors.Is(err, gallery.ErrStaleRepository) {
			return err == nil, err
		}
		if err := j.o.Settle(ctx); err != nil {
			return false, err
		}
		if err := r.Renew(ctx, State(j.o.State(), j.key)); err != nil {
			return false, err
		}
	}
	return false, errBusy
}

var errBusy = errors.New("copies were completed faster than they could be looked at")

func (j *job) identity(ctx context.Context) error {
	return Identity(ctx, j.o.State(), j.key.Store, j.repo.Store)
}

// Identity holds a store against the cluster: a state that is older than the bucket collects and repairs nothing (C8). collect.ErrForeign: it
// is.
func Identity(ctx context.Context, v *state.View, id gallery.StoreID, in blobstore.Store) error {
	c, s := v.Cluster(), v.Store(id)
	if c == nil || s == nil {
		return fmt.Errorf("%w: the store is not known", collect.ErrForeign)
	}
	want := repository.Identity{Cluster: string(c.ID), Generation: c.Generation, Region: string(s.Region), Store: string(s.ID)}
	err := repository.CheckIdentity(ctx, in, want)
	if errors.Is(err, repository.ErrIdentity) || errors.Is(err, repository.ErrNoIdentity) || errors.Is(err, repository.ErrIdentityFormat) {
		return fmt.Errorf("%w: %w", collect.ErrForeign, err)
	}
	return err
}

func (j *job) reached(ctx context.Context) (uint64, error) {
	if err := j.o.Settle(ctx); err != nil {
		return 0, err
	}
	return j.o.State().Index(), nil
}

// sweep deletes what is condemned, with the log's leave.
func (j *job) sweep(ctx context.Context, c *gallery.Condemnation) error {
	_, err := j.o.Reports.Report(ctx, &command.RepositorySweep{Repository: j.key, Claim: j.epoch, Epoch: c.Epoch, Grace: j.o.Grace})
	if errors.Is(err, gallery.ErrUnavailable) {
		j.log.Debug("what is condemned may not be deleted yet", "error", err)
		return turns.ErrLater
	}
	if err != nil {
		return err
	}
	if err := j.identity(ctx); err != nil {
		return err
	}
	live := depot.Refs(j.o.State().Repository(j.key).Segments)
	n, err := collect.Sweep(ctx, collect.SweepOptions{Repository: j.repo, Claim: c.Claim, List: c.List, Segments: live})
	if err != nil {
		if ctx.Err() == nil {
			j.log.Error("condemned objects were not all deleted; it is tried again", "deleted", n, "error", err)
		}
		return err
	}
	if _, err := j.o.Reports.Report(ctx, &command.RepositorySwept{Repository: j.key, Epoch: c.Epoch, Claim: j.epoch}); err != nil {
		return err
	}
	j.log.Info("condemned objects deleted", "objects", n)
	if err := collect.DropList(ctx, j.repo, c.Claim, c.List); err != nil {
		j.log.Info("the list of condemned keys is left to the next run", "error", err)
	}
	return j.repo.Prune(live)
}

// reasons turn what went wrong into what an operator can act on; the first that fits counts.
var reasons = []struct {
	err    error
	reason gallery.CollectionReason
}{
	{collect.ErrForeign, gallery.CollectionForeign},
	{collect.ErrUnaccounted, gallery.CollectionUnaccounted},
	{collect.ErrUnreadable, gallery.CollectionUnreadable},
	{collect.ErrLost, gallery.CollectionLost},
	{collect.ErrListing, gallery.CollectionListing},
	{errBusy, gallery.CollectionBusy},
	{blobstore.ErrFull, gallery.CollectionStore},
	{blobstore.ErrForbidden, gallery.CollectionStore},
	{blobstore.ErrUnavailable, gallery.CollectionStore},
	{blobstore.ErrThrottled, gallery.CollectionStore},
}

func reason(err error) gallery.CollectionReason {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.reason
		}
	}
	return gallery.CollectionFailed
}

// State is what a state of the log says of a repository to a collector.
func State(v *state.View, k gallery.RepositoryKey) collect.State {
	s := collect.State{Index: v.Index(), Segments: depot.Refs(v.Repository(k).Segments)}
	for _, r := range v.ReplicasOfStore(k.Store) {
		d := v.Disk(r.Key.Disk)
		if r.Repository() != k || d == nil {
			continue
		}
		x := collect.Disk{Name: r.Key.String(), Root: d.Root, Table: d.Table}
		if r.Whole() {
			s.Whole = append(s.Whole, x)
		} else {
			s.Wanted = append(s.Wanted, x)
		}
		s.Open = append(append(s.Open, r.Tried...), epochs(r.Claim)...)
	}
	for _, u := range v.Uploads() {
		if u.State == gallery.UploadOpen && u.Repository() == k {
			s.Open = append(s.Open, epochs(&u.Claim)...)
		}
	}
	for _, t := range v.Tombstones(k) {
		if !t.Root.IsZero() {
			s.Deleted = append(s.Deleted, collect.Disk{Name: string(t.Disk), Root: t.Root, Table: t.Table})
		}
	}
	return s
}

func epochs(c *gallery.Claim) []uint64 {
	if c == nil {
		return nil
	}
	return append([]uint64{c.Epoch}, c.Predecessors...)
}
