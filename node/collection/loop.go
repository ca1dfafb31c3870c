package collection

import (
	"context"
	"log/slog"
	"time"

	"loggia/fsm/state"
	"loggia/gallery"
	"loggia/node/depot"
	"loggia/node/turns"
	"loggia/transfer/buffer"
	"loggia/transfer/collect"
	"loggia/transfer/frame"
)

// Options is what a Loop needs.
type Options struct {
	Self    gallery.NodeID
	Region  gallery.RegionName
	Watched func() (*state.View, *state.Watch)
	State   func() *state.View
	Reports turns.Reporter
	Claims  *turns.Claims // of this node
	// Settle brings the state up to date; it fails where no leader can be reached.
	Settle  func(context.Context) error
	Depot   *depot.Depot
	Pool    *buffer.Pool // packs
	Encoder frame.Compressor
	TempDir string
	Period  time.Duration // between the runs over a repository
	Grace   time.Duration // between Condemn and the first delete
	Rates   collect.Rates
	Now     func() time.Time
	Log     *slog.Logger
}

// Loop is one node's part in the collection of its region's stores.
type Loop struct {
	*turns.Loop
	o    Options
	pace turns.Pace
}

// New returns a loop; Run makes it go.
func New(o Options) *Loop {
	l := &Loop{o: o, pace: turns.Pace{Self: o.Self, Began: o.Now()}}
	l.Loop = turns.New(turns.Options{Region: o.Region, Watched: o.Watched, Has: func(id gallery.StoreID) bool { return o.Depot.Has(id) }, Since: since,
		Due: func(r *gallery.Repository, b turns.Beginning, c *gallery.Cluster) (time.Time, bool) {
			return l.due(r, b, c.CollectionOff)
		},
		Turn: l.turn, Pause: min(o.Grace/10+time.Second, time.Minute), Now: o.Now, Log: o.Log})
	return l
}

// since is the cluster version from which collectors have claims.
const since = 3

// turn does one step for one repository.
func (l *Loop) turn(ctx context.Context, k gallery.RepositoryKey, log *slog.Logger) error {
	j := &job{Loop: l, key: k, log: log}
	return j.run(ctx)
}

// firstPart is of the period: so long after the first garbage a repository that was never collected is.
const firstPart = 24

// due says when a repository's next step is, if there is one for this node.
func (l *Loop) due(r *gallery.Repository, b turns.Beginning, off bool) (time.Time, bool) {
	switch {
	case r.Claim != nil && r.Claim.Node != l.o.Self:
		return time.Time{}, false
	case off && (r.Condemned != nil || !r.Due() || !r.Asked.DryRun):
		return time.Time{}, false
	case r.Condemned != nil:
		return r.Condemned.Time.Add(l.o.Grace), true
	case r.Due():
		return time.Time{}, true
	case r.Last == nil && !b.Garbage.IsZero():
		return l.pace.Due(r.Key, b.Garbage, l.o.Period/firstPart), true
	case r.Last == nil:
		return l.pace.Due(r.Key, b.Stored, l.o.Period), true
	case r.Last.Held():
		return time.Time{}, false
	}
	return l.pace.Due(r.Key, r.Last.Ended, l.o.Period), true
}
