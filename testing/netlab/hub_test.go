package netlab

import (
	"errors"
	"io"
	"testing"
	"time"
)

func TestHub(t *testing.T) {
	l := newLab(t, Options{Regions: []string{"eu", "us", "asia"}, Hub: true})
	c := dial(t, l, "us", echo(t, l, "eu"))
	const n = 8 << 20
	if _, err := ping(c, n, 30*time.Second); err != nil {
		t.Fatal(err)
	}
	for _, region := range []string{"eu", "us"} {
		got, err := l.Counters(region)
		if err != nil || got.Sent < n || got.Sent > n+n/10 || got.Received < n || got.Received > n+n/10 {
			t.Errorf("%s counted %+v, %v, want %d bytes each way", region, got, err, n)
		}
	}
	if got, err := l.Counters("asia"); err != nil || got.Sent+got.Received > 1000 {
		t.Errorf("asia counted %+v, %v, want nothing", got, err)
	}
	if _, err := l.Between("eu", "us"); !errors.Is(err, ErrOneLine) {
		t.Errorf("between two regions: %v, want %v", err, ErrOneLine)
	}
	if err := l.SetRTT(time.Millisecond); !errors.Is(err, ErrNoRelay) {
		t.Errorf("set a distance: %v, want %v", err, ErrNoRelay)
	}
	if err := (Options{Regions: []string{"eu"}, Hub: true, RTT: time.Second}).Validate(); err == nil {
		t.Error("a hub with a distance is valid")
	}
}

func TestHubCut(t *testing.T) {
	l := newLab(t, Options{Regions: []string{"eu", "us", "asia"}, Hub: true})
	address := echo(t, l, "eu")
	us, asia := dial(t, l, "us", address), dial(t, l, "asia", address)
	must(t, l.Cut("us", "eu"))
	must(t, l.Cut("us", "eu"))
	if _, err := ping(us, 10, 300*time.Millisecond); err == nil {
		t.Error("a ping came through the cut")
	}
	if _, err := ping(asia, 10, 10*time.Second); err != nil {
		t.Errorf("the third region is cut, too: %v", err)
	}
	must(t, l.Heal("us"))
	if _, err := ping(dial(t, l, "us", address), 10, 10*time.Second); err != nil {
		t.Error(err)
	}
	must(t, l.Partition("asia"))
	if _, err := ping(asia, 10, 300*time.Millisecond); err == nil {
		t.Error("a ping came out of the partition")
	}
	must(t, l.Heal("asia"))
}

// TestHubRate sends from two regions to a third: its downlink is the limit, then each uplink.
func TestHubRate(t *testing.T) {
	l := newLab(t, Options{Regions: []string{"eu", "us", "asia"}, Hub: true, RateMbit: 100})
	address := echo(t, l, "eu")
	const n = 5 << 20
	// Both ways at once, n bytes each: at least their time on the line. A machine that has other work, too, is slow now and then, not always.
	ideal := time.Duration(n * 8 * int64(time.Second) / 100e6)
	best := time.Hour
	for range 4 {
		took, err := ping(dial(t, l, "us", address), n, time.Minute)
		must(t, err)
		if best = min(best, took); took < ideal*9/10 {
			t.Errorf("%d bytes each way took %s, want at least %s", n, took, ideal)
		}
		if best <= 3*ideal {
			break
		}
	}
	if best > 3*ideal {
		t.Errorf("%d bytes each way took %s at best, want about %s", n, best, ideal)
	}
	done := make(chan error, 2)
	began := time.Now()
	for _, from := range []string{"us", "asia"} {
		c := dial(t, l, from, address)
		go func() {
			go func() { _, _ = c.Write(make([]byte, n)) }()
			_, err := io.ReadFull(c, make([]byte, n))
			done <- err
		}()
	}
	must(t, <-done)
	must(t, <-done)
	if took := time.Since(began); took < 2*ideal*9/10 {
		t.Errorf("two regions sent %d bytes each through one line in %s, want at least %s", n, took, 2*ideal)
	}
}
