package replication

import (
	"testing"
	"time"

	"loggia/fsm/state"
	"loggia/gallery"
)

// Of several copies of a disk in one region the later ones wait for the first, as long as somebody makes it.
func TestCopiesOfOneRegionAreMadeOneAfterTheOther(t *testing.T) {
	row := func(region gallery.RegionName, slot int, s gallery.ReplicaState, claim *gallery.Claim) *gallery.Replica {
		return &gallery.Replica{Key: gallery.ReplicaKey{Disk: "d", Region: region, Slot: slot}, State: s, Claim: claim}
	}
	claim := &gallery.Claim{Node: "n", Epoch: 3}
	var none gallery.ReplicaState
	for name, c := range map[string]struct {
		first *gallery.Replica
		ours  bool // there is a job for it here
		want  bool
	}{
		"claimed":                {row("r", 0, none, claim), false, true},
		"begun here":             {row("r", 0, none, nil), true, true},
		"failed, to be retried":  {row("r", 0, none, nil), false, false},
		"whole":                  {row("r", 0, gallery.ReplicaCompleted, nil), false, false},
		"of another region":      {row("q", 0, none, claim), false, false},
		"later than this itself": {row("r", 2, none, claim), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := state.New()
			tx := s.Begin(1, 1, time.Unix(0, 0))
			second := row("r", 1, none, claim) // also where an earlier life had claimed both
			state.Put(tx, c.first)
			state.Put(tx, second)
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			l := New(Options{Region: "r"})
			if c.ours {
				l.jobs[c.first.Key] = &job{}
			}
			if got := l.behind(s.View(), second); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
