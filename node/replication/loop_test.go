package replication

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"loggia/fsm/command"
	"loggia/gallery"
	"loggia/node/depot"
)

func TestUrgentTakesThePlaceOfTheLeastUrgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.publish(1, gallery.PriorityLow)
		r.publish(2, gallery.PriorityNormal)
		r.start(1)
		synctest.Wait()
		r.wantClaims(1, 1, 2)
		low := r.replica(1).Claim.Epoch
		r.publish(3, gallery.PriorityLow)
		synctest.Wait()
		r.wantClaims(1, 1, 2)
		r.publish(4, gallery.PriorityHigh)
		time.Sleep(time.Second)
		synctest.Wait()
		r.wantClaims(1, 2, 4)
		if row := r.replica(1); row.State != gallery.ReplicaUnknown || len(row.Tried) != 1 || row.Tried[0] != low || row.LastError != "" {
			t.Errorf("the preempted copy: %+v; want its claim given back without a failure", row)
		}
		// A raised priority counts for copies that wait, and for those under way.
		r.do(&command.VersionPut{Version: r.version(3, gallery.PriorityHigh)})
		time.Sleep(time.Second)
		synctest.Wait()
		r.wantClaims(1, 3, 4)
		r.do(&command.VersionDelete{Ref: r.version(4, "").Ref})
		time.Sleep(time.Second)
		synctest.Wait()
		r.wantClaims(1, 2, 3)
		r.stop()
		r.wantClaims(1)
	})
}

func TestEqualsDoNotTakeEachOthersPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		for n := range 4 {
			r.publish(n+1, gallery.PriorityHigh)
			time.Sleep(time.Second)
		}
		r.start(1)
		synctest.Wait()
		r.wantClaims(1, 1, 2)
		before := r.replica(1).Claim.Epoch
		time.Sleep(10 * time.Minute)
		r.wantClaims(1, 1, 2)
		if r.replica(1).Claim.Epoch != before {
			t.Error("a claim was given back among equals")
		}
		r.stop()
	})
}

func TestPauseAndResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.publish(1, "")
		r.start(1)
		synctest.Wait()
		r.wantClaims(1, 1)
		r.do(&command.TransferPause{Version: r.version(1, "").Ref})
		began := time.Now()
		for r.replica(1).Claim != nil {
			time.Sleep(10 * time.Millisecond)
			if time.Since(began) > time.Second {
				t.Fatal("the claim is not given back within a second")
			}
		}
		if r.asking.Load() != 0 {
			t.Errorf("%d requests are open while the copy is paused", r.asking.Load())
		}
		time.Sleep(time.Hour)
		r.wantClaims(1)
		r.do(&command.TransferResume{Version: r.version(1, "").Ref})
		synctest.Wait()
		r.wantClaims(1, 1)
		if len(r.replica(1).Tried) != 1 {
			t.Errorf("%+v: the packs of the paused claim would not be adopted", r.replica(1))
		}
		r.stop()
	})
}

// TestSpread holds that the nodes of a region share its work, and that nobody waits for one that does none.
func TestSpread(t *testing.T) {
	for name, x := range map[string]struct {
		versions       int
		running, dead  []int
		first, second  int // claims of nodes 1 and 2 at once
		later1, later2 int // and after some seconds
	}{
		"two copies, two nodes":           {2, []int{1, 2}, nil, 1, 1, 1, 1},
		"four copies, two nodes":          {4, []int{1, 2}, nil, 2, 2, 2, 2},
		"more than fit":                   {9, []int{1, 2}, nil, 2, 2, 2, 2},
		"the other node is dead":          {2, []int{1}, []int{2}, 2, 0, 2, 0},
		"the other node does nothing":     {2, []int{1}, nil, 1, 0, 2, 0},
		"one copy is made by one of them": {1, []int{1, 2}, nil, -1, -1, -1, -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 2)
				for _, n := range x.dead {
					r.dead[node(n)] = true
				}
				for _, n := range x.running {
					r.start(n)
				}
				for n := range x.versions {
					r.publish(n+1, "")
				}
				synctest.Wait()
				check := func(when string, a, b int) {
					t.Helper()
					one, two := len(r.m.View().ReplicasOfNode(node(1))), len(r.m.View().ReplicasOfNode(node(2)))
					if a < 0 && one+two == 1 {
						return
					}
					if one != a || two != b {
						t.Errorf("%s: %d and %d claims, want %d and %d", when, one, two, a, b)
					}
				}
				check("at once", x.first, x.second)
				time.Sleep(2 * deference)
				synctest.Wait()
				check("later", x.later1, x.later2)
				r.stop()
			})
		})
	}
}

// TestClassFollowsPriority holds that the requests of a copy have the class of its priority, and follow it.
func TestClassFollowsPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.publish(1, gallery.PriorityLow)
		r.start(1)
		synctest.Wait()
		j := r.loops[0].jobs[r.replica(1).Key]
		if j.class().String() != "low" {
			t.Errorf("class %s", j.class())
		}
		r.do(&command.VersionPut{Version: r.version(1, gallery.PriorityHigh)})
		synctest.Wait()
		if j.class().String() != "high" {
			t.Errorf("class %s after the priority was raised", j.class())
		}
		r.stop()
	})
}

// TestAFailureInAnyLanguage holds that a copy that failed says so, whatever the text: the log takes UTF-8 of some length.
func TestAFailureInAnyLanguage(t *testing.T) {
	for _, text := range []string{strings.Repeat("\u00fc", 1000), "x" + strings.Repeat("\u00fc", 1000), "\xff"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, 1)
			r.fault = errors.New(text)
			r.publish(1, "")
			r.start(1)
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if row := r.replica(1); row.LastError == "" || !utf8.ValidString(row.LastError) || len(row.LastError) > gallery.MaxLastError {
				t.Errorf("after %d attempts the error is %q", row.Attempts, row.LastError)
			}
			r.stop()
		})
	}
}

// TestClaimsOfAnEarlierLife holds that a node does not renew what it cannot make: its store did not come back with it.
func TestClaimsOfAnEarlierLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.publish(1, "")
		r.do(&command.ReplicaClaim{Replica: r.replica(1).Key, Node: node(1), Lease: Lease})
		before := r.replica(1).Claim.Epoch
		r.depot = depot.New(depot.Options{})
		r.start(1)
		time.Sleep(Beat + time.Second)
		if row := r.replica(1); row.Claim != nil || !slices.Contains(row.Tried, before) {
			t.Errorf("the claim is %+v, those that ended are %v", row.Claim, row.Tried)
		}
		r.stop()
	})
}
