package replicate

import "sync"

// meter counts and reports; it is safe for use by many goroutines.
type meter struct {
	mu sync.Mutex
	p  Progress // guarded by mu
}

// plan adds a frame of the disk that is or is not there.
func (m *meter) plan(stored int64, there bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.p.Total += stored
	if there {
		m.p.Have += stored
	}
}

// sent adds a frame that arrived. Frames that were made anew may be larger in sum than planned.
func (m *meter) sent(stored int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.p.Sent = min(m.p.Sent+stored, m.p.Total-m.p.Have)
}

func (r *run) report(source string) {
	r.mu.Lock()
	if source != "" {
		r.p.Source = source
	}
	p := r.p
	r.mu.Unlock()
	if r.o.Progress != nil {
		r.o.Progress(p)
	}
}
