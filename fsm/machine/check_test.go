package machine_test

import (
	"testing"
	"time"

	"loggia/fsm/command"
	"loggia/gallery"
)

// TestChecked holds what is remembered of a repository's checks beyond the newest turn.
func TestChecked(t *testing.T) {
	r := newRig(t)
	r.found("a", "b")
	k := home(1)
	r.refuse(gallery.ErrStaleClaim, &command.RepositoryChecked{Repository: k, Claim: 7})
	claim := r.do(&command.RepositoryClaim{Repository: k, Node: node(1), Lease: lease, Checking: true}).Value.(*gallery.Repository).Claim.Epoch
	if !r.repository(k).Checking {
		t.Fatal("a claim to check does not say so")
	}
	began := r.now
	tell := func(turn gallery.Check, wrapped bool) *gallery.Check {
		t.Helper()
		r.now = r.now.Add(time.Minute)
		turn.Began = began
		r.do(&command.RepositoryChecked{Repository: k, Claim: claim, Turn: turn, Wrapped: wrapped})
		return r.repository(k).Checked
	}
	got := tell(gallery.Check{Cursor: 5, Repaired: 1, Found: gallery.CheckCounts{Lost: 2}}, false)
	bad := r.now
	if got.Claim != claim || !got.Round.Equal(began) || !got.Ended.Equal(bad) || !got.LastBad.Equal(bad) || !got.Whole.IsZero() || got.Repairs != 1 {
		t.Fatalf("the first report left %+v", got)
	}
	got = tell(gallery.Check{Cursor: 0, Repaired: 2}, true)
	if got.Repaired != 3 || got.Repairs != 3 || got.Finished != 1 || !got.Whole.Equal(r.now) || !got.Round.Equal(r.now) || !got.LastBad.Equal(bad) {
		t.Fatalf("the end of the turn, and of its round, left %+v", got)
	}
	r.do(&command.RepositoryRelease{Repository: k, Claim: claim})
	if row := r.repository(k); row.Checking || row.Checked == nil || row.Last != nil {
		t.Fatalf("the release left %+v", row)
	}
	whole := got.Whole
	claim = r.collector(k, 1)
	if r.repository(k).Checking {
		t.Fatal("a collector's claim says that it checks")
	}
	got = tell(gallery.Check{Cursor: 9, Repaired: 1}, false)
	if got.Repaired != 1 || got.Repairs != 4 || !got.Whole.Equal(whole) {
		t.Fatalf("the next turn left %+v", got)
	}
	r.now = r.now.Add(lease)
	r.do(&command.ExpireClaims{})
	if row := r.repository(k); row.Claim != nil || row.Checking || row.Checked.Cursor != 9 {
		t.Fatalf("the expired claim left %+v", row)
	}
}
