package replication

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/node/depot"
	"loggia/node/live"
	"loggia/node/seeding"
	"loggia/transfer/buffer"
	"loggia/transfer/codec"
	"loggia/transfer/frame"
	"loggia/transfer/replicate"
)

// Reporter puts this node's reports into the log.
type Reporter interface {
	Report(ctx context.Context, c command.Command) (command.Result, error)
}

// Sources finds places that hold a disk, nearest first, other than the replica itself.
type Sources interface {
	Of(v *state.View, disk *gallery.Disk, but gallery.ReplicaKey) []replicate.Source
}

// Options is what a Loop needs.
type Options struct {
	Self    gallery.NodeID
	Region  gallery.RegionName
	Watched func() (*state.View, *state.Watch)
	State   func() *state.View
	Reports Reporter
	Sources Sources
	Seeds   *seeding.Registry
	Speeds  *replicate.Speeds // of sources
	Depot   *depot.Depot
	Live    *live.Registry
	Pool    *buffer.Pool // packs
	Scratch *buffer.Pool // frames on their way
	Decoder *codec.Decoder
	Encoder frame.Compressor
	TempDir string
	// Patience is how much longer than usual a source may be silent, because limits may hold it up.
	Patience func() time.Duration
	Alive    func(gallery.NodeID) bool // gossip's hint, by which work is left to other nodes of the region for a moment
	Holding  func() bool               // whether this node has other claims to renew
	// Return gives back the other claims that nobody on this node works under: a checkpoint renews all that the log knows of.
	Return func(ctx context.Context, v *state.View) error
	Now    func() time.Time
	Log    *slog.Logger
}

// The pace of the loop.
const (
	// Lease is how long a claim stands without a checkpoint.
	Lease = 2 * time.Minute
	// Beat is how often a node that holds claims renews them and tells its progress: the one
	// checkpoint that the log takes (M8).
	Beat = 30 * time.Second
	// atOnce bounds the replicas that one node makes at once: each holds up to 40 MiB of the pool
	// only while it moves bytes, and the pool is fair.
	atOnce = 2

	firstRetry = 2 * time.Second
	lastRetry  = 5 * time.Minute
)

// Loop is one node's part in its region's work.
type Loop struct {
	o Options

	mu   sync.Mutex
	jobs map[gallery.ReplicaKey]*job
	left map[gallery.ReplicaKey]time.Time // replicas that are left to other nodes, and since when
	wake chan struct{}
}

// New returns a loop; Run makes it go.
func New(o Options) *Loop {
	return &Loop{o: o, jobs: map[gallery.ReplicaKey]*job{}, left: map[gallery.ReplicaKey]time.Time{}, wake: make(chan struct{}, 1)}
}

// Run works until ctx ends, then gives its claims back, so that another node of the region can take
// over at once.
func (l *Loop) Run(ctx context.Context) error {
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() { l.beat(ctx) })
	for {
		view, watch := l.o.Watched()
		next := l.step(ctx, view, &work)
		if err := l.wait(ctx, watch, next); err != nil {
			return nil
		}
	}
}

// step starts jobs for replicas that are due, and says when the next one will be.
func (l *Loop) step(ctx context.Context, v *state.View, work *sync.WaitGroup) time.Time {
	next := l.o.Now().Add(time.Minute)
	due := l.due(v, &next)
	for _, row := range due {
		if again := l.start(ctx, v, row, work); !again.IsZero() {
			earliest(&next, again)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.left, func(k gallery.ReplicaKey, _ time.Time) bool {
		return !slices.ContainsFunc(due, func(r *gallery.Replica) bool { return r.Key == k })
	})
	return next
}

func (l *Loop) end(j *job) {
	l.mu.Lock()
	delete(l.jobs, j.row.Key)
	l.mu.Unlock()
	l.Poke()
}

// Poke makes the loop look again, as when a store has come into service.
func (l *Loop) Poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// wait blocks until the state that was looked at changes, a job ends, or it is time.
func (l *Loop) wait(ctx context.Context, watch *state.Watch, until time.Time) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changed := make(chan error, 1)
	go func() { changed <- watch.Wait(ctx) }()
	t := time.NewTimer(max(0, until.Sub(l.o.Now())) + 10*time.Millisecond)
	defer t.Stop()
	select {
	case <-changed:
	case <-l.wake:
		cancel()
		<-changed
		return nil
	case <-t.C:
		cancel()
		<-changed
		return nil
	}
	return ctx.Err()
}

// beat renews this node's claims and tells its progress.
func (l *Loop) beat(ctx context.Context) {
	t := time.NewTicker(Beat)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		l.leave(ctx)
		c := &command.ReplicaCheckpoint{Node: l.o.Self, Lease: Lease, Claims: l.progress()}
		if len(c.Claims) == 0 && !l.o.Holding() {
			continue
		}
		res, err := l.o.Reports.Report(ctx, c)
		if err != nil {
			l.o.Log.Warn("claims could not be renewed", "error", err)
			continue
		}
		if done, ok := res.Value.(*command.Checkpointed); ok {
			l.drop(done.Stale)
		}
	}
}

// leave gives back what an earlier life of this node has claimed and this one cannot make, as its store is not in service here, and claims of other kinds
// that nobody works under: the checkpoint would renew them for ever, and no other node could take them up.
func (l *Loop) leave(ctx context.Context) {
	if err := l.o.Return(ctx, l.o.State()); err != nil {
		l.o.Log.Info("a claim was not given back; it is tried again", "error", err)
	}
	for _, r := range l.o.State().ReplicasOfNode(l.o.Self) {
		if l.o.Depot.Has(r.Store) || l.busy(r.Key) {
			continue
		}
		if _, err := l.o.Reports.Report(ctx, &command.ReplicaRelease{Replica: r.Key, Epoch: r.Claim.Epoch}); err != nil {
			l.o.Log.Info("claim was not given back; it is tried again", "replica", r.Key, "error", err)
		}
	}
}

func (l *Loop) progress() []command.ClaimProgress {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []command.ClaimProgress
	for _, j := range l.jobs {
		if p, ok := j.progress(); ok && len(out) < command.MaxCheckpoint {
			out = append(out, p)
		}
	}
	return out
}

// drop stops the jobs whose claims are no more.
func (l *Loop) drop(stale []uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range l.jobs {
		for _, epoch := range stale {
			if j.epoch() == epoch {
				j.stop(errSuperseded)
			}
		}
	}
}

// retry is when a replica is tried again after so many attempts: exponential, with jitter, so that
// regions do not move in step.
func retry(now time.Time, attempts int) time.Time {
	d := lastRetry
	if attempts < 8 {
		d = min(d, firstRetry<<attempts)
	}
	return now.Add(d/2 + rand.N(d/2+1))
}
