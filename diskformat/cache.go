package diskformat

import (
	"container/list"
	"sync"
)

// cache keeps the values of the keys used last, for many goroutines. Values are shared: nobody
// writes to them.
type cache[K comparable, V any] struct {
	limit int // entries; len(byKey) <= limit

	mu    sync.Mutex
	order *list.List // of *cached[K, V], used last first
	byKey map[K]*list.Element
}

type cached[K comparable, V any] struct {
	key   K
	value V
}

func newCache[K comparable, V any](limit int) *cache[K, V] {
	return &cache[K, V]{limit: limit, order: list.New(), byKey: make(map[K]*list.Element)}
}

// get returns the value of key, which load makes when it isn't there. Two goroutines that miss at
// once both load; an error is not kept.
func (c *cache[K, V]) get(key K, load func() (V, error)) (V, error) {
	if v, ok := c.peek(key); ok {
		return v, nil
	}
	v, err := load()
	if err == nil {
		c.add(key, v)
	}
	return v, err
}

// peek returns the value of key if it is there.
func (c *cache[K, V]) peek(key K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return v, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached[K, V]).value, true
}

func (c *cache[K, V]) add(key K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[key]; ok {
		return
	}
	if c.order.Len() == c.limit {
		last := c.order.Back()
		delete(c.byKey, last.Value.(*cached[K, V]).key)
		c.order.Remove(last)
	}
	c.byKey[key] = c.order.PushFront(&cached[K, V]{key, v})
}
