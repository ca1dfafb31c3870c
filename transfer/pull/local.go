package pull

import (
	"context"

	"loggia/transfer/chunk"
)

// lookLocally puts in place what the unfinished file or this pull already has, and passes the rest on.
func (p *puller) lookLocally(ctx context.Context, spans <-chan span, missing chan<- *job) error {
	buf := make([]byte, p.root.Params.Max)
	for s := range spans {
		if err := p.lookAt(ctx, buf, s, missing); err != nil {
			return err
		}
		p.report()
	}
	return nil
}

func (p *puller) lookAt(ctx context.Context, buf []byte, s span, missing chan<- *job) error {
	next := newJob(p.jobLimit())
	at := s.number * p.root.Shape().Span
	for _, e := range s.leaf.Entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		ref := chunk.Ref{ID: e.ID, Length: e.Length}
		if e.Hole() {
			if err := p.out.hole(at, int64(e.Length)); err != nil {
				return err
			}
		} else if ok, err := p.have(buf[:e.Length], ref.ID, at); err != nil {
			return err
		} else if !ok {
			next.add(s.number, ref, at)
		}
		at += int64(e.Length)
		if next.full() {
			if err := pass(ctx, next, missing); err != nil {
				return err
			}
			next = newJob(p.jobLimit())
		}
	}
	return pass(ctx, next, missing)
}

func pass(ctx context.Context, j *job, missing chan<- *job) error {
	if len(j.want) == 0 {
		return nil
	}
	select {
	case missing <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// have puts one chunk in place at guest offset at, if it can be had here. b has the chunk's length.
func (p *puller) have(b []byte, id chunk.ID, at int64) (bool, error) {
	off, ok, err := p.done.Get(id)
	if err != nil {
		return false, err
	}
	if ok && int64(off) == at {
		return true, nil // this run has checked and written it
	}
	if p.out.used && p.out.holds(b, id, at) {
		p.resumed.Add(int64(len(b)))
		if ok {
			return true, nil
		}
		return true, p.done.Add(id, uint64(at))
	}
	if ok && p.out.holds(b, id, int64(off)) {
		p.seeded.Add(int64(len(b)))
		return true, p.out.write(b, at)
	}
	return false, nil
}
