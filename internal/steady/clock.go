// Package steady is a clock that does not jump when the machine's does.
package steady

import (
	"sync"
	"time"
)

// catchUp is how fast the clock goes towards the machine's, as a part of the time that passes: it never goes slower than three quarters, nor faster than
// five, and is right again four hours after the machine's clock was set by one. Leases and grace times are a fifth shorter meanwhile.
const catchUp = 4

// Clock begins with the machine's time and then counts what passes. It is safe for use by many goroutines.
type Clock struct {
	wall  func() time.Time
	count func() time.Duration
	floor func() time.Time

	mu   sync.Mutex
	last time.Duration // of count, when at was computed
	at   time.Time
}

// New returns a clock. wall is the machine's time, which may jump, and count what passed since some moment, which does not. The clock is never behind floor:
// the largest time that those it is compared with have seen.
func New(wall func() time.Time, count func() time.Duration, floor func() time.Time) *Clock {
	return &Clock{wall: wall, count: count, floor: floor, last: count(), at: wall().Round(0)}
}

// Now returns the time; it never goes backwards.
func (c *Clock) Now() time.Time {
	wall, floor := c.wall().Round(0), c.floor()
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.count()
	passed := max(0, now-c.last)
	c.last = now
	c.at = c.at.Add(passed)
	c.at = c.at.Add(min(max(wall.Sub(c.at), -passed/catchUp), passed/catchUp))
	if c.at.Before(floor) {
		c.at = floor
	}
	return c.at
}
