package replicate

import "slices"

// maxWhole is how many whole holders are asked at once. The others stand by: so whoever has had the disk longest, whom
// everybody knows, is spared where there are newer copies, which sources come first in their list.
const maxWhole = 3

// used returns the members and the whole holders that are chosen, and of those that stand by whoever has what none of them has: a
// holder may have lost something.
func (d *dispatcher) used() map[*place]bool {
	out := map[*place]bool{}
	var whole []*place
	for _, s := range d.r.places.list() {
		switch {
		case !d.r.places.good(s):
		case s.member == nil:
			whole = append(whole, s)
		default:
			out[s] = true
		}
	}
	chosen, standing := d.choose(whole)
	for _, s := range chosen {
		out[s] = true
	}
	for _, s := range standing {
		if d.needed(s, out) {
			out[s] = true
		}
	}
	return out
}

// muchFaster is how many times as fast a source must be to go before a nearer one.
const muchFaster = 2

// choose says which of the good whole holders are asked: the first ones. Where distances are said the first are the nearest, and
// measurements may know better: the slowest makes place for one that is known to be much faster. Of those that stand by the nearest that is not
// measured is tried beside them, with one request at once.
func (d *dispatcher) choose(whole []*place) (chosen, standing []*place) {
	n := min(maxWhole, len(whole))
	chosen, standing = whole[:n:n], whole[n:]
	if len(standing) == 0 || !slices.ContainsFunc(whole, (*place).said) {
		return chosen, standing
	}
	chosen, standing = slices.Clone(chosen), slices.Clone(standing)
	for i, s := range standing {
		rate, _ := s.speed.get()
		if rate == 0 {
			return append(chosen, s), slices.Delete(standing, i, i+1)
		}
		if at := d.slowest(chosen); at >= 0 && rate > muchFaster*chosen[at].speed.lately(d.r.places.now()) {
			chosen[at], standing[i] = s, chosen[at]
		}
	}
	return chosen, standing
}

// slowest is the place of the slowest in a list, of those that were measured lately; negative: none was.
func (d *dispatcher) slowest(list []*place) int {
	at, least := -1, 0.0
	for i, s := range list {
		if rate := s.speed.lately(d.r.places.now()); rate > 0 && (at < 0 || rate < least) {
			at, least = i, rate
		}
	}
	return at
}

// said says whether the source's distance is.
func (s *place) said() bool { return s.far.Load() != 0 }

// doubtful says whether a whole holder is farther than another one that is asked, and nothing is measured of it: it shows with one request at
// once what it can do.
func (d *dispatcher) doubtful(s *place) bool {
	if rate, _ := s.speed.get(); rate != 0 || s.member != nil {
		return false
	}
	for u := range d.used() {
		if u.member == nil && CompareDistance(u.far.Load(), s.far.Load()) < 0 {
			return true
		}
	}
	return false
}
