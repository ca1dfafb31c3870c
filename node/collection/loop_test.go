package collection

import (
	"log/slog"
	"testing"
	"time"

	"loggia/gallery"
	"loggia/node/turns"
)

// TestDue holds when a repository's next step is.
func TestDue(t *testing.T) {
	const period, grace = 6 * time.Hour, 2 * time.Hour
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := began
	l := New(Options{Self: "me", Period: period, Grace: grace, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
	asked := func(r gallery.CollectionRequest) *gallery.CollectionRequest { r.Index = 9; return &r }
	for name, tc := range map[string]struct {
		row  gallery.Repository
		off  bool
		want time.Duration // after began, at the latest; below 0: no step
	}{
		"never collected":            {gallery.Repository{}, false, period},
		"collected":                  {gallery.Repository{Last: &gallery.Collection{State: gallery.CollectionDone, Ended: began.Add(time.Hour)}}, false, time.Hour + period},
		"stopped by the store":       {gallery.Repository{Last: &gallery.Collection{State: gallery.CollectionStopped, Reason: gallery.CollectionStore, Ended: began}}, false, period},
		"waits for an operator":      {gallery.Repository{Last: &gallery.Collection{State: gallery.CollectionStopped, Reason: gallery.CollectionUnaccounted}}, false, -1},
		"who has asked":              {gallery.Repository{Last: &gallery.Collection{State: gallery.CollectionStopped, Reason: gallery.CollectionUnaccounted}, Asked: asked(gallery.CollectionRequest{})}, false, 0},
		"asked and answered":         {gallery.Repository{Last: &gallery.Collection{State: gallery.CollectionDone, Asked: 9, Ended: began}, Asked: asked(gallery.CollectionRequest{})}, false, period},
		"condemned":                  {gallery.Repository{Condemned: &gallery.Condemnation{Time: began}}, false, grace},
		"condemned, and asked":       {gallery.Repository{Condemned: &gallery.Condemnation{Time: began}, Asked: asked(gallery.CollectionRequest{})}, false, grace},
		"another node is at it":      {gallery.Repository{Claim: &gallery.Claim{Node: "other"}}, false, -1},
		"this node was, and is back": {gallery.Repository{Claim: &gallery.Claim{Node: "me"}}, false, period},
		"off":                        {gallery.Repository{}, true, -1},
		"off, condemned":             {gallery.Repository{Condemned: &gallery.Condemnation{Time: began}}, true, -1},
		"off, asked":                 {gallery.Repository{Asked: asked(gallery.CollectionRequest{})}, true, -1},
		"off, asked to count":        {gallery.Repository{Asked: asked(gallery.CollectionRequest{DryRun: true})}, true, 0},
	} {
		at, ok := l.due(&tc.row, turns.Beginning{Stored: began}, tc.off)
		late := at.Sub(began.Add(tc.want))
		if ok != (tc.want >= 0) || ok && (late > 0 || tc.want > 0 && late < -period/10) {
			t.Errorf("%s: due %v %v, want %v", name, at.Sub(began), ok, tc.want)
		}
	}
}

// TestDueFirst: a repository that was never collected is due a period after the first byte may have come, soon after its first garbage, and
// no later for a node that begins anew.
func TestDueFirst(t *testing.T) {
	const period, restart = 6 * time.Hour, time.Hour
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		begun turns.Beginning
		want  time.Duration // after first, at the latest
	}{
		"a first copy":  {turns.Beginning{Stored: first}, period},
		"a delete":      {turns.Beginning{Stored: first, Garbage: first.Add(time.Hour)}, time.Hour + period/firstPart},
		"nothing known": {turns.Beginning{}, 2 * time.Minute},
	} {
		for now := first; ; now = now.Add(restart) { // a node that lives as long
			l := New(Options{Self: "me", Period: period, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
			at, ok := l.due(&gallery.Repository{}, tc.begun, false)
			if ok && at.Before(now.Add(restart)) {
				if at.After(first.Add(tc.want)) {
					t.Errorf("%s: due after %v, want at most %v", name, at.Sub(first), tc.want)
				}
				break
			}
			if now.After(first.Add(4 * period)) {
				t.Errorf("%s: never due", name)
				break
			}
		}
	}
}
