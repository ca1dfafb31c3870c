package replicate

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// maxOpen is how many pieces may be known and not fetched, some 200 bytes each: the survey waits then.
	maxOpen = 4 << 10
	// pulse is how often time alone changes what can be done.
	pulse = 100 * time.Millisecond
	// refreshEvery is how often the sources are asked for.
	refreshEvery = time.Second
)

// dispatcher decides who is asked for what. All its fields are of the one goroutine that runs it.
type dispatcher struct {
	r    *run
	plan *plan

	open    []*piece // not done, in the order of the disk
	sealed  bool     // no more will come
	flights map[*flight]bool
	members []*member     // of good places
	usual   time.Duration // that a flight takes
	spared  int64         // stored bytes that whole holders sent beside our share
	hasted  bool          // the target knows that little is left

	looked time.Time // when the sources were last asked for
	strays []*place  // members that nobody listens to yet

	landed chan landing
	heard  chan hearing
	work   sync.WaitGroup
}

func newDispatcher(r *run, p *plan) *dispatcher {
	return &dispatcher{r: r, plan: p, flights: map[*flight]bool{}, looked: r.places.now(),
		// Whatever is under way can end while the dispatcher does.
		landed: make(chan landing, 2*maxFlights), heard: make(chan hearing)}
}

// run fetches what comes through found until that is closed and everything is there. Every goroutine that
// it began has ended when it returns.
func (d *dispatcher) run(ctx context.Context, found <-chan []*piece) error {
	ctx, cancel := context.WithCancel(ctx)
	defer d.end(cancel)
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	for {
		if err := d.launch(ctx); err != nil {
			return err
		}
		if d.sealed && len(d.open) == 0 {
			return d.settle()
		}
		d.hasten()
		if err := d.stuck(); err != nil {
			return err
		}
		in := found
		if len(d.open) >= maxOpen {
			in = nil
		}
		select {
		case pieces, ok := <-in:
			if !ok {
				d.sealed, found = true, nil
			}
			d.open = append(d.open, pieces...)
		case l := <-d.landed:
			if err := d.land(l); err != nil {
				return err
			}
		case h := <-d.heard:
			d.hear(h)
		case <-d.r.wants.completed:
			d.came()
		case <-tick.C:
			d.look()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// hasten tells the target once that all that is left is on its way.
func (d *dispatcher) hasten() {
	if d.sealed && !d.hasted && !slices.ContainsFunc(d.open, func(p *piece) bool { return p.flights == 0 }) {
		d.hasted = true
		d.r.target.Hasten()
	}
}

// grace is how long a flight that has brought everything may take to say so, which leaves its connection usable.
const grace = 250 * time.Millisecond

// settle waits a moment for the flights that have nothing more to bring.
func (d *dispatcher) settle() error {
	t := time.NewTimer(grace)
	defer t.Stop()
	for len(d.flights) > 0 {
		select {
		case l := <-d.landed:
			if err := d.land(l); err != nil {
				return err
			}
		case <-t.C:
			return nil
		}
	}
	return nil
}

// end calls back what is under way and waits for it.
func (d *dispatcher) end(cancel context.CancelFunc) {
	cancel()
	d.work.Wait()
	for f := range d.flights {
		d.r.asked(f.from, -1)
	}
}

// look asks for the sources, now and then.
func (d *dispatcher) look() {
	if now := d.r.places.now(); d.r.o.Refresh != nil && now.Sub(d.looked) >= refreshEvery {
		d.looked = now
		d.refresh(d.r.o.Refresh())
	}
}

func (d *dispatcher) refresh(sources []Source) {
	for _, s := range d.r.places.refresh(sources) {
		if s.member != nil {
			d.strays = append(d.strays, s)
		}
	}
	for f := range d.flights {
		if d.r.places.away(f.from) {
			f.cancel(errGone)
		}
	}
}

// attend listens to members that are new, and finds those that do their share.
func (d *dispatcher) attend(ctx context.Context) {
	for _, s := range d.strays {
		d.work.Go(func() { d.listen(ctx, s) })
	}
	d.strays = nil
	d.members = d.members[:0]
	for _, s := range d.r.places.list() {
		if s.member != nil && d.r.places.good(s) && d.fit(s.member) {
			d.members = append(d.members, s.member)
		}
	}
}

// finish ends pieces: they are told of, and what else is under way for them is called back.
func (d *dispatcher) finish(pieces ...*piece) {
	if len(pieces) == 0 {
		return
	}
	for _, p := range pieces {
		p.done = true
		d.r.o.Share.add(p.Span, 1<<p.Group)
	}
	kept := d.open[:0]
	for _, p := range d.open {
		if !p.done {
			kept = append(kept, p)
		}
	}
	clear(d.open[len(kept):])
	d.open = kept
	for f := range d.flights {
		if by := f.beaten(pieces); by != nil && by.from == f.from {
			f.cancel(errTwice)
		} else if by != nil {
			f.cancel(errSlow)
		}
	}
}

// beaten returns the flight that has brought the last of what this one was for; nil: there is none, or it was this one. The pieces have
// just been done.
func (f *flight) beaten(just []*piece) (by *flight) {
	for _, p := range f.pieces {
		if !p.done {
			return nil
		}
		if slices.Contains(just, p) {
			if p.by == f {
				return nil
			}
			by = p.by
		}
	}
	return by
}

// stuck fails where a piece waits that nobody can serve: at once where there are only whole holders, after a while
// where a member may still come to have it.
func (d *dispatcher) stuck() error {
	whole, member := false, false
	for _, s := range d.r.places.list() {
		if d.r.places.good(s) {
			whole = whole || s.member == nil
			member = member || s.member != nil && s.member.live()
		}
	}
	if !whole && (!member || d.r.quiet() > 3*d.patience()) {
		return d.r.places.none("all were dropped")
	}
	now := d.r.places.now()
	for _, p := range d.open {
		switch {
		case p.flights > 0 || whole && len(p.not) == 0 || d.served(p):
			p.lone = time.Time{}
			continue
		case p.lone.IsZero():
			p.lone = now
		}
		if !member || now.Sub(p.lone) >= 3*d.patience() {
			return d.r.places.none(p.String())
		}
	}
	return nil
}

// served says whether somebody good has a piece.
func (d *dispatcher) served(p *piece) bool {
	for _, s := range d.r.places.list() {
		if d.r.places.good(s) && d.serves(s, p) {
			return true
		}
	}
	return false
}

// A member that turns out to lack what it announced is asked again for that after doubt, and maxDoubts times in all.
const (
	doubt     = 5 * time.Second
	maxDoubts = 3
)

// serves says whether a source can be asked for a piece, as far as we know.
func (d *dispatcher) serves(s *place, p *piece) bool {
	l := p.not[s]
	if s.member == nil {
		return l.times == 0
	}
	return s.member.live() && s.member.has(p.Piece) &&
		(l.times == 0 || l.times < maxDoubts && d.r.places.now().Sub(l.since) > doubt)
}
