package main

import (
	"slices"
	"testing"
)

func TestJobsStandAfterWhatTheyNeed(t *testing.T) {
	names := jobNames()
	for i, j := range allJobs {
		for _, n := range j.needs {
			if at := slices.Index(names, n); at < 0 || at >= i {
				t.Errorf("%s needs %s, which stands at %d", j.Name, n, at)
			}
		}
		for _, name := range j.only {
			if !slices.Contains(toolNames(), name) {
				t.Errorf("%s is for %s, which is no tool", j.Name, name)
			}
		}
	}
	for _, g := range timeGoals {
		if !slices.Contains(names, g.job) || !slices.Contains(toolNames(), g.peer) {
			t.Errorf("a goal for %s and %s, of which one is not there", g.job, g.peer)
		}
		if !isPeer(g.peer) {
			t.Errorf("a goal for %s is held against %s, which is no peer", g.job, g.peer)
		}
	}
}

func TestChooseJobs(t *testing.T) {
	got, err := chooseJobs("replicate-v2")
	if err != nil || len(got) != 4 {
		t.Errorf("got %+v, %v, want both publishes and both replications", got, err)
	}
	if _, err := chooseJobs("dance"); err == nil {
		t.Error("chose a job that is not there")
	}
}

func TestRatio(t *testing.T) {
	var b bench
	mine := []result{{Rep: 0, Stored: 10}, {Rep: 1, Stored: 30}}
	other := []result{{Rep: 1, Stored: 10}, {Rep: 0, Stored: 10}, {Rep: 2, Stored: 1}}
	if got := b.ratio(mine, other, func(r result) float64 { return float64(r.Stored) }); got.Min != 1 || got.Max != 3 {
		t.Errorf("got %+v, want 1 to 3", got)
	}
}
