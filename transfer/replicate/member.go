package replicate

import (
	"context"
	"time"
)

// The patience with members. Where flights take long, it grows with them.
const (
	leastPatience = 8 * time.Second
	mostPatience  = time.Minute

	maxDeaf    = 2           // questions in a row that a member does not answer, and it counts as dead
	hearAgain  = time.Second // after a question that failed
	hearWithin = 15 * time.Second
)

// member is a region that makes the same copy: what we know of it. It belongs to the dispatcher.
type member struct {
	Member
	have   map[int64]uint32 // pieces, by span
	since  time.Time        // when we first knew of it
	gained time.Time        // when it last announced something
	deaf   int              // questions in a row that failed
	own    int              // pieces gained of which it is the designee, the first announcement aside
	from   time.Time        // of the first announcement
}

func newMember(m Member, now time.Time) *member {
	return &member{Member: m, have: map[int64]uint32{}, since: now, gained: now}
}

func (m *member) has(p Piece) bool { return m.have[p.Span]&(1<<p.Group) != 0 }

// live says whether it answers.
func (m *member) live() bool { return m.deaf < maxDeaf }

// hearing is the answer to one question.
type hearing struct {
	from  *place
	fresh bool // all heard before is void
	have  Have
	err   error
}

// listen asks a member for its pieces until ctx ends.
func (d *dispatcher) listen(ctx context.Context, s *place) {
	var mark Mark
	for ctx.Err() == nil {
		asked, cancel := context.WithTimeout(ctx, hearWithin)
		h, err := s.member.Have(asked, mark)
		cancel()
		fresh := err == nil && h.Epoch != mark.Epoch
		if err == nil {
			mark = h.Mark
		}
		select {
		case d.heard <- hearing{s, fresh, h, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			pause(ctx, nil, hearAgain)
		}
	}
}

// hear takes an answer in.
func (d *dispatcher) hear(h hearing) {
	m := h.from.member
	if h.err != nil {
		if m.deaf++; m.deaf == maxDeaf {
			d.leave(h.from)
		}
		return
	}
	m.deaf = 0
	now := d.r.places.now()
	if h.fresh {
		clear(m.have)
		m.own, m.from = 0, now
	}
	news := false
	for _, s := range h.have.Spans {
		was := m.have[s.Span]
		if was|s.Mask == was || was == 0 && len(m.have) >= maxMemberSpans {
			continue
		}
		m.have[s.Span] = was | s.Mask
		news = true
		if !h.fresh {
			m.own += d.owned(m, s.Span, s.Mask&^was)
		}
	}
	if news {
		m.gained = now
	}
}

// maxMemberSpans bounds what a member may announce: a disk of 64 TiB.
const maxMemberSpans = 1 << 20

// owned counts the pieces that a member is the designee of.
func (d *dispatcher) owned(m *member, span int64, mask uint32) (n int) {
	for g := range uint8(maxGroups) {
		if mask&(1<<g) != 0 && d.designee(Piece{span, g}, nil) == m {
			n++
		}
	}
	return n
}

// leave ends the flights to a member that does not answer: others do their work.
func (d *dispatcher) leave(s *place) {
	for f := range d.flights {
		if f.from == s {
			f.cancel(errGone)
		}
	}
}

// patience is how long to wait for what a member is to do.
func (d *dispatcher) patience() time.Duration {
	return min(mostPatience, max(leastPatience, 3*d.usual))
}

// fit says whether a member does its share.
func (d *dispatcher) fit(m *member) bool {
	return m.live() && d.r.places.now().Sub(m.gained) <= d.patience()
}

// designee is the fit member that is to fetch a piece from a whole holder; nil: we are. but is left out.
func (d *dispatcher) designee(p Piece, but *member) *member {
	var who *member
	best := weight(d.r.o.Region, d.r.o.Disk.Root, p)
	for _, m := range d.members {
		if m == but {
			continue
		}
		if w := weight(m.Region(), d.r.o.Disk.Root, p); w > best {
			who, best = m, w
		}
	}
	return who
}

// late says whether a member will come to its pieces so late that it is worth while to help it.
func (d *dispatcher) late(m *member, left int) bool {
	took := d.r.places.now().Sub(m.from)
	if m.own == 0 {
		return took > d.patience()
	}
	return time.Duration(float64(left)*float64(took)/float64(m.own)) > 2*d.patience()
}
