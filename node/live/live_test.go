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
			tr.Set(Report{Total: 1 << 30, Sent: i << 20, Source: "east"})
		}
		d := tr.Detail()
		if d.Rate < 0.99*(1<<20) || d.Rate > 1.01*(1<<20) {
			t.Fatalf("rate %.0f, want about 1 MiB/s", d.Rate)
		}
		eta, ok := d.ETA()
		if want := 964 * time.Second; !ok || (eta-want).Abs() > 15*time.Second {
			t.Fatalf("ETA %v, want about %v", eta, want)
		}
		tr.Set(Report{Total: 1, Sent: 5})
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

// TestStalledRateIsHonest holds that the rate of a transfer that gets nothing falls at once, and to zero.
func TestStalledRateIsHonest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(time.Now)
		tr := r.Begin(Key{"d", 1})
		for i := int64(1); i <= 30; i++ {
			time.Sleep(time.Second)
			tr.Set(Report{Total: 1 << 30, Sent: i << 20, Sources: []Source{{Name: "east", Bytes: i << 20}, {Name: "west", Bytes: 7}}})
		}
		time.Sleep(10 * time.Second)
		if d := tr.Detail(); d.Rate > 0.45*(1<<20) || d.Rate < 0.2*(1<<20) || d.Sources[0].Rate > 0.45*(1<<20) || d.At.Sub(d.Moved) != 10*time.Second {
			t.Errorf("after 10 s of silence: %+v", d)
		}
		// Whoever reports without a new byte does not refresh it.
		tr.Set(Report{Total: 1 << 30, Sent: 30 << 20})
		time.Sleep(31 * time.Second)
		d := tr.Detail()
		if _, ok := d.ETA(); d.Rate != 0 || ok {
			t.Errorf("after 41 s of silence: %+v", d)
		}
	})
}

// TestClockThatJumps: rates are never negative or absurd, whatever the clock does.
func TestClockThatJumps(t *testing.T) {
	now := time.Unix(1e9, 0)
	r := New(func() time.Time { return now })
	tr := r.Begin(Key{"d", 1})
	sent := int64(0)
	for _, step := range []time.Duration{time.Second, -time.Hour, time.Second, time.Second, 24 * time.Hour, time.Second} {
		now = now.Add(step)
		sent += 1 << 20
		tr.Set(Report{Total: 1 << 30, Sent: sent})
		if d := tr.Detail(); d.Rate < 0 || d.Rate > 3<<20 {
			t.Errorf("a step of %s: rate %.0f", step, d.Rate)
		}
	}
}
