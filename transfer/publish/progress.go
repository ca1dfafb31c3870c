package publish

import (
	"sync"
)

// meter adds up what was done and tells whoever asked.
type meter struct {
	mu   sync.Mutex
	now  Progress
	tell func(Progress)
}

// add counts and tells; fn is never called by two goroutines at once.
func (m *meter) add(d Progress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.BytesRead += d.BytesRead
	m.now.DataBytes += d.DataBytes
	m.now.SentStored += d.SentStored
	if m.tell != nil {
		m.tell(m.now)
	}
}
