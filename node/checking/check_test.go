package checking

import (
	"testing"
	"time"

	"loggia/fsm/state"
	"loggia/gallery"
)

// TestWhatAnOpenUploadWritesIsKnown: the first publish of a tenant writes to a repository that no copy lies in yet.
func TestWhatAnOpenUploadWritesIsKnown(t *testing.T) {
	const tenant = gallery.TenantID("aaaaaaaa-0000-4000-8000-000000000001")
	s := state.New()
	c := New(Options{State: s.View, Now: time.Now})
	domain := gallery.DomainOf(tenant)
	key := string(domain) + "/1/p/0000000000000007/x"
	if within(c.prefixes("s"), key) {
		t.Error("known before anything was opened")
	}
	tx := s.Begin(7, 1, time.Unix(0, 0))
	state.Put(tx, &gallery.Upload{ID: "u", Store: "s", Slot: 1, Domain: domain, State: gallery.UploadOpen})
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if !within(c.prefixes("s"), key) || within(c.prefixes("s"), "readme.txt") || within(c.prefixes("other"), key) {
		t.Errorf("prefixes %q and %q", c.prefixes("s"), c.prefixes("other"))
	}
}
