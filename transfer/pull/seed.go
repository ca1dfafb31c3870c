package pull

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"loggia/transfer/chunk"
	"loggia/transfer/idset"
	"loggia/transfer/manifest"
)

// askKnown learns where the seed is said to hold what.
func (p *puller) askKnown(ctx context.Context) error {
	if p.o.Seed == nil || p.o.Known == nil {
		return nil
	}
	set := idset.New(p.o.TempDir, idsInMemory)
	var full error
	err := p.o.Known.Chunks(ctx, func(ref chunk.Ref, at int64) error {
		full = set.Add(ref.ID, uint64(at))
		return full
	})
	if err == nil {
		p.seed = set
		return nil
	}
	set.Close()
	if full != nil {
		return full
	}
	return ctx.Err() // the seed is cut instead
}

// takeSeed cuts the seed with the disk's parameters and writes the chunks that the disk has to their
// first place. A chunk is hashed and written from the same bytes, so it is of no matter whether the
// seed changes meanwhile.
func (p *puller) takeSeed(ctx context.Context, nodes *spool) error {
	first := idset.New(p.o.TempDir, idsInMemory)
	defer first.Close()
	err := manifest.Walk(ctx, nodes, p.root, func(n int64, leaf *manifest.Leaf) error {
		if err := p.add(span{n, leaf}); err != nil {
			return err
		}
		at := n * p.root.Shape().Span
		for _, e := range leaf.Entries {
			if !e.Hole() {
				if _, err := first.AddNew(e.ID, uint64(at)); err != nil {
					return err
				}
			}
			at += int64(e.Length)
		}
		return nil
	})
	if err == nil {
		err = nodes.rewind()
	}
	if err != nil {
		return refuse(err)
	}
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range p.o.Workers {
		g.Go(func() error { return p.cutSeed(ctx, &next, first) })
	}
	if err := g.Wait(); err != nil || p.aside == nil {
		return err
	}
	return p.aside.wait() // what was put there is read as well
}

// cutSeed takes spans of the seed until there are none left.
func (p *puller) cutSeed(ctx context.Context, next *atomic.Int64, first *idset.Set) error {
	params := p.root.Params
	cut, err := chunk.NewCutter(params, make([]byte, params.BufferSize()+1<<20))
	if err != nil {
		return err
	}
	w := newGatherer(p)
	size, span := p.o.Seed.Size(), int64(params.Span)
	for {
		start := (next.Add(1) - 1) * span
		if start >= size {
			return w.flush()
		}
		err := cut.Span(ctx, p.o.Seed, start, min(span, size-start), func(piece chunk.Piece, data []byte) error {
			if piece.Hole {
				return nil
			}
			return p.fromSeed(piece.ID, data, first, w)
		})
		if err != nil {
			return fmt.Errorf("take from seed: %w", err)
		}
		p.report()
	}
}

// fromSeed writes a chunk, unless it is of no use or was written before.
func (p *puller) fromSeed(id chunk.ID, data []byte, first *idset.Set, w *gatherer) error {
	at, ok, err := first.Get(id)
	if err != nil || !ok {
		return err
	}
	if fresh, err := p.done.AddNew(id, at); err != nil || !fresh {
		return err
	}
	p.seeded.Add(int64(len(data)))
	return w.write(data, int64(at))
}
