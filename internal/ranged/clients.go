package ranged

import (
	"fmt"
	"sync"
)

// Clients keeps a Client for each origin that answers name, with its warm connections. It is safe for use by many goroutines.
type Clients struct {
	Options     // of each, but for its origin, and what vouches for that
	Max     int // origins

	mu sync.Mutex
	of map[string]*Client
}

// Of returns the Client for an origin, made the first time.
// Errors: ErrOrigin, also for one more than Max.
func (c *Clients) Of(origin, ca string, insecure bool) (*Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := origin + "\n" + ca
	if got := c.of[key]; got != nil {
		return got, nil
	}
	if len(c.of) >= c.Max {
		return nil, fmt.Errorf("%w: more than %d", ErrOrigin, c.Max)
	}
	o := c.Options
	o.Origin, o.CA, o.Insecure = origin, []byte(ca), insecure
	made, err := New(o)
	if err != nil {
		return nil, err
	}
	if c.of == nil {
		c.of = map[string]*Client{}
	}
	c.of[key] = made
	return made, nil
}

// Close ends idle connections.
func (c *Clients) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.of {
		one.Close()
	}
}
