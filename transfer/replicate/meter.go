package replicate

import (
	"slices"
	"sync"
	"time"

	"loggia/transfer/pack"
)

// Progress is how far the copy is, in stored bytes. Numbers never fall, and at the end Have and Sent
// make Total.
type Progress struct {
	Total   int64 // of all frames that hold the disk's chunks, counted in every span that lists them
	Have    int64 // of these, what needs not be fetched
	Sent    int64 // fetched and kept
	Wire    int64 // frames that arrived, those of tree nodes too
	Wasted  int64 // of Wire, what was of no use: another source was faster, or nobody had asked for it
	Retries int   // requests that were made again, to the same source or another
	Source  string
	Sources []SourceProgress // those that were asked so far; not to be changed
}

// SourceProgress is what came from one source.
type SourceProgress struct {
	Name     string
	Bytes    int64  // of Wire
	InFlight int    // requests under way
	Failed   string // why it is not asked any more; empty: it is
}

// meter counts and reports; it is safe for use by many goroutines.
type meter struct {
	tell func(Progress)
	now  func() time.Time

	mu   sync.Mutex
	p    Progress       // guarded by mu
	last time.Time      // guarded by mu; when a frame was last kept
	at   map[*place]int // guarded by mu; places in p.Sources
}

// begin says how much there is of the disk.
func (m *meter) begin(total int64) { m.change(func(p *Progress) { p.Total = total }) }

// there adds what needs not be fetched. Parts that were sent may have been counted for more than they were planned.
func (m *meter) there(stored int64) {
	m.change(func(p *Progress) { p.Have = min(p.Have+stored, p.Total-p.Sent) })
}

// kept adds a frame that arrived. Frames that were made anew may be larger in sum than planned.
func (m *meter) kept(s *place, kind pack.Kind, stored int64) {
	m.change(func(p *Progress) {
		m.last = m.now()
		m.source(s, func(e *SourceProgress) { e.Bytes += stored })
		p.Wire += stored
		if kind == pack.Data {
			p.Sent = min(p.Sent+stored, p.Total-p.Have)
		}
	})
}

// wasted adds a frame that was not kept.
func (m *meter) wasted(s *place, stored int64) {
	m.change(func(p *Progress) {
		p.Wire += stored
		p.Wasted += stored
		m.source(s, func(e *SourceProgress) { e.Bytes += stored })
	})
}

// asked counts a request that begins or ends.
func (m *meter) asked(s *place, n int) {
	m.change(func(p *Progress) {
		if n > 0 {
			p.Source = s.Name()
		}
		m.source(s, func(e *SourceProgress) { e.InFlight += n })
	})
}

// again counts a request that is made again; fault says why its source is not asked any more.
func (m *meter) again(s *place, fault string) {
	m.change(func(p *Progress) {
		p.Retries++
		m.source(s, func(e *SourceProgress) { e.Failed = fault })
	})
}

// total is what there is of the disk.
func (m *meter) total() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.p.Total
}

// quiet says since when nothing was kept.
func (m *meter) quiet() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now().Sub(m.last)
}

// end says that everything is there: where parts were sent, less than planned had to come.
func (m *meter) end() { m.change(func(p *Progress) { p.Have = p.Total - p.Sent }) }

// source changes the entry of a source in a list of its own, since the old one was told. m.mu is held.
func (m *meter) source(s *place, fn func(*SourceProgress)) {
	list := slices.Clone(m.p.Sources)
	i, ok := m.at[s]
	if !ok {
		i = len(list)
		m.at[s] = i
		list = append(list, SourceProgress{Name: s.Name()})
	}
	fn(&list[i])
	m.p.Sources = list
}

// change tells under the lock, so that what is told never goes backwards.
func (m *meter) change(fn func(*Progress)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fn(&m.p)
	if m.tell != nil {
		m.tell(m.p)
	}
}
