package replicate

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"loggia/transfer/chunk"
	"loggia/transfer/pack"
)

// maxChunks bounds the chunks that one flight asks for.
const maxChunks = 4 << 10

// The reasons for which a flight is called back. None is the source's fault alone.
var (
	errSlow  = errors.New("others were faster")
	errTwice = errors.New("another request to the source was faster")
	errGone  = errors.New("the source is gone")
)

// flight is one request to one source.
type flight struct {
	from   *place
	pieces []*piece
	ids    []chunk.ID
	known  vouched
	limit  int64
	began  time.Time
	mark   int // of places
	bytes  atomic.Int64
	cancel context.CancelCauseFunc
}

// landing is how a flight ended: failed is the source's fault, err is the target's or that of ctx.
type landing struct {
	*flight
	failed, err error
	took        time.Duration
}

// start sends a flight off.
func (d *dispatcher) start(ctx context.Context, s *place, pieces []*piece) error {
	f := &flight{from: s, known: vouched{}, limit: 1 << 20, began: d.r.places.now(), mark: d.r.places.mark(s)}
	for _, p := range pieces {
		if err := d.board(f, p); err != nil {
			return err
		}
	}
	if len(f.ids) == 0 { // all there already
		return nil
	}
	ctx, f.cancel = context.WithCancelCause(ctx)
	d.flights[f] = true
	s.flying++
	d.r.asked(s, 1)
	d.work.Go(func() {
		defer f.cancel(nil)
		failed, err := d.r.ask(ctx, s, f.ids, f.limit, delivery{kind: pack.Data, known: f.known, takes: &carried{d.r, f}})
		d.landed <- landing{f, failed, err, d.r.places.now().Sub(f.began)}
	})
	return nil
}

// board adds a piece to a flight; its chunks are read from the plan for its first one. A piece of which everything came
// by accident is done.
func (d *dispatcher) board(f *flight, p *piece) error {
	if p.flights == 0 {
		if err := d.load(p); err != nil {
			return err
		}
	}
	refs := d.r.wants.still(p)
	if len(refs) == 0 {
		return nil
	}
	for id, chunks := range p.known {
		f.known[id] = chunks
	}
	for _, ref := range refs {
		f.ids = append(f.ids, ref.ID)
		f.limit += 2*int64(ref.Length) + 128
	}
	p.flights++
	f.pieces = append(f.pieces, p)
	return nil
}

// load reads what is missing of a piece.
func (d *dispatcher) load(p *piece) error {
	jobs, err := d.plan.read(p)
	if err != nil {
		return err
	}
	p.want, p.known = nil, vouched{}
	for _, j := range jobs {
		p.known[j.frame.ID] = j.frame.Chunks
		p.want = append(p.want, j.want...)
	}
	want := ids(p.want)
	if p.tried {
		if want, err = d.r.target.Missing(want); err != nil {
			return err
		}
		p.want = only(p.want, want)
	}
	p.tried = true
	d.r.wants.load(p, want)
	if len(want) == 0 {
		d.finish(p)
	}
	return nil
}

func ids(refs []chunk.Ref) []chunk.ID {
	ids := make([]chunk.ID, len(refs))
	for i, ref := range refs {
		ids[i] = ref.ID
	}
	return ids
}

// only returns those of refs that ids names, in the same order.
func only(refs []chunk.Ref, ids []chunk.ID) []chunk.Ref {
	kept := refs[:0]
	for _, ref := range refs {
		if len(ids) > 0 && ref.ID == ids[0] {
			kept, ids = append(kept, ref), ids[1:]
		}
	}
	return kept
}

// land takes a flight's end in.
func (d *dispatcher) land(l landing) error {
	s := l.from
	delete(d.flights, l.flight)
	s.flying--
	d.r.asked(s, -1)
	if l.err != nil && !errors.Is(l.err, errSlow) && !errors.Is(l.err, errTwice) && !errors.Is(l.err, errGone) {
		return l.err
	}
	d.came()
	d.judge(l)
	for _, p := range l.pieces {
		if p.done {
			p.flights--
			continue
		}
		last := p.flights == 1
		lacks, held := d.r.wants.leave(p, last)
		if lacks && l.failed == nil && l.err == nil {
			p.not[s] = lack{d.r.places.now(), p.not[s].times + 1}
		}
		if !held {
			p.flights--
		}
		if last {
			p.want, p.known = nil, nil
		}
	}
	return nil
}

// came takes in what flights have brought.
func (d *dispatcher) came() {
	done, freed := d.r.wants.take()
	for _, p := range freed {
		p.flights--
	}
	d.finish(done...)
}

// judge says what a flight tells of its source.
func (d *dispatcher) judge(l landing) {
	places, bytes := d.r.places, l.bytes.Load()
	switch {
	case errors.Is(l.err, errGone), errors.Is(l.err, errTwice):
	case errors.Is(l.err, errSlow):
		places.overtaken(l.from)
	case l.failed != nil:
		places.failed(l.from, l.mark, bytes > 0, l.failed)
		d.r.again(l.from, places.fault(l.from))
		return
	default:
		places.well(l.from)
		l.from.speed.done(bytes, l.took, places.now())
		if bytes >= least {
			d.usual += (l.took - d.usual) / 4
		}
		return
	}
	d.r.again(l.from, places.fault(l.from))
}

// carried is what a flight brings.
type carried struct {
	r *run
	f *flight
}

// wants implements taker.
func (c *carried) wants(refs []chunk.Ref) bool { return c.r.wants.any(refs) }

// keep implements taker.
func (c *carried) keep(refs []chunk.Ref, stored int, add func(lane uint64) error) error {
	pieces := c.r.wants.claim(refs)
	if len(pieces) == 0 { // another flight was faster
		c.r.wasted(c.f.from, int64(stored))
		return nil
	}
	if err := add(pieces[0].lane()); err != nil {
		c.r.wants.unkept(pieces)
		return err
	}
	c.f.bytes.Add(int64(stored))
	c.r.kept(c.f.from, pack.Data, int64(stored))
	c.r.wants.kept(pieces, c.f)
	return nil
}

// String names a piece in errors.
func (p *piece) String() string { return fmt.Sprintf("piece %d of span %d", p.Group, p.Span) }
