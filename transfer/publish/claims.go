package publish

import (
	"sync"

	"loggia/transfer/chunk"
)

// claims is the set of chunks that need not be sent: known to the node, or taken by a worker.
type claims struct {
	mu  sync.Mutex
	ids map[chunk.ID]struct{} // guarded by mu
}

func newClaims(string) *claims { return &claims{ids: make(map[chunk.ID]struct{})} }

// add notes a chunk that the node knows.
func (c *claims) add(id chunk.ID) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids[id] = struct{}{}
	return nil
}

// claim says whether the caller is the first to ask for the chunk, and is to send it.
func (c *claims) claim(id chunk.ID) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.ids[id]; known {
		return false, nil
	}
	c.ids[id] = struct{}{}
	return true, nil
}

func (c *claims) Close() error { return nil }
