package replicate

import (
	"context"

	"golang.org/x/sync/errgroup"

	"loggia/transfer/chunk"
	"loggia/transfer/pack"
)

// maxStreams bounds the requests at once to all sources together, as long as there are fewer sources.
const maxStreams = 12

// fetchAll deals the plan out to the workers of all sources: who is faster takes more. What a
// source left undone is dealt out again.
func (r *run) fetchAll(ctx context.Context, p *plan) error {
	if p.jobs == 0 {
		return nil
	}
	q := newQueue()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.deal(ctx, p, q) })
	streams := max(1, min(r.o.Streams, maxStreams/len(r.o.Sources)))
	for i := range r.o.Sources {
		for range streams {
			g.Go(func() error { return r.work(ctx, i, q) })
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
	if err == nil {
		q.seal()
	}
	return err
}

// work fetches batches from source i until all are done or the source is dropped.
func (r *run) work(ctx context.Context, i int, q *queue) error {
	for r.sources.good(i) {
		b, err := q.take(ctx, func(b *batch) bool { return !b.not[i] })
		if err != nil || b == nil {
			return err
		}
		if !r.sources.good(i) {
			q.again(b)
			break
		}
		if err := r.serve(ctx, i, b, q); err != nil {
			return err
		}
	}
	if !r.sources.left() && !q.finished() {
		return r.sources.none("all were dropped")
	}
	return r.stuck(q)
}

// serve has source i serve one batch as far as it can. Its errors are of the target, or say that
// nobody can go on.
func (r *run) serve(ctx context.Context, i int, b *batch, q *queue) error {
	mark := r.sources.mark(i)
	asked := len(b.want)
	r.report(r.o.Sources[i].Name())
	failed, err := r.fetch(ctx, i, b)
	if err != nil {
		return err
	}
	came := len(b.want) < asked
	if failed == nil {
		r.sources.well(i)
		b.not[i] = true
		return r.settle(b, q)
	}
	rest := r.sources.failed(i, mark, came, failed)
	if err := r.settle(b, q); err != nil || !r.sources.good(i) {
		return err
	}
	return q.rest(ctx, rest)
}

// settle ends a batch, or gives it back.
func (r *run) settle(b *batch, q *queue) error {
	if len(b.want) == 0 {
		q.done()
		return nil
	}
	q.again(b)
	return r.stuck(q)
}

// stuck fails where a batch waits that no good source can serve. Whoever drops a source or gives a
// batch back asks afterwards, so that none waits for ever.
func (r *run) stuck(q *queue) error {
	what, ok := q.stuck(func(b *batch) bool {
		for i := range r.o.Sources {
			if r.sources.good(i) && !b.not[i] {
				return true
			}
		}
		return false
	})
	if !ok {
		return nil
	}
	return r.sources.none(what)
}

// fetch asks a source for a batch and leaves in it what did not come. failed is the source's fault,
// err is the target's or that of ctx.
func (r *run) fetch(ctx context.Context, i int, b *batch) (failed, err error) {
	left := make(map[chunk.ID]bool, len(b.want))
	ids := make([]chunk.ID, len(b.want))
	for n, ref := range b.want {
		ids[n], left[ref.ID] = ref.ID, true
	}
	defer func() { b.keep(left) }()
	return r.ask(ctx, i, ids, b.limit(), delivery{kind: pack.Data, left: left, known: b.known})
}
