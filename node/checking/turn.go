package checking

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"loggia/api/v1"
	"loggia/fsm/command"
	"loggia/gallery"
	"loggia/node/turns"
	"loggia/transfer/repository"
	"loggia/transfer/scrub"
)

// since is the cluster version from which a repository keeps how its checks stand.
const since = 4

// The bounds of a turn. Its claim keeps the collector away, so one that reads for long gives its place up and goes on after a while.
const (
	turnLimit  = 10 * time.Minute
	giveWay    = time.Minute     // between the parts of a turn
	tellCursor = 5 * time.Minute // a crash costs what was read since
	tryAgain   = 30 * time.Minute
	firstLook  = time.Hour // after the first copy in a repository began
)

var (
	errEnough = errors.New("the turn is over")
	errYield  = errors.New("something else wants the repository")
)

// due says when a repository's next turn is, if there is one for this node.
func (c *Checker) due(r *gallery.Repository, b turns.Beginning) (time.Time, bool) {
	last := r.Checked
	switch {
	case c.o.Period == 0, r.Claim != nil && r.Claim.Node != c.o.Self, c.busy.Load():
		return time.Time{}, false
	case last == nil:
		return c.pace.Due(r.Key, b.Stored, min(c.o.Quick, firstLook)), true
	case last.More:
		return c.pace.Due(r.Key, last.Ended, min(c.o.Quick, giveWay)), true
	case last.Failed:
		return c.pace.Due(r.Key, last.Ended, min(c.o.Quick, tryAgain)), true
	}
	return c.pace.Due(r.Key, last.Ended, c.o.Quick), true
}

// share is the positions that a turn reads: up to where the round has to be when the next turn begins, for it to end within the period.
func (c *Checker) share(last *gallery.Check, now time.Time) (from, to uint64) {
	var under time.Duration
	if last != nil {
		from, under = uint64(last.Cursor), now.Sub(last.Round)
	}
	to = scrub.End
	if part := float64(under+c.o.Quick) / float64(c.o.Period); part < 1 {
		to = uint64(part * scrub.End)
	}
	return from, max(from, to)
}

// turn checks the next part of a repository, and repairs what it can, under the collector's claim: nothing is deleted meanwhile, and one node of
// the region is at it.
func (c *Checker) turn(ctx context.Context, k gallery.RepositoryKey, log *slog.Logger) (err error) {
	if err := c.o.Settle(ctx); err != nil {
		return err
	}
	v := c.o.State()
	if at, ok := c.due(v.Repository(k), turns.Beginnings(v, k.Store)[k]); !ok || at.After(c.o.Now()) {
		return turns.ErrLater // another node was faster
	}
	got, err := c.o.Claims.Take(ctx, k, true, true)
	if errors.Is(err, gallery.ErrClaimed) {
		return turns.ErrLater
	}
	if err != nil {
		return err
	}
	t := &turn{claim: got.Claim.Epoch, began: c.o.Now(), log: log}
	if got.Checked != nil {
		t.before = *got.Checked
	}
	defer func() { err = errors.Join(err, c.o.Claims.Release(k, t.claim, nil)) }()
	repo, err := c.repository(k, c.o.Own)
	if err != nil {
		return err
	}
	return t.run(ctx, c, k, repo, got.Checked)
}

// turn is the next part of a repository's check.
type turn struct {
	*job
	claim   uint64
	began   time.Time
	log     *slog.Logger
	before  gallery.Check
	from    uint64 // the part: positions
	to      uint64
	reached uint64 // everything below was read
	read    scrub.Progress
	looked  time.Time // at existence and length of everything
	told    time.Time // the cursor
	cancel  context.CancelCauseFunc

	more     bool  // it gives its place to others before its end
	mended   bool  // what is bad was repaired, but for what is kept
	helpless error // why nothing could be
}

func (t *turn) run(ctx context.Context, c *Checker, k gallery.RepositoryKey, repo *repository.Repository, last *gallery.Check) error {
	t.job = newJob(c, k, repo, nothing)
	t.from, t.to = c.share(last, t.began)
	t.reached, t.told, t.spare, t.hear = t.from, t.began, true, t.heard
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t.cancel = cancel
	t.part = &scrub.Part{From: t.from, To: t.to, Again: t.before.Damaged, Reached: func(at uint64) error { return t.arrived(inner, at) }}
	err := t.scrub(inner)
	if cause := context.Cause(inner); cause != nil && ctx.Err() == nil {
		err = cause
	}
	if errors.Is(err, errEnough) {
		t.more, err = true, nil
	}
	if err == nil && t.broken && t.o.Repair {
		if err = t.repair(ctx, t.claim); errors.Is(err, gallery.ErrVerification) {
			t.helpless, err = err, nil
		}
		t.mended = err == nil && t.helpless == nil
	}
	if ctx.Err() != nil || errors.Is(err, errYield) || passing(err) {
		return t.cut(err)
	}
	return t.end(ctx, err)
}

func nothing(v1.CheckEvent) error { return nil }

// passing says whether an error is about the log, or about the claim, and not about the store.
func passing(err error) bool {
	for _, e := range []error{gallery.ErrNoLeader, gallery.ErrUnknownOutcome, gallery.ErrUnavailable, gallery.ErrStaleClaim, gallery.ErrStaleRepository} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// heard gives the turn up where an operator wants the repository.
func (t *turn) heard(p scrub.Progress) {
	t.read = p
	if row := t.o.State().Repository(t.key); t.busy.Load() || row.Due() {
		t.cancel(errYield)
	}
}

// arrived notes how far the turn is, in the log now and then.
func (t *turn) arrived(ctx context.Context, at uint64) error {
	t.reached = at
	now := t.o.Now()
	if t.looked.IsZero() {
		t.looked = now
	}
	if at == t.to {
		return nil
	}
	// Looking at everything is done anew by each turn: reading gets as long at least.
	if now.Sub(t.looked) > max(turnLimit, t.looked.Sub(t.began)) {
		return errEnough
	}
	if now.Sub(t.told) < tellCursor {
		return nil
	}
	t.told = now
	r := t.report(nil)
	r.More = true
	return t.tell(ctx, r, false)
}

// cut ends a turn before its end, and keeps what was read, also while the node stops.
func (t *turn) cut(why error) error {
	if t.reached > t.from {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		r := t.report(nil)
		r.More = true
		if err := t.tell(ctx, r, false); err != nil {
			return errors.Join(turns.ErrLater, why, err)
		}
	}
	return errors.Join(turns.ErrLater, why)
}

// end tells how the turn went.
func (t *turn) end(ctx context.Context, failed error) error {
	r := t.report(failed)
	wrapped := failed == nil && t.reached == scrub.End && r.Cursor == 0
	t.log.Info("checked", "packs", r.Packs, "read", r.ReadPacks, "bytes", r.ReadBytes, "lost", r.Found.Lost, "damaged", r.Found.Damaged,
		"unindexed", r.Found.Unindexed, "unknown", r.Found.Unknown, "repaired", r.Repaired, "round", fmt.Sprintf("%.1f%%", 100*float64(t.reached)/scrub.End), "took", t.o.Now().Sub(t.began).Round(time.Millisecond))
	switch {
	case failed != nil:
		t.log.Error("the check, or its repair, failed; it is tried again", "error", failed)
	case r.Message != "":
		t.log.Error("what is lost or damaged was not repaired", "why", r.Message)
	}
	return t.tell(ctx, r, wrapped)
}

// report is how the turn stands. Its cursor stays where it was if more is damaged than the report can name: it is to be found again.
func (t *turn) report(failed error) gallery.Check {
	damaged := t.damaged(t.mended)
	out := gallery.Check{Began: t.began, More: t.more, Packs: t.read.PacksTotal, ReadPacks: t.read.ReadPacks, ReadBytes: t.read.ReadBytes,
		Found: t.counts, Repaired: t.repaired, Damaged: damaged[:min(len(damaged), gallery.MaxDamaged)], Cursor: uint32(t.reached % scrub.End)}
	if len(damaged) > gallery.MaxDamaged && !t.mended && t.o.Repair && t.helpless == nil {
		out.Cursor = t.before.Cursor
	}
	switch {
	case failed != nil:
		out.Failed, out.Message = true, failed.Error()
		if out.Found.Bad() < t.before.Found.Bad() {
			out.Found = t.before.Found // it may not have come to what it knew
		}
	case t.helpless != nil:
		out.Message = t.helpless.Error()
	case len(t.kept) > 0:
		out.Message = "a copy that has no other whole one needs what is bad: publish it once more, or let it go by verify --repair"
	}
	out.Message = gallery.ErrorText(out.Message)
	return out
}

func (t *turn) tell(ctx context.Context, r gallery.Check, wrapped bool) error {
	_, err := t.o.Reports.Report(ctx, &command.RepositoryChecked{Repository: t.key, Claim: t.claim, Turn: r, Wrapped: wrapped})
	return err
}
