package pull

import (
	"cmp"
	"slices"
	"sync"

	"loggia/transfer/idset"
)

// behindSize is how many bytes of small writes wait at most, and as many are being written. Writing begins with behindLeast of them, or
// where so many chunks wait to be there for everybody, of which a second one would be fetched again.
const (
	behindSize   = 4 << 20
	behindLeast  = behindSize / 2
	behindChunks = 1 << 10
)

// behind makes the writes that are too small to go past the page cache, aside and many at once: each has the file for itself, so it waits
// in the kernel for all large ones that are under way, and the next large ones for it. It is safe for use by many goroutines. An error is final.
type behind struct {
	out  *output
	done *idset.Set

	mu      sync.Mutex
	changed sync.Cond // of what follows
	filling *batch
	busy    bool // the other batch is being written
	waiting int  // calls of wait: all that there is is written for them
	ended   bool
	err     error

	work sync.WaitGroup
}

// batch is bytes for the file, and the chunks that are whole there once these are written.
type batch struct {
	buf    []byte
	pieces []piece
	fresh  []placed
}

// piece is bytes of a batch and where they go.
type piece struct {
	lo, hi int
	at     int64
}

// newBehind begins to write. It is to be closed.
func newBehind(out *output, done *idset.Set) *behind {
	b := &behind{out: out, done: done, filling: &batch{buf: make([]byte, 0, behindSize)}}
	b.changed.L = &b.mu
	b.work.Go(b.run)
	return b
}

// store takes bytes for a place in the file, at most behindLeast of them. It keeps no reference to them, and waits while too much waits.
func (b *behind) store(data []byte, at int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.err == nil && len(b.filling.buf)+len(data) > cap(b.filling.buf) {
		b.changed.Wait()
	}
	if b.err != nil {
		return b.err
	}
	f := b.filling
	lo := len(f.buf)
	f.buf = append(f.buf, data...)
	f.pieces = append(f.pieces, piece{lo, len(f.buf), at})
	b.changed.Broadcast()
	return nil
}

// add says that chunks are whole in the file once what was stored before is written: then they are there for everybody.
func (b *behind) add(chunks []placed) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.filling.fresh = append(b.filling.fresh, chunks...)
	b.changed.Broadcast()
	return b.err
}

// wait returns once everything that was given before is written, or can't be.
func (b *behind) wait() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting++
	b.changed.Broadcast()
	defer func() { b.waiting-- }()
	for b.err == nil && (b.busy || !b.filling.empty()) {
		b.changed.Wait()
	}
	return b.err
}

// close ends the writing, of which everything that was given is done then.
func (b *behind) close() error {
	b.mu.Lock()
	b.ended = true
	b.changed.Broadcast()
	b.mu.Unlock()
	b.work.Wait()
	return b.err
}

func (b *behind) run() {
	spare, room := &batch{buf: make([]byte, 0, behindSize)}, make([]byte, 0, behindSize)
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		for !b.ended && (b.filling.empty() || b.waiting == 0 && !b.filling.due()) {
			b.changed.Wait()
		}
		if b.filling.empty() || b.err != nil {
			return
		}
		full := b.filling
		b.filling, b.busy = spare, true
		b.changed.Broadcast()
		b.mu.Unlock()
		err := b.write(full, room)
		full.buf, full.pieces, full.fresh = full.buf[:0], full.pieces[:0], full.fresh[:0]
		spare = full
		b.mu.Lock()
		b.busy, b.err = false, err
		b.changed.Broadcast()
	}
}

// write writes a batch.
func (b *behind) write(full *batch, room []byte) error {
	begin, err := b.writeTogether(full, room)
	if err != nil {
		return err
	}
	if begin {
		startWriteback(b.out.file)
	}
	for _, p := range full.fresh {
		if err := b.done.Add(p.id, uint64(p.at)); err != nil {
			return err
		}
	}
	return nil
}

// writeTogether makes the writes of a batch, neighbours at once, while none goes past the page cache: the kernel would let each wait for
// those, and those for it. It says whether the kernel is to begin with what was written.
func (b *behind) writeTogether(full *batch, room []byte) (begin bool, err error) {
	slices.SortFunc(full.pieces, func(x, y piece) int { return cmp.Compare(x.at, y.at) })
	b.out.past.Lock()
	defer b.out.past.Unlock()
	for rest := full.pieces; len(rest) > 0; {
		at, data := rest[0].at, room[:0]
		for len(rest) > 0 && rest[0].at == at+int64(len(data)) {
			data = append(data, full.buf[rest[0].lo:rest[0].hi]...)
			rest = rest[1:]
		}
		due, err := b.out.put(data, at)
		if err != nil {
			return false, err
		}
		begin = begin || due
	}
	return begin, nil
}

func (b *batch) empty() bool { return len(b.pieces) == 0 && len(b.fresh) == 0 }

func (b *batch) due() bool { return len(b.buf) >= behindLeast || len(b.fresh) >= behindChunks }
