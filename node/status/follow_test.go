package status

import (
	"testing"
	"testing/synctest"
	"time"

	"loggia/fsm/state"
	"loggia/gallery"
)

// Whoever waits hears of a change at once, where it comes apart from the last look; changes that follow each other closely are one.
func TestAChangeIsToldAtOnce(t *testing.T) {
	for after, want := range map[time.Duration]time.Duration{0: apart, 10 * time.Millisecond: apart, apart: apart, 300 * time.Millisecond: 300 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			s := state.New()
			looked := time.Now()
			v, watch := s.View().Watched()
			v.AllVersions()
			time.AfterFunc(after, func() {
				tx := s.Begin(1, 1, time.Time{})
				state.Put(tx, &gallery.ImageVersion{Ref: gallery.VersionRef{Version: gallery.Version{Major: 1}}})
				if err := tx.Commit(); err != nil {
					t.Error(err)
				}
			})
			if err := rest(t.Context(), watch, time.Second, looked); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(looked); took != want {
				t.Errorf("a change after %v was told after %v, want %v", after, took, want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		v, watch := state.New().View().Watched()
		v.AllVersions()
		if err := rest(t.Context(), watch, time.Second, began); err != nil || time.Since(began) != time.Second {
			t.Errorf("without a change %v, %v, want a second", time.Since(began), err)
		}
	})
}
