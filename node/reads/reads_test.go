package reads

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"loggia/gallery"
)

// group is a consensus group as a follower sees it: with a leader, with a silent one, or with none.
type group struct {
	leader gallery.NodeID
	silent bool
	index  uint64
	waited uint64 // the index that was waited for
}

func (g *group) IsLeader() bool                 { return g.leader == "me" }
func (g *group) Leader() (gallery.NodeID, bool) { return g.leader, g.leader != "" }
func (g *group) WaitLeader(ctx context.Context) (gallery.NodeID, error) {
	if g.leader != "" {
		return g.leader, nil
	}
	<-ctx.Done()
	return "", ctx.Err()
}
func (g *group) While(ctx context.Context, _ gallery.NodeID) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}
func (g *group) ReadIndex(ctx context.Context) (uint64, error) { return g.index, nil }
func (g *group) WaitApplied(_ context.Context, i uint64) error {
	g.waited = i
	return nil
}

// door is the way to the leader.
type door struct{ *group }

func (d door) ReadIndex(ctx context.Context, _ gallery.NodeID) (uint64, error) {
	if d.silent {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return d.index, nil
}

func TestReadsSayWhatTheyAre(t *testing.T) {
	for _, tc := range []struct {
		name, consistency string
		g                 group
		stale             bool
		err               error
		within            time.Duration
	}{
		{"a follower with a leader", "", group{leader: "other", index: 7}, false, nil, 0},
		{"the leader", "strong", group{leader: "me", index: 7}, false, nil, 0},
		{"without a leader it answers after half a second", "default", group{}, true, nil, patience},
		{"a silent leader is waited for as long", "", group{leader: "other", silent: true}, true, nil, patience},
		{"strong never degrades", "strong", group{}, false, gallery.ErrNoLeader, strict},
		{"stale never waits", "stale", group{}, true, nil, 0},
		{"nonsense", "sometimes", group{leader: "me"}, false, gallery.ErrInvalid, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := tc.g
			r := New("me", &g, door{&g}, time.Now)
			time.Sleep(time.Minute) // the state has its age
			began := time.Now()
			age, stale, err := r.Settle(t.Context(), tc.consistency)
			if took := time.Since(began); took > tc.within {
				t.Errorf("%s: took %v, want at most %v", tc.name, took, tc.within)
			}
			if stale != tc.stale || !errors.Is(err, tc.err) || (err == nil) != (tc.err == nil) {
				t.Errorf("%s: stale %v, error %v", tc.name, stale, err)
			}
			if stale && age < time.Minute {
				t.Errorf("%s: age %v, want at least a minute", tc.name, age)
			}
			if err == nil && !stale && g.waited != 7 {
				t.Errorf("%s: waited for index %d, want the leader's 7", tc.name, g.waited)
			}
		})
	}
}

func TestCatchUpWaitsForALeaderOnlySoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := group{}
		r := New("me", &g, door{&g}, time.Now)
		if r.CaughtUp() {
			t.Fatal("caught up before the start")
		}
		began := time.Now()
		if err := r.CatchUp(t.Context()); err != nil || !r.CaughtUp() {
			t.Fatalf("caught up: %v, %v", r.CaughtUp(), err)
		}
		if took := time.Since(began); took != alone {
			t.Errorf("took %v, want %v", took, alone)
		}
	})
}
