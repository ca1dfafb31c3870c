package live

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestRateAndETA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(time.Now)
		tr := r.Begin(Key{"d", 1})
		for i := int64(1); i <= 60; i++ {
			time.Sleep(time.Second) // virtual
			tr.Set(1<<30, 0, i<<20, "east")
		}
		d := tr.Detail()
		if d.Rate < 0.99*(1<<20) || d.Rate > 1.01*(1<<20) {
			t.Fatalf("rate %.0f, want about 1 MiB/s", d.Rate)
		}
		eta, ok := d.ETA()
		if want := 964 * time.Second; !ok || (eta-want).Abs() > 15*time.Second {
			t.Fatalf("ETA %v, want about %v", eta, want)
		}
		tr.Set(1, 0, 5, "")
		if d := tr.Detail(); d.Sent != 60<<20 || d.Total != 1<<30 || d.Source != "east" {
			t.Fatalf("went backwards: %+v", d)
		}
	})
}

func TestWatchersSeeBeginAndEnd(t *testing.T) {
	r := New(time.Now)
	_, moved := r.All()
	tr := r.Begin(Key{"d", 1})
	<-moved
	other := r.Begin(Key{"d", 1})
	tr.End() // replaced: must not remove the new one
	all, moved := r.All()
	if len(all) != 1 {
		t.Fatalf("%d transfers, want the replacement", len(all))
	}
	other.End()
	<-moved
	if all, _ := r.All(); len(all) != 0 {
		t.Fatalf("%d transfers after the end", len(all))
	}
}
