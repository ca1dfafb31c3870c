package turns

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"loggia/fsm/state"
	"loggia/gallery"
)

// ErrLater means that a turn is not possible yet, and nothing is wrong.
var ErrLater = errors.New("not yet")

// Options is what a Loop needs.
type Options struct {
	Region  gallery.RegionName
	Watched func() (*state.View, *state.Watch)
	Has     func(gallery.StoreID) bool // whether this node can reach a store
	Since   uint32                     // cluster version from which there are turns
	// Due says when a repository's next turn is, if there is one for this node. It goes by the state, not by how long the node has run: a node
	// may begin anew more often than a turn is due.
	Due func(r *gallery.Repository, b Beginning, c *gallery.Cluster) (time.Time, bool)
	// Turn sees to one repository. It is called again when it is due again; after ErrLater not before Pause is over, after other errors
	// with a pause that grows.
	Turn  func(ctx context.Context, k gallery.RepositoryKey, log *slog.Logger) error
	Pause time.Duration
	Now   func() time.Time
	Log   *slog.Logger
}

// firstRetry and lastRetry bound the pause after a failure that a later attempt may cure.
const (
	firstRetry = time.Second
	lastRetry  = 10 * time.Minute
)

// Loop gives the repositories of this node's stores their turns, one after the other.
type Loop struct {
	o    Options
	wake chan struct{}
	wait map[gallery.RepositoryKey]pause // of the goroutine of Run
}

// pause is when a repository is tried again, and after how many failures.
type pause struct {
	until    time.Time
	failures int
}

// New returns a loop; Run makes it go.
func New(o Options) *Loop {
	return &Loop{o: o, wake: make(chan struct{}, 1), wait: map[gallery.RepositoryKey]pause{}}
}

// Run works until ctx ends.
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

func (l *Loop) turn(ctx context.Context, k gallery.RepositoryKey) {
	log := l.o.Log.With("store", k.Store, "slot", k.Slot, "domain", k.Domain)
	err := l.o.Turn(ctx, k, log)
	p := l.wait[k]
	switch {
	case err == nil:
		delete(l.wait, k)
		return
	case ctx.Err() != nil:
		return
	case errors.Is(err, ErrLater):
		p = pause{until: l.o.Now().Add(l.o.Pause)}
	default:
		log.Warn("a turn failed; it is tried again", "error", err)
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
	if cluster == nil || cluster.Version < l.o.Since {
		return best, at
	}
	for _, s := range v.Stores(l.o.Region) {
		if !l.o.Has(s.ID) {
			continue
		}
		begun := Beginnings(v, s.ID)
		for _, k := range v.RepositoryKeys(s.ID) {
			due, ok := l.o.Due(v.Repository(k), begun[k], cluster)
			if p := l.wait[k]; p.until.After(due) {
				due = p.until
			}
			if ok && due.Before(at) {
				best, at = k, due
			}
		}
	}
	return best, at
}
