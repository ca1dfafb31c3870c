package azure

import (
	"strings"
	"testing"
	"time"

	"loggia/gallery"
)

// TestDetailsSayWhatIsDone holds that the text of a region tells of pauses, and of what a worker does right now where that is known.
func TestDetailsSayWhatIsDone(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	key := func(slot int) gallery.ReplicaKey { return gallery.ReplicaKey{Disk: "d", Region: "b", Slot: slot} }
	s := gallery.RegionStatus{Region: "b", State: gallery.ReplicaReplicating, Replicas: []gallery.Replica{
		{Key: key(1), State: gallery.ReplicaCompleted},
		{Key: key(2), State: gallery.ReplicaUnknown, Paused: &gallery.Pause{Since: now, By: "ops"}},
		{Key: key(3), State: gallery.ReplicaReplicating, Progress: gallery.Progress{Total: 100, Sent: 4}},
	}}
	plain := detailsOf(s, nil, now)
	live := detailsOf(s, map[gallery.ReplicaKey]string{key(3): "copying: 40 of 100 bytes, 5 B/s from a, 12s left (at the rate of the last 10 s)"}, now)
	for text, want := range map[string][]string{
		plain: {"1 of 3 replicas are whole", "replica 2: paused since 2026-01-02T03:04:05", "by ops", "replica 3: 4 of 100 bytes"},
		live:  {"paused since", "replica 3: copying: 40 of 100 bytes, 5 B/s from a", "(at the rate of the last 10 s)"},
	} {
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%q does not say %q", text, w)
			}
		}
	}
	if row := replicaRow(s.Replicas[1], now); row["pausedBy"] != "ops" || row["pausedSince"] == nil {
		t.Errorf("%v", row)
	}
}
