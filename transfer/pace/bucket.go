package pace

import "time"

// Class says how urgent a flow is.
type Class uint8

// The classes.
const (
	Low Class = iota
	Normal
	High
	classes
)

// ParseClass reads what String writes; everything else is Normal.
func ParseClass(s string) Class {
	switch s {
	case "low":
		return Low
	case "high":
		return High
	}
	return Normal
}

// String writes low, normal or high.
func (c Class) String() string {
	switch c {
	case Low:
		return "low"
	case High:
		return "high"
	}
	return "normal"
}

// Key names a limit.
type Key string

// The measures of a bucket.
const (
	// burst is what a bucket gathers at most while nobody asks, in time of its rate.
	burst = 100 * time.Millisecond
	// share is the part of a higher class's bytes that each lower class that waits for the same bucket gets.
	share = 1.0 / 20
	// overhead is what TLS, TCP and IP add to a byte that is written here; see DESIGN.md.
	overhead = 0.03
)

// cost is what n bytes written take from the buckets.
func cost(n int) float64 { return float64(n) * (1 + overhead) }

// bucket is one limit. The pacer's lock guards it.
//
//	level <= rate * burst; level >= -cost(maxPiece)
type bucket struct {
	key    Key
	rate   float64 // bytes per second, above zero
	level  float64 // bytes that may go now; below zero: debt
	at     time.Duration
	used   time.Duration // when it was last asked for
	sum    float64       // bytes that it ever let through
	credit [classes]float64
	// waiting counts the flows that wait for it, by class; the scheduler counts anew each time.
	waiting [classes]int
}

// fill adds what has come since it was last looked at.
func (b *bucket) fill(now time.Duration) {
	if dt := now - b.at; dt > 0 {
		b.level = min(b.level+b.rate*dt.Seconds(), b.rate*burst.Seconds())
	}
	b.at = now
}

// free returns when the bucket is out of debt. It is never later than what a whole piece costs.
func (b *bucket) free(now time.Duration) time.Duration {
	if b.level >= 0 {
		return now
	}
	return now + time.Duration(-b.level/b.rate*float64(time.Second)) + time.Nanosecond
}

// higher says whether a class above c waits for the bucket.
func (b *bucket) higher(c Class) bool {
	for k := c + 1; k < classes; k++ {
		if b.waiting[k] > 0 {
			return true
		}
	}
	return false
}

// take pays for a piece of class c, and keeps the credit of the classes below.
func (b *bucket) take(n float64, c Class) {
	b.level -= n
	b.sum += n
	if b.higher(c) {
		b.credit[c] = max(0, b.credit[c]-n)
	}
	for k := range c {
		if b.waiting[k] > 0 {
			b.credit[k] = min(b.credit[k]+n*share, 2*cost(maxPiece))
		}
	}
}
