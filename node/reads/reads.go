// Package reads brings this node's state up to date before it answers, as far as the reader asks for.
package reads

import (
	"context"
	"errors"
	"sync"
	"time"

	"loggia/gallery"
)

// Log is this node's part in consensus.
type Log interface {
	IsLeader() bool
	Leader() (gallery.NodeID, bool)
	WaitLeader(ctx context.Context) (gallery.NodeID, error)
	// ReadIndex returns an index that includes every write acknowledged before the call; this
	// node leads.
	ReadIndex(ctx context.Context) (uint64, error)
	// While returns a context that ends, too, when another node leads.
	While(ctx context.Context, leader gallery.NodeID) (context.Context, context.CancelFunc)
	WaitApplied(ctx context.Context, index uint64) error
}

// Door asks the leader.
type Door interface {
	ReadIndex(ctx context.Context, leader gallery.NodeID) (uint64, error)
}

// patience is how long a read of the default consistency waits before it answers from the state
// at hand, so that deployments in a cut-off region go on; strict is how long a strong one tries.
const (
	patience = 500 * time.Millisecond
	strict   = 10 * time.Second
)

// Reads is safe for use by many goroutines.
type Reads struct {
	self gallery.NodeID
	log  Log
	door Door
	now  func() time.Time

	mu      sync.Mutex
	settled time.Time // when the state was last known to be current
	caught  bool      // it has been, once since the start
}

// New returns Reads.
func New(self gallery.NodeID, log Log, door Door, now func() time.Time) *Reads {
	return &Reads{self: self, log: log, door: door, now: now, settled: now()}
}

// Settle brings the state up to date. consistency is strong (or an error), default (at most half
// a second, then stale) or stale (no wait). Where the answer may be stale it says how old it is.
func (r *Reads) Settle(ctx context.Context, consistency string) (age time.Duration, stale bool, err error) {
	switch consistency {
	case "stale":
		return r.age(), true, nil
	case "strong":
		ctx, cancel := context.WithTimeout(ctx, strict)
		defer cancel()
		if err := r.settle(ctx); err != nil {
			return 0, false, &gallery.Error{Kind: gallery.ErrNoLeader, Op: "strong read", Message: "no leader could confirm the state in time", Err: err}
		}
		return 0, false, nil
	case "", "default":
		bounded, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if r.settle(bounded) == nil {
			return 0, false, nil
		}
		return r.age(), true, ctx.Err()
	}
	return 0, false, &gallery.Error{Kind: gallery.ErrInvalid, Field: "consistency", Message: "must be strong, default or stale"}
}

// alone is how long a node that finds no leader after its start waits before it answers from what
// it has: its region may be cut off.
const alone = 20 * time.Second

// CatchUp brings the state up to date once after the start. Until it returns the node's state may be
// of any age, and what it does not hold proves nothing.
func (r *Reads) CatchUp(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, alone)
	defer cancel()
	_ = r.settle(bounded) // without a leader the node goes on with what it has
	r.mu.Lock()
	defer r.mu.Unlock()
	r.caught = ctx.Err() == nil
	return nil
}

// CaughtUp says whether the state has been current since the start.
func (r *Reads) CaughtUp() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.caught
}

func (r *Reads) age() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now().Sub(r.settled)
}

// settle asks until a leader answers or ctx ends.
func (r *Reads) settle(ctx context.Context) error {
	for {
		began := r.now()
		err := r.once(ctx)
		if err == nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.caught = true
			if began.After(r.settled) {
				r.settled = began
			}
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

func (r *Reads) once(ctx context.Context) error {
	leader, err := r.log.WaitLeader(ctx)
	if err != nil {
		return err
	}
	var index uint64
	if leader == r.self {
		index, err = r.log.ReadIndex(ctx)
	} else {
		during, over := r.log.While(ctx, leader)
		index, err = r.door.ReadIndex(during, leader)
		over()
	}
	if err != nil {
		return err
	}
	return r.log.WaitApplied(ctx, index)
}
