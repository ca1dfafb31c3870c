package consensus

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// How long writes may fail at 100 ms round trip.
const (
	lossGoal    = 5 * time.Second // for nine in ten losses of the leader
	plannedGoal = time.Second
)

func TestWritesGoOnAfterTheLeaderIsLost(t *testing.T) {
	for _, voters := range []int{3, 5} {
		var took []time.Duration
		for _, seed := range seeds(t, 100) {
			synctest.Test(t, func(t *testing.T) { took = append(took, lose(t, seed, voters)) })
		}
		slices.Sort(took)
		at := func(part float64) time.Duration { return took[int(part*float64(len(took)-1))].Round(time.Millisecond) }
		late := 0
		for _, d := range took {
			if d > lossGoal {
				late++
			}
		}
		t.Logf("%d voters, %d losses of the leader: half within %v, nine in ten within %v, worst %v; %d above %v", voters, len(took), at(0.5), at(0.9), at(1), late, lossGoal)
		if late > len(took)/10 {
			t.Errorf("%d voters: %d of %d above %v", voters, late, len(took), lossGoal)
		}
	}
}

// lose cuts the leader off and returns how long the others could not write.
func lose(t *testing.T, seed uint64, voters int) time.Duration {
	l := newLab(t, seed, voters)
	r := rand.New(rand.NewPCG(seed, 1))
	pause(time.Duration(r.Int64N(int64(2 * time.Second))))
	acked := l.write("before")
	old := l.leader()
	l.net.Isolate(old.id)
	start := time.Now()
	l.write("after", old)
	took := time.Since(start)
	l.net.HealAll()
	l.equal()
	if l.all[0].m.all()[acked] != "before" {
		t.Errorf("seed %d: an acknowledged write is lost", seed)
	}
	return took
}

func TestPlannedStopHandsLeadershipOver(t *testing.T) {
	for _, seed := range seeds(t, 10) {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, seed, 3)
			old := l.leader()
			start := time.Now()
			if err := old.TransferLeadership(t.Context()); err != nil {
				t.Fatal(err)
			}
			l.write("after", old)
			if took := time.Since(start); took > plannedGoal {
				t.Errorf("seed %d: writes failed for %v, want at most %v", seed, took, plannedGoal)
			}
			l.equal()
		})
	}
}

// TestLeadershipGoesToWhoeverAnswers holds that a voter that is cut off does not stop a planned stop.
func TestLeadershipGoesToWhoeverAnswers(t *testing.T) {
	for i := range 2 {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, 1, 3)
			old := l.leader()
			var others []*member
			for _, m := range l.all {
				if m != old {
					others = append(others, m)
				}
			}
			l.net.Isolate(others[i].id)
			start := time.Now()
			if err := old.TransferLeadership(t.Context()); err != nil {
				t.Fatal(err)
			}
			l.write("after", old)
			if took := time.Since(start); took > 2*plannedGoal { // nobody knew yet that it is silent
				t.Errorf("writes failed for %v", took)
			}
			l.net.HealAll()
			l.equal()
		})
	}
}

// TestLeadershipDoesNotGoToWhoIsKnownToBeSilent holds that such a voter costs a planned stop nothing.
func TestLeadershipDoesNotGoToWhoIsKnownToBeSilent(t *testing.T) {
	for i := range 2 {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, 1, 3)
			old := l.leader()
			silent := l.all[(slices.Index(l.all, old)+1+i)%3]
			l.net.Isolate(silent.id)
			pause(2 * appendTime)
			start := time.Now()
			if err := old.TransferLeadership(t.Context()); err != nil {
				t.Fatal(err)
			}
			l.write("after", old)
			if took := time.Since(start); took > plannedGoal {
				t.Errorf("writes failed for %v, want at most %v", took, plannedGoal)
			}
			l.net.HealAll()
			l.equal()
		})
	}
}

func TestMinorityTakesNoWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 1, 3)
		old := l.leader()
		l.net.Isolate(old.id)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, _, err := old.Propose(ctx, []byte("lost")); err == nil {
			t.Fatal("a leader that is cut off took a write")
		}
		if ctx.Err() != nil {
			t.Fatal("a leader that is cut off did not step down")
		}
		l.write("kept", old)
		l.net.HealAll()
		l.equal()
		for i, v := range l.all[0].m.all() {
			if v == "lost" {
				t.Errorf("the write is at %d", i)
			}
		}
	})
}

func TestStandbyGetsTheLogAndHasNoVote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 1, 1)
		s := l.add("s", "")
		if err := l.all[0].AddStandby(t.Context(), s.id, s.id+":raft"); err != nil {
			t.Fatal(err)
		}
		l.equal()
		l.net.Isolate(s.id) // a vote would be missed
		l.write("alone")
		l.net.HealAll()
		l.equal()
		servers, err := s.Servers()
		if err != nil || len(servers) != 2 || servers[1] != (Server{"s", "s:raft", false}) {
			t.Fatalf("Servers = %v, %v", servers, err)
		}
		if err := l.all[0].Remove(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
		if servers, err := l.all[0].Servers(); err != nil || len(servers) != 1 {
			t.Fatalf("after Remove: %v, %v", servers, err)
		}
		l.all = l.all[:1]
		s.end(t)
	})
}
