package replicate

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"loggia/transfer/chunk"
	"loggia/transfer/pack"
)

// The measures of one request: enough to keep a long link full with a few of them, and little
// enough that a lost one costs seconds.
const (
	batchStored = 8 << 20 // stored bytes of the frames asked for
	batchChunks = 4 << 10
)

// batch is what one request asks for.
type batch struct {
	want   []chunk.ID
	known  vouched
	stored int64
	not    map[int]bool // sources that lack a part of it
}

func newBatch() *batch { return &batch{known: vouched{}, not: map[int]bool{}} }

func (b *batch) add(j job) {
	b.want = append(b.want, j.want...)
	b.known[j.frame.ID] = j.frame.Chunks
	b.stored += int64(j.frame.Stored)
}

func (b *batch) full() bool { return b.stored >= batchStored || len(b.want) >= batchChunks }

// errDropped ends a source's workers and no others.
var errDropped = errors.New("source dropped")

// fetchAll deals the plan out to the workers of all sources: who is faster takes more. What a
// dropped source left undone is dealt out again.
func (r *run) fetchAll(ctx context.Context, p *plan) error {
	if p.jobs == 0 {
		return nil
	}
	q := newQueue()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.deal(ctx, p, q) })
	for i := range r.o.Sources {
		for range r.o.Streams {
			g.Go(func() error {
				err := r.work(ctx, i, q)
				if errors.Is(err, errDropped) {
					return nil
				}
				return err
			})
		}
	}
	return g.Wait()
}

// deal cuts the plan into batches.
func (r *run) deal(ctx context.Context, p *plan, q *queue) error {
	b := newBatch()
	err := p.read(func(j job) error {
		b.add(j)
		if !b.full() {
			return nil
		}
		full := b
		b = newBatch()
		return q.put(ctx, full)
	})
	if err == nil && len(b.want) > 0 {
		err = q.put(ctx, b)
	}
	q.seal()
	return err
}

// work fetches batches from source i until all are done or the source is dropped.
func (r *run) work(ctx context.Context, i int, q *queue) error {
	src := r.o.Sources[i]
	for {
		b, err := q.take(ctx, func(b *batch) bool { return !b.not[i] })
		if err != nil || b == nil {
			return err
		}
		if !r.sources.good(i) {
			return r.giveBack(b, q)
		}
		r.report(src.Name())
		missing, err := r.fetch(ctx, src, b)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case err != nil && !sourceFault(err):
			return err
		case err != nil:
			if !r.sources.drop(i, err) {
				return fmt.Errorf("%w: %w", ErrNoSource, r.sources.err())
			}
			return r.giveBack(b, q)
		case len(missing) > 0:
			b.want, b.not[i] = missing, true
			q.again(b)
			if err := r.stuck(q); err != nil {
				return err
			}
		default:
			q.done()
		}
	}
}

// giveBack leaves a batch of a dropped source to the others.
func (r *run) giveBack(b *batch, q *queue) error {
	q.again(b)
	if err := r.stuck(q); err != nil {
		return err
	}
	return errDropped
}

// stuck fails where a batch waits that no good source can still serve.
func (r *run) stuck(q *queue) error {
	b := q.find(func(b *batch) bool {
		for j := range r.o.Sources {
			if r.sources.good(j) && !b.not[j] {
				return false
			}
		}
		return true
	})
	if b == nil {
		return nil
	}
	return fmt.Errorf("%w: %d chunks, the first is %s: %w", ErrNoSource, len(b.want), b.want[0].Short(), r.sources.err())
}

// fault wraps errors of the target, which no other source can cure.
type fault struct{ error }

func (f fault) Unwrap() error { return f.error }

func sourceFault(err error) bool {
	var f fault
	return !errors.As(err, &f) || errors.Is(err, ErrLied)
}

// fetch asks a source for a batch and returns what did not come.
func (r *run) fetch(ctx context.Context, src Source, b *batch) ([]chunk.ID, error) {
	left := make(map[chunk.ID]bool, len(b.want))
	for _, id := range b.want {
		left[id] = true
	}
	_, err := src.Fetch(ctx, b.want, func(stored []byte, refs []chunk.Ref) error {
		held, err := r.accept(ctx, pack.Data, stored, refs, b.known, nil)
		if err != nil {
			return fault{err}
		}
		for _, ref := range held {
			delete(left, ref.ID)
		}
		r.sent(int64(len(stored)))
		r.report("")
		return nil
	})
	if err != nil {
		// What arrived is kept; only the rest is asked for again.
		b.want = remaining(b.want, left)
		return nil, err
	}
	return remaining(b.want, left), nil
}

func remaining(want []chunk.ID, left map[chunk.ID]bool) []chunk.ID {
	var out []chunk.ID
	for _, id := range want {
		if left[id] {
			out = append(out, id)
		}
	}
	return out
}
