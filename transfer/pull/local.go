package pull

import (
	"context"
	"fmt"

	"loggia/transfer/chunk"
)

// indexSeed cuts the seed with the disk's parameters and remembers where each chunk is.
func (p *puller) indexSeed(ctx context.Context) error {
	if p.o.Seed == nil {
		return nil
	}
	params := p.root.Params
	cut, err := chunk.NewCutter(params, make([]byte, params.BufferSize()+2<<20))
	if err != nil {
		return err
	}
	size := p.o.Seed.Size()
	for start := int64(0); start < size; start += int64(params.Span) {
		err := cut.Span(ctx, p.o.Seed, start, min(int64(params.Span), size-start), func(piece chunk.Piece, data []byte) error {
			if piece.Hole {
				return nil
			}
			return p.seed.Add(chunk.Hash(data), uint64(start+piece.Offset))
		})
		if err != nil {
			return fmt.Errorf("read seed: %w", err)
		}
	}
	return nil
}

// lookLocally puts in place what the unfinished file, the seed or this pull already has, and
// passes the rest on.
func (p *puller) lookLocally(ctx context.Context, spans <-chan span, jobs chan<- fetchJob) error {
	buf := make([]byte, p.root.Params.Max)
	for s := range spans {
		job := fetchJob{want: Want{Span: s.number}, places: map[chunk.ID][]int64{}, length: map[chunk.ID]uint32{}}
		at := s.number * p.root.Shape().Span
		for _, e := range s.leaf.Entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			if e.Hole() {
				if err := p.out.hole(at, int64(e.Length)); err != nil {
					return err
				}
			} else if ok, err := p.have(buf, chunk.Ref{ID: e.ID, Length: e.Length}, at); err != nil {
				return err
			} else if !ok {
				if _, twice := job.places[e.ID]; !twice {
					job.want.IDs = append(job.want.IDs, e.ID)
					job.length[e.ID] = e.Length
				}
				job.places[e.ID] = append(job.places[e.ID], at)
			}
			at += int64(e.Length)
		}
		p.report()
		if len(job.want.IDs) == 0 {
			continue
		}
		select {
		case jobs <- job:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// have puts one chunk in place at guest offset at, if it can be had here.
func (p *puller) have(buf []byte, ref chunk.Ref, at int64) (bool, error) {
	b := buf[:ref.Length]
	if p.out.resumed {
		if n, err := p.out.file.ReadAt(b, at); err == nil && n == len(b) && chunk.Hash(b) == ref.ID {
			p.resumed.Add(int64(len(b)))
			return true, p.done.Add(ref.ID, uint64(at))
		}
	}
	if off, ok, err := p.done.Get(ref.ID); err != nil {
		return false, err
	} else if ok {
		if n, err := p.out.file.ReadAt(b, int64(off)); err == nil && n == len(b) && chunk.Hash(b) == ref.ID {
			p.seeded.Add(int64(len(b)))
			return true, p.out.write(b, at)
		}
	}
	off, ok, err := p.seed.Get(ref.ID)
	if err != nil || !ok {
		return false, err
	}
	// The seed may have changed since it was indexed: what does not match is fetched.
	if n, err := p.o.Seed.ReadAt(b, int64(off)); n < len(b) || (err != nil && n < len(b)) || chunk.Hash(b) != ref.ID {
		return false, nil
	}
	p.seeded.Add(int64(len(b)))
	return true, p.out.write(b, at)
}
