package consensus

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestStatsOfLeaderAndFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 1, 3)
		leader := l.leader()
		i := l.write("last")
		l.until("the end of the log everywhere", func() bool {
			for _, m := range l.all {
				if m.Stats().Applied < i {
					return false
				}
			}
			return true
		})
		for _, m := range l.all {
			s := m.Stats()
			if s.Term != leader.CurrentTerm() || s.Applied > s.Commit || s.Commit > s.Last || s.Commit < i {
				t.Errorf("node %s: %+v after a write at %d", m.id, s, i)
			}
			switch {
			case m == leader && (s.State != "Leader" || !s.LastContact.IsZero()):
				t.Errorf("leader: %+v", s)
			case m != leader && (s.State != "Follower" || time.Since(s.LastContact) > 10*rtt):
				t.Errorf("follower %s: %+v", m.id, s)
			}
		}
	})
}
