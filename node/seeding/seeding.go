// Package seeding keeps the copies that this node is making, so that other regions can be sent what is there of them.
package seeding

import (
	"context"
	"sync"
	"time"

	"loggia/gallery"
	"loggia/transfer/chunk"
	"loggia/transfer/index"
	"loggia/transfer/replicate"
	"loggia/transfer/serve"
)

// haveWait is how long a question for pieces may wait for an answer that is not empty.
const haveWait = 3 * time.Second

// Registry holds the copies under way. It is safe for use by many goroutines.
type Registry struct {
	mu    sync.Mutex
	seeds map[gallery.DiskID]*Seed
}

// New returns an empty registry.
func New() *Registry { return &Registry{seeds: map[gallery.DiskID]*Seed{}} }

// Seed is one copy under way: what its writer has so far. It is a serve.Holding whose parts end with it: then nothing
// is found any more.
type Seed struct {
	serve.Holding
	share *replicate.Share
	r     *Registry
	disk  gallery.DiskID

	mu    sync.RWMutex // held while things are looked up
	ended bool         // guarded by mu
}

// Begin makes a copy known; End it before what h stands on. A disk of which this node makes several is sent from the one begun last.
func (r *Registry) Begin(disk gallery.DiskID, h serve.Holding, share *replicate.Share) *Seed {
	s := &Seed{Holding: h, share: share, r: r, disk: disk}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seeds[disk] = s
	return s
}

// Of returns the copy of a disk; nil: none is being made here.
func (r *Registry) Of(disk gallery.DiskID) *Seed {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seeds[disk]
}

// Have returns the pieces of a disk announced after m. It waits a few seconds for some; a disk of which no copy is made has none.
func (r *Registry) Have(ctx context.Context, disk gallery.DiskID, m replicate.Mark) replicate.Have {
	if s := r.Of(disk); s != nil {
		return s.share.Since(ctx, m, haveWait)
	}
	// Whoever asks thinks that a copy will begin: not again at once.
	t := time.NewTimer(haveWait / 3)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return replicate.Have{Mark: m}
}

// End forgets the copy. When it returns nobody looks anything up in it; what was found before can still be read, or is
// missing.
func (s *Seed) End() {
	s.r.mu.Lock()
	if s.r.seeds[s.disk] == s {
		delete(s.r.seeds, s.disk)
	}
	s.r.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}

// LookupAll implements serve.Holding.
func (s *Seed) LookupAll(ids []chunk.ID, found func(i int, loc index.Location) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.ended {
		return nil
	}
	return s.Holding.LookupAll(ids, found)
}
