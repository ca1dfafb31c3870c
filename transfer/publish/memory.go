package publish

import (
	"context"
	"fmt"
)

// arena deals out one piece of the pool's memory.
type arena struct{ free []byte }

// take returns n bytes of the arena, which the caller has made large enough.
func (a *arena) take(n int) []byte {
	b := a.free[:n:n]
	a.free = a.free[n:]
	return b
}

// cutBuffer is the length of a cutter's buffer: reads of about a MiB.
func (o Options) cutBuffer() int { return o.Params.BufferSize() + 1<<20 }

// batches is the number of batches: one being filled by each worker, the others on their way.
func (o Options) batches() int { return o.Workers + o.InFlight }

// need is the memory of a run in bytes.
func (o Options) need(send bool) int {
	n := o.Workers * o.cutBuffer()
	if send {
		n += o.Workers*(o.Frame+storedBound(o.Frame)) + o.batches()*o.Batch
	}
	if o.SHA256 {
		n += flatBuffer
	}
	return n
}

// memory takes what a run needs from the pool, and how to give it back.
func (r *run) memory(ctx context.Context) (mem *arena, release func(), err error) {
	b, err := r.opts.Pool.Get(ctx, r.opts.need(r.remote != nil))
	if err != nil {
		return nil, nil, fmt.Errorf("memory to publish with: %w", err)
	}
	return &arena{free: b.Bytes()}, b.Release, nil
}
