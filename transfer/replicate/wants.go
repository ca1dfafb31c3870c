package replicate

import (
	"sync"

	"loggia/transfer/chunk"
)

// wants is what the flights of a run together wait for. It is safe for use by many goroutines.
type wants struct {
	completed chan struct{} // has one element where done or freed is not empty

	mu    sync.Mutex
	left  map[chunk.ID]*piece // chunks of flying pieces that have not come
	done  []*piece            // pieces that are all there and that nobody was told of
	freed []*piece            // pieces that leave held, and of which nothing is claimed any more
}

func newWants() *wants { return &wants{completed: make(chan struct{}, 1), left: map[chunk.ID]*piece{}} }

// load makes a piece's chunks wanted.
func (w *wants) load(p *piece, ids []chunk.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p.missing = len(ids)
	for _, id := range ids {
		w.left[id] = p
	}
}

// leave ends a flight for a piece; last says that no other is for it, so that what has not come is forgotten. It returns whether a chunk
// lacks that nobody has claimed. Frames hold chunks of several pieces: what another flight has claimed may not be kept yet. Then the
// piece is held, until freed.
func (w *wants) leave(p *piece, last bool) (lacks, held bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ref := range p.want {
		if w.left[ref.ID] != p {
			continue
		}
		lacks = true
		if last {
			delete(w.left, ref.ID)
		}
	}
	p.held = last && p.claimed > 0
	return lacks, p.held
}

// still returns what is wanted of a piece: neither there nor about to be kept.
func (w *wants) still(p *piece) (refs []chunk.Ref) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ref := range p.want {
		if w.left[ref.ID] == p {
			refs = append(refs, ref)
		}
	}
	return refs
}

// any says whether one of the chunks is wanted.
func (w *wants) any(refs []chunk.Ref) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ref := range refs {
		if w.left[ref.ID] != nil {
			return true
		}
	}
	return false
}

// claim takes the chunks for a frame that is about to be kept: whoever else brings them is too late. It returns
// each one's piece.
func (w *wants) claim(refs []chunk.Ref) (pieces []*piece) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ref := range refs {
		if p := w.left[ref.ID]; p != nil {
			delete(w.left, ref.ID)
			p.claimed++
			pieces = append(pieces, p)
		}
	}
	return pieces
}

// kept counts claimed chunks as there; by is the flight that brought them.
func (w *wants) kept(pieces []*piece, by *flight) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range pieces {
		p.claimed--
		if p.missing--; p.missing == 0 {
			p.by = by
			w.done = append(w.done, p)
		}
		w.free(p)
	}
	w.tell()
}

// unkept gives up claimed chunks that were not kept: the frame's flight was called back. Nobody waits for them any more; their pieces
// are read again from the plan when no flight is for them.
func (w *wants) unkept(pieces []*piece) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range pieces {
		p.claimed--
		w.free(p)
	}
	w.tell()
}

// free lets a held piece go of which nothing is claimed any more. w.mu is held.
func (w *wants) free(p *piece) {
	if p.held && p.claimed == 0 {
		p.held = false
		w.freed = append(w.freed, p)
	}
}

// tell says that there is something to take. w.mu is held.
func (w *wants) tell() {
	if len(w.done)+len(w.freed) > 0 {
		select {
		case w.completed <- struct{}{}:
		default:
		}
	}
}

// take returns the pieces that are all there, and those that are not held any more, since the last call.
func (w *wants) take() (done, freed []*piece) {
	w.mu.Lock()
	defer w.mu.Unlock()
	done, freed = w.done, w.freed
	w.done, w.freed = nil, nil
	return done, freed
}
