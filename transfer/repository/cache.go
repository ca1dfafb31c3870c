package repository

import (
	"container/list"
	"context"
	"sync"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/index"
	"loggia/transfer/pack"
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
	window window
}

// windowSize is what is read of a pack of nodes at once, in bytes: the root, the way to a leaf and its neighbours were written one
// after another, and are asked for one after another.
const windowSize = 1 << 20

// window is what was read of a pack of nodes last. Its bytes never change.
type window struct {
	pack digest.Digest
	off  int64
	b    []byte
}

// frame returns the stored bytes of a frame that lies in it; nil: it does not.
func (w window) frame(loc index.Location) []byte {
	lo := loc.FrameOffset - w.off
	if loc.Pack != w.pack || lo < 0 || lo+int64(loc.FrameStored) > int64(len(w.b)) {
		return nil
	}
	return w.b[lo : lo+int64(loc.FrameStored)]
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
		if plain, err = c.read(ctx, r, loc); err != nil {
			return nil, err
		}
		c.put(loc.FrameID, plain)
	}
	return cut(plain, id, loc.PlainOffset, loc.Length)
}

// moved is the window to be read for a frame that does not lie in w: onwards from there where w came before, else around it.
func (w window) moved(loc index.Location) window {
	off := loc.FrameOffset
	if loc.Pack != w.pack || off < w.off {
		off = max(off/windowSize*windowSize, off+int64(loc.FrameStored)-windowSize)
	}
	off = max(0, min(off, loc.PackSize-windowSize))
	return window{pack: loc.Pack, off: off, b: make([]byte, min(windowSize, loc.PackSize-off))}
}

// read unpacks a frame. One of nodes brings what lies around it along.
func (c *frameCache) read(ctx context.Context, r *Repository, loc index.Location) ([]byte, error) {
	if loc.Kind != pack.Nodes || loc.FrameStored > windowSize {
		return r.plainFrame(ctx, loc)
	}
	c.mu.Lock()
	w := c.window
	c.mu.Unlock()
	if w.frame(loc) == nil {
		w = w.moved(loc)
		if err := r.readRange(ctx, loc, w.off, w.b); err != nil {
			return r.plainFrame(ctx, loc) // what lies around it may be gone
		}
		c.mu.Lock()
		c.window = w
		c.mu.Unlock()
	}
	stored := w.frame(loc)
	if err := r.checkFrame(loc, stored); err != nil {
		return nil, err
	}
	return r.unpack(loc, stored)
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
