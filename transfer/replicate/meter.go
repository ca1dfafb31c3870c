package replicate

import (
	"sync"

	"loggia/transfer/pack"
)

// meter counts and reports; it is safe for use by many goroutines.
type meter struct {
	tell func(Progress)

	mu sync.Mutex
	p  Progress // guarded by mu
}

// begin says how much there is of the disk.
func (m *meter) begin(total int64) { m.change(func(p *Progress) { p.Total = total }) }

// there adds what needs not be fetched.
func (m *meter) there(stored int64) { m.change(func(p *Progress) { p.Have += stored }) }

// kept adds a frame that arrived. Frames that were made anew may be larger in sum than planned.
func (m *meter) kept(kind pack.Kind, stored int64) {
	m.change(func(p *Progress) {
		p.Wire += stored
		if kind == pack.Data {
			p.Sent = min(p.Sent+stored, p.Total-p.Have)
		}
	})
}

// wasted adds a frame that was not kept.
func (m *meter) wasted(stored int64) { m.change(func(p *Progress) { p.Wire += stored }) }

// end says that everything is there: where parts were sent, less than planned had to come.
func (m *meter) end() { m.change(func(p *Progress) { p.Have = p.Total - p.Sent }) }

// report names the source that is asked.
func (m *meter) report(source string) { m.change(func(p *Progress) { p.Source = source }) }

// change tells under the lock, so that what is told never goes backwards.
func (m *meter) change(fn func(*Progress)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fn(&m.p)
	if m.tell != nil {
		m.tell(m.p)
	}
}
