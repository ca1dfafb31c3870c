package collection

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/node/depot"
	"loggia/transfer/buffer"
	"loggia/transfer/collect"
	"loggia/transfer/frame"
)

// Reporter puts this node's reports into the log.
type Reporter interface {
	Report(ctx context.Context, c command.Command) (command.Result, error)
}

// Options is what a Loop needs.
type Options struct {
	Self    gallery.NodeID
	Region  gallery.RegionName
	Watched func() (*state.View, *state.Watch)
	State   func() *state.View
	Reports Reporter
	// Settle brings the state up to date; it fails where no leader can be reached.
	Settle  func(context.Context) error
	Depot   *depot.Depot
	Pool    *buffer.Pool // packs
	Encoder frame.Compressor
	TempDir string
	Period  time.Duration // between the runs over a repository
	Grace   time.Duration // between Condemn and the first delete
	Lease   time.Duration // of the claim; renewed with the node's other claims
	Rates   collect.Rates
	Now     func() time.Time
	Log     *slog.Logger
}

// firstRetry and lastRetry bound the pause after a failure that a later attempt may cure.
const (
	firstRetry = time.Second
	lastRetry  = 10 * time.Minute
)

// Loop is one node's part in the collection of its region's stores.
type Loop struct {
	o      Options
	began  time.Time
	active atomic.Bool
	wake   chan struct{}
	wait   map[gallery.RepositoryKey]pause // of the goroutine of Run
}

// pause is when a repository is tried again, and after how many failures.
type pause struct {
	until    time.Time
	failures int
}

// New returns a loop; Run makes it go.
func New(o Options) *Loop {
	return &Loop{o: o, began: o.Now(), wake: make(chan struct{}, 1), wait: map[gallery.RepositoryKey]pause{}}
}

// Active says whether this node holds a collector's claim, which is to be renewed.
func (l *Loop) Active() bool { return l.active.Load() }

// Run works until ctx ends, then gives its claim back.
func (l *Loop) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		v, watch := l.o.Watched()
		k, at := l.next(v)
		if left := at.Sub(l.o.Now()); left > 0 {
			l.rest(ctx, watch, left)
			continue
		}
		l.turn(ctx, k)
	}
	return nil
}

// Poke makes the loop look again, as when a store has come into service.
func (l *Loop) Poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// rest waits for a change of the state that was looked at, for Poke or for the time: all mean to look again.
func (l *Loop) rest(ctx context.Context, watch *state.Watch, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	changed := make(chan struct{})
	go func() {
		defer close(changed)
		_ = watch.Wait(ctx)
	}()
	select {
	case <-changed:
	case <-l.wake:
		cancel()
		<-changed
	}
}

// turn does one step for one repository.
func (l *Loop) turn(ctx context.Context, k gallery.RepositoryKey) {
	l.active.Store(true)
	defer l.active.Store(false)
	j := &job{Loop: l, key: k, log: l.o.Log.With("store", k.Store, "slot", k.Slot, "domain", k.Domain)}
	err := j.run(ctx)
	p := l.wait[k]
	switch {
	case err == nil:
		delete(l.wait, k)
		return
	case ctx.Err() != nil:
		return
	case errors.Is(err, errLater):
		p = pause{until: l.o.Now().Add(min(l.o.Grace/10+firstRetry, time.Minute))}
	default:
		j.log.Warn("collection failed; it is tried again", "error", err)
		p.failures++
		p.until = l.o.Now().Add(min(lastRetry, firstRetry<<min(p.failures, 20)))
	}
	l.wait[k] = p
}

// idle is how long the loop sleeps where nothing is due and nothing changes.
const idle = time.Minute

// next chooses the repository that is due first, and when.
func (l *Loop) next(v *state.View) (gallery.RepositoryKey, time.Time) {
	var best gallery.RepositoryKey
	at := l.o.Now().Add(idle)
	cluster := v.Cluster()
	if cluster == nil || cluster.Version < since {
		return best, at
	}
	for _, s := range v.Stores(l.o.Region) {
		if !l.o.Depot.Has(s.ID) {
			continue
		}
		for _, k := range v.RepositoryKeys(s.ID) {
			if due, ok := l.due(v.Repository(k), cluster.CollectionOff); ok && due.Before(at) {
				best, at = k, due
			}
		}
	}
	return best, at
}

// since is the cluster version from which collectors have claims.
const since = 3

// due says when a repository's next step is, if there is one for this node.
func (l *Loop) due(r *gallery.Repository, off bool) (time.Time, bool) {
	var at time.Time
	switch {
	case r.Claim != nil && r.Claim.Node != l.o.Self:
		return at, false
	case off && (r.Condemned != nil || !r.Due() || !r.Asked.DryRun):
		return at, false
	case r.Condemned != nil:
		at = r.Condemned.Time.Add(l.o.Grace)
	case r.Due():
	case r.Last == nil:
		at = l.began.Add(l.o.Period)
	case r.Last.Held():
		return at, false
	default:
		at = r.Last.Ended.Add(l.o.Period)
	}
	if p := l.wait[r.Key]; p.until.After(at) {
		at = p.until
	}
	return at, true
}
