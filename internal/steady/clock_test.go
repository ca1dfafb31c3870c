package steady

import (
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// machine is a machine's clock, which can be set, and what really passes.
type machine struct {
	set    time.Duration // by how much
	passed time.Duration
	floor  time.Time
}

func (m *machine) clock() *Clock {
	return New(func() time.Time { return start.Add(m.passed + m.set) }, func() time.Duration { return m.passed }, func() time.Time { return m.floor })
}

// TestJumps sets the machine's clock by an hour: time goes on at about its pace, and is right again in the end.
func TestJumps(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Hour} {
		m := &machine{}
		c := m.clock()
		m.passed = time.Minute
		if got := c.Now().Sub(start); got != time.Minute {
			t.Errorf("after a minute: %s", got)
		}
		m.set = jump
		if got := c.Now().Sub(start); got != time.Minute {
			t.Errorf("at the jump: %s", got)
		}
		last := c.Now()
		for range 5 * 60 {
			m.passed += time.Minute
			now := c.Now()
			if d := now.Sub(last); d < 45*time.Second || d > 75*time.Second {
				t.Fatalf("in a minute %s went by", d)
			}
			last = now
		}
		if off := last.Sub(start.Add(m.passed + m.set)); off != 0 {
			t.Errorf("five hours after a jump of %s it is off by %s", jump, off)
		}
	}
}

func TestNeverBehindTheFloor(t *testing.T) {
	m := &machine{floor: start.Add(time.Hour)}
	c := m.clock()
	if got := c.Now(); !got.Equal(m.floor) {
		t.Errorf("%s, want the floor", got)
	}
	m.floor = time.Time{}
	m.passed = time.Minute
	if got := c.Now().Sub(start); got < time.Hour+45*time.Second || got > time.Hour+time.Minute {
		t.Errorf("it goes on to %s", got)
	}
	m.passed = 0 // even a count that goes back does no harm
	if a, b := c.Now(), c.Now(); b.Before(a) || a.Sub(start) < time.Hour {
		t.Errorf("%s, then %s", a, b)
	}
}

func TestCount(t *testing.T) {
	if a, b := Count(), Count(); a <= 0 && b <= 0 || b < a {
		t.Errorf("%s, then %s", a, b)
	}
}
