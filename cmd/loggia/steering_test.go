package main

import (
	"testing"
	"time"

	"loggia/api/v1"
)

func TestSteps(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	for want, p := range map[string]v1.Replica{
		"waiting for a slot":              {Step: "waiting for a slot"},
		"retry at 03:04:05":               {Step: "retry", StepAt: at},
		"paused since 03:04:05 by ops":    {Step: "paused", StepAt: at, Paused: &v1.Pause{Since: at, By: "ops"}},
		"copying (30 s ago)":              {Step: "copying", Age: 30},
		"paused since 03:04:05 (7 s ago)": {Step: "paused", Age: 7, Paused: &v1.Pause{Since: at}},
	} {
		if got := stepText(p); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSources(t *testing.T) {
	for want, p := range map[string]v1.Replica{
		"a":                                  {Source: "a"},
		"b":                                  {Source: "a", Sources: []v1.ReplicaSource{{Name: "b", Rate: 5000}}},
		"b 4.9 KiB/s, c, d failed":           {Sources: []v1.ReplicaSource{{Name: "b", Rate: 5000}, {Name: "c"}, {Name: "d", Failed: "lied"}}},
		"node of 2.0 MiB/s, other 1.0 KiB/s": {Sources: []v1.ReplicaSource{{Name: "node of", Rate: 2 << 20}, {Name: "other", Rate: 1 << 10}}},
	} {
		if got := sourceText(p); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestBarTellsTheStep: a copy that rests or waits says so in its bar, and not from where it once came.
func TestBarTellsTheStep(t *testing.T) {
	for want, p := range map[string]v1.Replica{
		"from a, limited to 12.5 MB/s by a->b":  {State: "Replicating", Step: "copying", Source: "a", ETANote: "limited to 12.5 MB/s by a->b"},
		"waiting for a slot, behind 1 transfer": {State: "Unknown", Step: "waiting for a slot", ETANote: "behind 1 transfer"},
		"paused":                                {State: "Unknown", Step: "paused", Reason: "Unreachable", LastError: "x", Paused: &v1.Pause{}},
		"Unreachable: no answer":                {State: "Failed", Step: "retry", Reason: "Unreachable", LastError: "no answer"},
	} {
		got := regionBar(v1.RegionStatus{Region: "b", State: p.State, Replicas: []v1.Replica{p}}).note
		if p.Paused != nil {
			got = got[:len("paused")]
		}
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
