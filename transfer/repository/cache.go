package repository

import (
	"container/list"
	"context"
	"sync"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/index"
)

// frameCacheSize is the plain bytes of frames of nodes that a View or Writer keeps: some leaves of
// both trees with the way to them.
const frameCacheSize = 4 << 20

// frameCache keeps the unpacked frames used last, up to a number of bytes.
type frameCache struct {
	limit int

	mu     sync.Mutex
	size   int
	recent *list.List // of *cachedFrame, the last used in front
	frames map[digest.Digest]*list.Element
}

type cachedFrame struct {
	id    digest.Digest
	plain []byte
}

func newFrameCache(limit int) *frameCache {
	return &frameCache{limit: limit, recent: list.New(), frames: make(map[digest.Digest]*list.Element)}
}

// node returns a chunk of the frame of loc, checked.
func (c *frameCache) node(ctx context.Context, r *Repository, loc index.Location, id chunk.ID) ([]byte, error) {
	plain := c.get(loc.FrameID)
	if plain == nil {
		var err error
		if plain, err = r.plainFrame(ctx, loc); err != nil {
			return nil, err
		}
		c.put(loc.FrameID, plain)
	}
	return cut(plain, id, loc.PlainOffset, loc.Length)
}

func (c *frameCache) get(id digest.Digest) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.frames[id]
	if !ok {
		return nil
	}
	c.recent.MoveToFront(e)
	return e.Value.(*cachedFrame).plain
}

func (c *frameCache) put(id digest.Digest, plain []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, twice := c.frames[id]; twice {
		return
	}
	c.frames[id] = c.recent.PushFront(&cachedFrame{id, plain})
	c.size += len(plain)
	for c.size > c.limit && c.recent.Len() > 1 {
		last := c.recent.Remove(c.recent.Back()).(*cachedFrame)
		delete(c.frames, last.id)
		c.size -= len(last.plain)
	}
}
