package replicate

import (
	"sync"
	"time"
)

// Speeds remembers how fast sources are, by their keys. It is safe for use by many goroutines. One for the
// life of a process lets each copy begin with what the last one learned.
type Speeds struct {
	mu sync.Mutex
	by map[string]*speed
}

// maxSpeeds bounds the sources remembered: nodes of a cluster, in a life.
const maxSpeeds = 1 << 10

// NewSpeeds returns a memory without memories.
func NewSpeeds() *Speeds { return &Speeds{by: map[string]*speed{}} }

func (s *Speeds) of(key string) *speed {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.by[key]
	if !ok {
		if len(s.by) >= maxSpeeds {
			clear(s.by)
		}
		v = &speed{}
		s.by[key] = v
	}
	return v
}

// speed is what was measured of one source.
type speed struct {
	mu   sync.Mutex
	rate float64       // stored bytes per second of one flight; 0: not known
	rtt  time.Duration // from a request to the first frame, the least of late; 0: not known
	at   time.Time     // when rate was last measured
}

// first tells when an answer began.
func (s *speed) first(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d = max(d, time.Microsecond); s.rtt == 0 || d < s.rtt {
		s.rtt = d
	} else {
		s.rtt += (d - s.rtt) / 32
	}
}

// least is the bytes of an answer that says something about a rate.
const least = 256 << 10

// done tells what a flight brought.
func (s *speed) done(bytes int64, took time.Duration, now time.Time) {
	if bytes < least {
		return
	}
	rate := float64(bytes) / max(took, time.Millisecond).Seconds()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rate == 0 {
		s.rate = rate
	}
	s.rate += 0.3 * (rate - s.rate)
	s.at = now
}

// fades is how long a measurement speaks against a source that should be good.
const fades = 10 * time.Minute

// lately is the rate, if it was measured not long ago.
func (s *speed) lately(now time.Time) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if age := now.Sub(s.at); age < 0 || age > fades {
		return 0
	}
	return s.rate
}

func (s *speed) get() (rate float64, rtt time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rate, s.rtt
}

// The measures of flights (docs/performance.md, "Between regions").
const (
	maxFlights = 12 // at once, of a run; each that brings bytes holds 1 MiB of the pool

	nearFlights = 3                     // at once to a source that is near
	farPer      = 20 * time.Millisecond // of round trip allow one more

	leastBatch = 4 << 20 // stored bytes asked for at once
	mostBatch  = 8 << 20
	batchTime  = 500 * time.Millisecond // of a flight, or
	batchTrips = 4                      // round trips, where these take longer
)

// flights is how many requests at once fill the way to the source.
func (s *speed) flights() int {
	_, rtt := s.get()
	return min(maxFlights, nearFlights+int(rtt/farPer))
}

// batch is how many stored bytes to ask for at once.
func (s *speed) batch() int64 {
	rate, rtt := s.get()
	return min(mostBatch, max(leastBatch, int64(rate*max(batchTime, batchTrips*rtt).Seconds())))
}

// need is how long a flight for so many bytes takes, if that can be said.
func (s *speed) need(bytes int64) (time.Duration, bool) {
	rate, rtt := s.get()
	if rate == 0 {
		return 0, false
	}
	return rtt + time.Duration(float64(bytes)/rate*float64(time.Second)), true
}
