package pull

import (
	"context"
	"errors"

	"loggia/transfer/chunk"
)

// lookLocally puts in place what the unfinished file or this pull already has, and passes the rest on.
func (p *puller) lookLocally(ctx context.Context, spans <-chan span, missing chan<- *job) error {
	l := &local{gatherer: newGatherer(p), buf: make([]byte, max(stretchSize, p.root.Params.Max))}
	for s := range spans {
		if err := l.lookAt(ctx, s, missing); err != nil {
			return err
		}
		p.report()
	}
	return nil
}

// local looks for chunks in what is at hand. It is for one goroutine.
type local struct {
	*gatherer
	buf     []byte // room for the longest chunk, and for a stretch
	stretch stretch
	hasher  chunk.Hasher
}

func (l *local) lookAt(ctx context.Context, s span, missing chan<- *job) error {
	next := newJob(l.jobLimit())
	miss := func(ref chunk.Ref, at int64) { next.add(s.number, ref, at) }
	at := s.number * l.root.Shape().Span
	l.out.allocate(at, s.leaf)
	for _, e := range s.leaf.Entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		ref := chunk.Ref{ID: e.ID, Length: e.Length}
		if e.Hole() {
			if err := l.out.hole(at, int64(e.Length)); err != nil {
				return err
			}
		} else if err := l.look(ref, at, miss); err != nil {
			return err
		}
		at += int64(e.Length)
		if next.full() {
			if err := pass(ctx, next, missing); err != nil {
				return err
			}
			next = newJob(l.jobLimit())
		}
	}
	if err := errors.Join(l.takeStretch(miss), l.flush()); err != nil {
		return err
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

// look puts one chunk in place at guest offset at, if it can be had here, now or with others of its stretch; otherwise it is given to missing.
func (l *local) look(ref chunk.Ref, at int64, missing func(ref chunk.Ref, at int64)) error {
	off, ok, err := l.done.Get(ref.ID)
	if err != nil {
		return err
	}
	if ok && int64(off) == at {
		return nil // this run has checked and written it
	}
	b := l.buf[:ref.Length]
	if l.out.used && l.out.holds(b, ref.ID, at) {
		l.resumed.Add(int64(len(b)))
		if ok {
			return nil
		}
		return l.done.Add(ref.ID, uint64(at))
	}
	if ok && l.out.holds(b, ref.ID, int64(off)) {
		l.seeded.Add(int64(len(b)))
		return l.write(b, at)
	}
	return l.lookAhead(ahead{ref, at, ok}, missing)
}

// lookAhead adds a chunk to the stretch where the seed is said to hold it.
func (l *local) lookAhead(c ahead, missing func(ref chunk.Ref, at int64)) error {
	if l.seed == nil {
		missing(c.Ref, c.at)
		return nil
	}
	off, ok, err := l.seed.Get(c.ID)
	if err != nil {
		return err
	}
	if !ok {
		missing(c.Ref, c.at)
		return nil
	}
	if !l.stretch.takes(c, int64(off)) {
		if err := l.takeStretch(missing); err != nil {
			return err
		}
	}
	l.stretch.add(c, int64(off))
	return nil
}
