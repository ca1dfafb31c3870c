package status

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"loggia/api/peer"
	"loggia/fsm/state"
	"loggia/gallery"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const worker1 = gallery.NodeID("00000000-0000-4000-8000-000000000001")

func stateWith(t *testing.T, fn func(*state.Tx)) *state.View {
	t.Helper()
	s := state.New()
	tx := s.Begin(1, 1, now)
	fn(tx)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return s.View()
}

func keyOf(disk string) gallery.ReplicaKey {
	return gallery.ReplicaKey{Disk: gallery.DiskID(disk), Region: "b", Slot: 1}
}

// TestSteps holds what is said of a copy in every state that it can be in.
func TestSteps(t *testing.T) {
	claim := &gallery.Claim{Epoch: 7, Node: worker1}
	busy := func(l peer.Live) *detail { return &detail{Live: l} }
	for name, x := range map[string]struct {
		row  gallery.Replica
		live *detail
		step string
		note []string
	}{
		"waits":           {gallery.Replica{Store: "s", State: gallery.ReplicaUnknown, Wanted: now}, nil, "waiting for a slot", []string{"behind 2 transfers"}},
		"urgent waits":    {gallery.Replica{Store: "s", State: gallery.ReplicaUnknown, Wanted: now, Priority: gallery.PriorityHigh}, nil, "waiting for a slot", nil},
		"has no store":    {gallery.Replica{State: gallery.ReplicaFailed, Reason: gallery.ReasonNoStore}, nil, "waiting for a store", nil},
		"failed":          {gallery.Replica{Store: "s", State: gallery.ReplicaFailed, Reason: gallery.ReasonUnreachable, LastError: "no answer", NextRetry: now.Add(time.Minute)}, nil, "retry", []string{"retry at 2026-01-02T03:05:05Z", "Unreachable: no answer"}},
		"nobody has it":   {gallery.Replica{Store: "s", State: gallery.ReplicaFailed, Reason: gallery.ReasonNoSource}, nil, "waiting for source", nil},
		"paused":          {gallery.Replica{Store: "s", Claim: claim, Paused: &gallery.Pause{Since: now, By: "ops"}}, busy(peer.Live{Total: 9, Rate: 5, ETA: 1}), "paused", []string{"paused since 2026-01-02T03:04:05Z by ops"}},
		"compares":        {gallery.Replica{Store: "s", Claim: claim}, busy(peer.Live{}), "comparing", nil},
		"copies":          {gallery.Replica{Store: "s", Claim: claim}, busy(peer.Live{Total: 100, Sent: 40, Rate: 5, ETA: 12, Source: "c"}), "copying", []string{"40 of 100 bytes", "5 B/s from c, 12s left", "at the rate of the last 10 s"}},
		"hears nothing":   {gallery.Replica{Store: "s", Claim: claim}, busy(peer.Live{Total: 100, Sent: 40, Still: 11}), "waiting for source", nil},
		"has come whole":  {gallery.Replica{Store: "s", Claim: claim}, busy(peer.Live{Total: 100, Sent: 100, Still: 11}), "copying", nil},
		"silent worker":   {gallery.Replica{Store: "s", Claim: claim}, nil, "copying", nil},
		"an old word":     {gallery.Replica{Store: "s", Claim: claim}, &detail{peer.Live{Total: 100, Sent: 40}, 30 * time.Second}, "copying", []string{"as of 30 s ago"}},
		"held by a limit": {gallery.Replica{Store: "s", Claim: claim}, busy(peer.Live{Total: 1 << 40, Sent: 40, Rate: 12.2e6, ETA: 12, Source: "a", Sources: []peer.LiveSource{{Name: "a", Rate: 12.2e6}}}), "copying", []string{"limited to 12.5 MB/s by a->b"}},
		"of other sources": {gallery.Replica{Store: "s", Claim: claim}, busy(peer.Live{Total: 1 << 40, Sent: 40, Rate: 12.2e6, ETA: 12, Source: "c", Sources: []peer.LiveSource{{Name: "c", Rate: 12.2e6}, {Name: "a", Failed: "lied"}}}),
			"copying", []string{"at the rate of the last 10 s"}},
	} {
		t.Run(name, func(t *testing.T) {
			x.row.Key = keyOf("d")
			v := stateWith(t, func(tx *state.Tx) {
				state.Put(tx, &x.row)
				state.Put(tx, &gallery.Replica{Key: keyOf("running"), Store: "s", Claim: &gallery.Claim{Epoch: 3, Node: worker1}, Wanted: now.Add(time.Hour)})
				state.Put(tx, &gallery.Replica{Key: keyOf("before"), Store: "s", Wanted: now.Add(-time.Hour)})
				state.Put(tx, &gallery.Replica{Key: keyOf("resting"), Store: "s", Wanted: now.Add(-time.Hour), Paused: &gallery.Pause{Since: now}})
				state.Put(tx, &gallery.Replica{Key: keyOf("less urgent"), Store: "s", Wanted: now.Add(-time.Hour), Priority: gallery.PriorityLow})
				state.Put(tx, &gallery.Replica{Key: keyOf("whole"), Store: "s", State: gallery.ReplicaCompleted})
				state.Put(tx, &gallery.Limit{Key: gallery.LimitKey{From: "a", To: "b"}, Rate: 12_500_000})
				state.Put(tx, &gallery.Limit{Key: gallery.LimitKey{To: "elsewhere"}, Rate: 1_000_000})
			})
			b := New(Options{Now: func() time.Time { return now }})
			live := map[gallery.ReplicaKey]detail{}
			if x.live != nil {
				live[x.row.Key] = *x.live
			}
			got := b.replica(v, x.row, 0, live)
			if got.Step != x.step {
				t.Errorf("step %q, want %q", got.Step, x.step)
			}
			if got.Step == "paused" && (got.Rate != 0 || got.ETA != 0) {
				t.Errorf("a paused copy has a rate: %+v", got)
			}
			for _, text := range x.note {
				if !strings.Contains(note(got), text) {
					t.Errorf("note %q does not say %q", note(got), text)
				}
			}
		})
	}
}

// nodes is other nodes that answer, or do not.
type nodes map[gallery.NodeID][]peer.Live

// Live implements Peers.
func (n nodes) Live(_ context.Context, id gallery.NodeID) ([]peer.Live, error) {
	if l, ok := n[id]; ok {
		return l, nil
	}
	return nil, errors.New("no route")
}

// TestAnyNodeTells asks a node that has no part in a copy, before and after the worker can't be reached any more.
func TestAnyNodeTells(t *testing.T) {
	row := gallery.Replica{Key: keyOf("d"), Store: "s", Claim: &gallery.Claim{Epoch: 7, Node: worker1}}
	v := stateWith(t, func(tx *state.Tx) {
		state.Put(tx, &row)
		state.Put(tx, &gallery.Node{ID: worker1, Region: "b"})
	})
	at := now
	others := nodes{worker1: {{Disk: "d", Slot: 1, Total: 100, Have: 10, Sent: 40, Rate: 5, ETA: 10, Retries: 2, Wasted: 3, Sources: []peer.LiveSource{{Name: "a", Bytes: 40, InFlight: 1}}}}}
	b := New(Options{Self: "me", Peers: others, Now: func() time.Time { return at }})
	got := b.replica(v, row, 0, b.live(t.Context(), v))
	if got.Left != 50 || got.Retries != 2 || got.Wasted != 3 || len(got.Sources) != 1 || got.Age != 0 || got.ETANote == "" {
		t.Errorf("%+v", got)
	}
	delete(others, worker1)
	at = at.Add(time.Minute)
	if got = b.replica(v, row, 0, b.live(t.Context(), v)); got.Age != 60 || got.Sent != 40 {
		t.Errorf("a minute after the worker was last heard: %+v", got)
	}
}
