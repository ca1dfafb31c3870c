// Package upkeep is what the leader does for the whole cluster: seats, the cluster version, groups that are going, and all that has
// had its time.
package upkeep

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"loggia/fsm/command"
	"loggia/fsm/state"
	"loggia/gallery"
)

// Log is the way into the replicated log; this node leads.
type Log interface {
	Propose(ctx context.Context, h command.Header, c command.Command) (command.Result, error)
}

// Raft is the configuration of the consensus group.
type Raft interface {
	Servers() ([]Server, error)
	AddVoter(ctx context.Context, id gallery.NodeID, address string) error
	AddStandby(ctx context.Context, id gallery.NodeID, address string) error
	Remove(ctx context.Context, id gallery.NodeID) error
}

// Server is a member of the configuration.
type Server struct {
	ID    gallery.NodeID
	Voter bool
}

// Options is what a Leader needs.
type Options struct {
	Self        gallery.NodeID
	Watched     func() (*state.View, *state.Watch)
	Log         Log
	Raft        Raft
	Lease       time.Duration                                                // of claims: none is expired before the leader has led that long
	Unreachable time.Duration                                                // after which a replica that nobody works on counts as failed; default 24 h
	Understands func(ctx context.Context, id gallery.NodeID) (uint32, error) // newest cluster version of a node's binary
	Now         func() time.Time
	Logger      *slog.Logger
}

// Leader does its duties while this node leads.
type Leader struct{ o Options }

// New returns a leader.
func New(o Options) *Leader {
	if o.Unreachable == 0 {
		o.Unreachable = 24 * time.Hour
	}
	return &Leader{o}
}

// Lead does all duties until ctx ends, which is when leadership is lost.
func (l *Leader) Lead(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.seats(ctx) })
	g.Go(func() error { return l.every(ctx, 5*time.Second, l.claims) })
	g.Go(func() error { return l.every(ctx, time.Minute, l.uploads) })
	g.Go(func() error { return l.every(ctx, 10*time.Minute, l.requests) })
	g.Go(func() error { return l.every(ctx, time.Minute, l.unreachable) })
	g.Go(func() error { return l.every(ctx, 30*time.Second, l.operations) })
	g.Go(func() error { return l.every(ctx, time.Second, l.groups) })
	g.Go(func() error { return l.every(ctx, 2*time.Second, l.version) })
	return g.Wait()
}

// every calls duty at intervals. A failure is not the end: the next call looks anew.
func (l *Leader) every(ctx context.Context, d time.Duration, duty func(context.Context) error) error {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
		if err := duty(ctx); err != nil && ctx.Err() == nil {
			l.o.Logger.Warn("upkeep failed; it is tried again", "error", err)
		}
	}
}

func (l *Leader) propose(ctx context.Context, c command.Command) error {
	res, err := l.o.Log.Propose(ctx, command.Header{Principal: "upkeep", Time: l.o.Now()}, c)
	if err != nil {
		return err
	}
	return res.Failure()
}

// claims ends those whose node has not been heard of. Deadlines are state time: a leader waits
// one whole lease before it ends any, since the last one may have renewed them unseen.
func (l *Leader) claims(ctx context.Context) error {
	v, _ := l.o.Watched()
	now := l.o.Now()
	led, ok := ctx.Value(sinceKey{}).(time.Time)
	if ok && now.Sub(led) < l.o.Lease {
		return nil
	}
	past := func(c *gallery.Claim) bool { return c.Deadline.Before(now) }
	if slices.ContainsFunc(v.ClaimedReplicas(), func(r *gallery.Replica) bool { return past(r.Claim) }) ||
		slices.ContainsFunc(v.ClaimedRepositories(), func(r *gallery.Repository) bool { return past(r.Claim) }) {
		return l.propose(ctx, &command.ExpireClaims{})
	}
	for _, r := range v.ClaimedRepositories() {
		if r.Claim.Deadline.Before(now) {
			return l.propose(ctx, &command.ExpireClaims{})
		}
	}
	return nil
}

type sinceKey struct{}

// Since notes in the context since when this node leads.
func Since(ctx context.Context, t time.Time) context.Context {
	return context.WithValue(ctx, sinceKey{}, t)
}

func (l *Leader) uploads(ctx context.Context) error {
	v, _ := l.o.Watched()
	if len(v.UploadsBefore(l.o.Now(), 1)) == 0 {
		return nil
	}
	return l.propose(ctx, &command.ExpireUploads{})
}

// requestLife is how long the outcome of a request is kept (M2).
const requestLife = 24 * time.Hour

func (l *Leader) requests(ctx context.Context) error {
	v, _ := l.o.Watched()
	if len(v.RequestsBefore(l.o.Now().Add(-requestLife), 1)) == 0 {
		return nil
	}
	return l.propose(ctx, &command.PruneRequests{})
}

// unreachable fails replicas that no node has taken up for a day: their region is cut off or empty.
// The region goes on when it is back.
func (l *Leader) unreachable(ctx context.Context) error {
	v, _ := l.o.Watched()
	now := l.o.Now()
	for _, region := range v.Regions() {
		for _, r := range v.ReplicasOfRegion(region.Name) {
			if r.State != gallery.ReplicaUnknown || r.Claim != nil || r.Wanted.IsZero() || now.Sub(r.Wanted) < l.o.Unreachable {
				continue
			}
			if err := l.propose(ctx, &command.ReplicaFail{Replica: r.Key, Final: true, Reason: gallery.ReasonUnreachable,
				Error: "no node of the region has taken the replica up"}); err != nil {
				return err
			}
		}
	}
	return nil
}
