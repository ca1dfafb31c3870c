package pull

import (
	"context"

	"loggia/transfer/chunk"
)

// lookLocally puts in place what the unfinished file or this pull already has, and passes the rest on.
func (p *puller) lookLocally(ctx context.Context, spans <-chan span, missing chan<- *job) error {
	l := &local{gatherer: newGatherer(p), buf: make([]byte, p.root.Params.Max)}
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
	buf []byte // room for the longest chunk
}

func (l *local) lookAt(ctx context.Context, s span, missing chan<- *job) error {
	next := newJob(l.jobLimit())
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
		} else if ok, err := l.have(l.buf[:e.Length], ref.ID, at); err != nil {
			return err
		} else if !ok {
			next.add(s.number, ref, at)
		}
		at += int64(e.Length)
		if next.full() {
			if err := pass(ctx, next, missing); err != nil {
				return err
			}
			next = newJob(l.jobLimit())
		}
	}
	if err := l.flush(); err != nil {
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

// have puts one chunk in place at guest offset at, if it can be had here. b has the chunk's length.
func (l *local) have(b []byte, id chunk.ID, at int64) (bool, error) {
	off, ok, err := l.done.Get(id)
	if err != nil {
		return false, err
	}
	if ok && int64(off) == at {
		return true, nil // this run has checked and written it
	}
	if l.out.used && l.out.holds(b, id, at) {
		l.resumed.Add(int64(len(b)))
		if ok {
			return true, nil
		}
		return true, l.done.Add(id, uint64(at))
	}
	if ok && l.out.holds(b, id, int64(off)) {
		l.seeded.Add(int64(len(b)))
		return true, l.write(b, at)
	}
	return l.fromKnown(b, id, at, ok)
}

// fromKnown takes a chunk from where the seed is said to hold it.
func (l *local) fromKnown(b []byte, id chunk.ID, at int64, twice bool) (bool, error) {
	if l.seed == nil {
		return false, nil
	}
	off, ok, err := l.seed.Get(id)
	if err != nil || !ok {
		return false, err
	}
	if l.out.layout == nil && l.end() == at { // read where it is written from
		room, err := l.room(len(b))
		if err != nil {
			return false, err
		}
		if cap(room) >= len(b) {
			b = room[:len(b)]
		}
	}
	if n, _ := l.o.Seed.ReadAt(b, int64(off)); n < len(b) || chunk.Hash(b) != id {
		return false, nil // the seed was changed
	}
	l.seeded.Add(int64(len(b)))
	if err := l.write(b, at); err != nil {
		return false, err
	}
	if !twice {
		l.wrote(id, at)
	}
	return true, nil
}
