package replicate

import (
	"cmp"
	"context"
	"slices"
	"time"

	"loggia/transfer/frame"
)

// launch sends off every flight that can be.
func (d *dispatcher) launch(ctx context.Context) error {
	d.attend(ctx)
	for {
		started := false
		for _, s := range d.idle() {
			if len(d.flights) >= maxFlights || s.flying >= d.streams(s) {
				continue
			}
			pieces := d.pick(s)
			if len(pieces) == 0 {
				continue
			}
			if err := d.start(ctx, s, pieces); err != nil {
				return err
			}
			started = true
		}
		if !started {
			return nil
		}
	}
}

// idle returns the sources that may be asked now, the best first.
func (d *dispatcher) idle() (out []*place) {
	used := d.used()
	for _, s := range d.r.places.list() {
		if d.r.places.ready(s) && used[s] {
			out = append(out, s)
		}
	}
	rank(out)
	return out
}

// needed says whether a whole holder may have a piece that waits and that nobody in use has.
func (d *dispatcher) needed(s *place, used map[*place]bool) bool {
	return slices.ContainsFunc(d.open, func(p *piece) bool {
		if p.flights > 0 || len(p.not) == 0 || !d.serves(s, p) {
			return false
		}
		for u := range used {
			if d.serves(u, p) {
				return false
			}
		}
		return true
	})
}

// streams is how many flights at once a source may have.
func (d *dispatcher) streams(s *place) int {
	n := d.r.o.Streams
	if n == 0 && d.doubtful(s) {
		return 1
	}
	if n == 0 {
		n = s.speed.flights()
		if len(d.members) > 0 {
			n = max(2, n*2/3) // a piece that takes long is long of no use to others
		}
	}
	return max(1, min(n, maxFlights/max(1, len(d.used()))))
}

// candidate is a piece that a source may be asked for; the least order comes first.
type candidate struct {
	*piece
	order uint64
}

// pick chooses what a source is asked for next.
func (d *dispatcher) pick(s *place) []*piece {
	var choice []candidate
	switch {
	case s.member != nil:
		choice = d.offered(s)
	case len(d.members) == 0:
		return d.join(s, d.waiting(s))
	default:
		choice = d.dealt(s)
	}
	if len(choice) == 0 {
		return d.more(s)
	}
	slices.SortFunc(choice, func(a, b candidate) int { return cmp.Compare(a.order, b.order) })
	return d.join(s, choice)
}

// waiting returns what a whole holder may be asked for where nobody else makes the copy.
func (d *dispatcher) waiting(s *place) (out []candidate) {
	var stored int64
	for _, p := range d.open {
		if p.flights == 0 && d.serves(s, p) {
			out = append(out, candidate{piece: p})
			if stored += p.stored; stored > mostBatch {
				break
			}
		}
	}
	if len(out) == 0 {
		if p := d.overdue(s); p != nil {
			out = append(out, candidate{piece: p})
		}
	}
	return out
}

// offered returns what a member has, rarest first.
func (d *dispatcher) offered(s *place) (out []candidate) {
	for _, p := range d.open {
		if p.flights == 0 && d.serves(s, p) {
			mine := weight(d.r.o.Region, d.r.o.Disk.Root, p.Piece)
			out = append(out, candidate{p, uint64(d.holders(p))<<56 | mine>>8})
		}
	}
	return out
}

// holders counts the members that have a piece.
func (d *dispatcher) holders(p *piece) (n int) {
	for _, m := range d.members {
		if m.has(p.Piece) {
			n++
		}
	}
	return n
}

// dealt returns the pieces of which we are the designee and that no member has.
func (d *dispatcher) dealt(s *place) (out []candidate) {
	for _, p := range d.open {
		if p.flights == 0 && d.serves(s, p) && d.holders(p) == 0 && d.designee(p.Piece, nil) == nil {
			out = append(out, candidate{p, weight(d.r.o.Region, d.r.o.Disk.Root, p.Piece)})
		}
	}
	return out
}

// more returns what a source is asked for that has nothing of its own to do.
func (d *dispatcher) more(s *place) []*piece {
	if s.member == nil {
		if d.r.quiet() > d.patience() {
			for _, p := range d.open {
				if p.flights == 0 && d.serves(s, p) {
					return []*piece{p}
				}
			}
		}
		if p := d.help(s); p != nil {
			return []*piece{p}
		}
		if p := d.spare(s); p != nil {
			d.spared += p.stored
			return []*piece{p}
		}
	}
	if p := d.overdue(s); p != nil {
		return []*piece{p}
	}
	return nil
}

// help returns the piece that a late member would come to last, if it is ours after it.
func (d *dispatcher) help(s *place) (last *piece) {
	for _, m := range d.members {
		left := 0
		var theirs *piece
		var most uint64
		for _, p := range d.open {
			if p.flights > 0 || !d.serves(s, p) || d.holders(p) > 0 || d.designee(p.Piece, nil) != m {
				continue
			}
			left++
			if w := weight(m.Region(), d.r.o.Disk.Root, p.Piece); w > most && d.designee(p.Piece, m) == nil {
				theirs, most = p, w
			}
		}
		if theirs != nil && d.late(m, left) {
			return theirs
		}
	}
	return nil
}

// spareParts says how much regions together take from whole holders beside their shares, when those have nothing else to do:
// a twelfth of a copy.
const spareParts = 12

// spare returns a piece that waits for members only. Towards the end they have more to send than the whole holders, whose share is
// done: a little from there makes the last region end sooner.
func (d *dispatcher) spare(s *place) (best *piece) {
	if !d.sealed {
		return nil
	}
	left := d.r.total()/int64(spareParts*(1+len(d.members))) - d.spared
	var least uint64
	for _, p := range d.open {
		if p.flights > 0 || p.stored > left || !d.serves(s, p) {
			continue
		}
		if w := weight(d.r.o.Region, d.r.o.Disk.Root, p.Piece); best == nil || w < least {
			best, least = p, w
		}
	}
	return best
}

// A flight is overdue after overdueLeast and when another source would need a third of what it still takes.
const (
	overdueLeast  = 2 * time.Second
	overdueFactor = 3
	overdueBlind  = 10 * time.Second // where nothing is known of the other source
)

// overdue returns a piece of a flight that takes far longer than this source would need: it is asked for twice. All
// other pieces are done or on their way. Of a flight's pieces the last comes first: the flight may yet bring those before it.
func (d *dispatcher) overdue(s *place) *piece {
	if !d.sealed {
		return nil
	}
	now := d.r.places.now()
	for _, p := range slices.Backward(d.open) {
		if p.flights != 1 || !d.serves(s, p) || s.member == nil && d.designee(p.Piece, nil) != nil {
			continue
		}
		f := d.flightOf(p)
		if f == nil || len(d.r.wants.still(p)) == 0 {
			continue
		}
		took := now.Sub(f.began)
		if f.from == s {
			if f.lags(took) {
				return p
			}
			continue
		}
		need, known := s.speed.need(p.stored)
		if !known {
			need = overdueBlind / overdueFactor
		}
		if took > max(overdueLeast, overdueFactor*need) && f.left(took) > overdueFactor*need {
			return p
		}
	}
	return nil
}

// A flight lags behind others from the same source after lagLeast, lagTrips round trips, and three times what it usually takes for the
// bytes that came and for the frame that may be under way: its connection has lost packets and waits for a timer, or has a small window.
// Whoever is merely held back by a limit is as slow as all others from there.
const (
	lagLeast = 300 * time.Millisecond
	lagTrips = 4
)

// lags says whether another connection to the same source would bring sooner what the flight still has to.
func (f *flight) lags(took time.Duration) bool {
	_, rtt := f.from.speed.get()
	need, known := f.from.speed.need(f.bytes.Load() + frame.DefaultTarget)
	return known && took > max(lagLeast, lagTrips*rtt, overdueFactor*need)
}

// left guesses how long the flight still takes.
func (f *flight) left(took time.Duration) time.Duration {
	var stored int64
	for _, p := range f.pieces {
		stored += p.stored
	}
	came := f.bytes.Load()
	if came == 0 {
		return time.Hour
	}
	return time.Duration(float64(took) * float64(max(0, stored-came)) / float64(came))
}

func (d *dispatcher) flightOf(p *piece) *flight {
	for f := range d.flights {
		if slices.Contains(f.pieces, p) {
			return f
		}
	}
	return nil
}

// Of what is left a flight takes at most such a part, so that all ways are busy to the end and members soon have
// something for each other; but never less than leastPortion, as a request has its price.
const (
	parts        = 2 * nearFlights // where nobody else makes the copy
	sharedParts  = 16              // of each region's share
	leastPortion = 512 << 10
)

// portion is how many stored bytes to ask a source for at once.
func (d *dispatcher) portion(s *place) int64 {
	var left int64
	for _, p := range d.open {
		left += p.stored
	}
	n := parts
	if len(d.members) > 0 {
		n = sharedParts * (1 + len(d.members))
	}
	return min(s.speed.batch(), max(leastPortion, left/int64(n)))
}

// join takes as many pieces as one flight to the source carries.
func (d *dispatcher) join(s *place, choice []candidate) (out []*piece) {
	var stored int64
	chunks, portion := 0, d.portion(s)
	for _, c := range choice {
		if len(out) > 0 && (stored+c.stored > portion || chunks+c.chunks > maxChunks) {
			break
		}
		out = append(out, c.piece)
		stored += c.stored
		chunks += c.chunks
	}
	return out
}
