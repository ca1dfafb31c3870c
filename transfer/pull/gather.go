package pull

import (
	"unsafe"

	"loggia/transfer/chunk"
)

// gatherSize is the most bytes that are written at once, and uncachedLeast the fewest that go past the page cache: below it a
// request to the disk costs more than copying the bytes into pages.
const (
	gatherSize    = 1 << 20
	uncachedLeast = 128 << 10
)

// gatherer makes one write of bytes that are neighbours in the file. Where the output allows it whole blocks go to the disk past
// the page cache, the rest of a first and a last block through it: no block is ever written both ways. It is for one goroutine.
type gatherer struct {
	*puller
	buf   []byte // begins at a multiple of blockSize; bytes lie in it as they do in a block of the file
	at    int64  // where buf[skip] goes in the file
	skip  int    // at modulo blockSize
	n     int    // bytes held
	fresh []placed
}

// placed is a chunk that lies in the file once what is held is written.
type placed struct {
	id chunk.ID
	at int64 // guest offset
}

func newGatherer(p *puller) *gatherer {
	room := make([]byte, gatherSize+2*blockSize)
	ahead := -int(uintptr(unsafe.Pointer(unsafe.SliceData(room)))) & (blockSize - 1)
	return &gatherer{puller: p, buf: room[ahead : ahead+gatherSize+blockSize]}
}

// write takes guest bytes for a guest offset. They are copied, unless they lie in room, so they may change as soon as it returns.
func (g *gatherer) write(b []byte, at int64) error {
	for len(b) > 0 {
		off, n, ok := g.out.where(at, int64(len(b)))
		if !ok {
			return errNoPlace
		}
		if err := g.add(b[:n], off); err != nil {
			return err
		}
		b, at = b[n:], at+n
	}
	return nil
}

// end is the place in the file behind what is held.
func (g *gatherer) end() int64 { return g.at + int64(g.n) }

// room returns memory for n bytes that are given to write next, as a slice of no length: written from there, at end, they need not
// be copied. Where the gatherer has no such room it is shorter.
func (g *gatherer) room(n int) ([]byte, error) {
	if g.skip+g.n+n > len(g.buf) {
		if err := g.put(false); err != nil {
			return nil, err
		}
	}
	return g.buf[g.skip+g.n : g.skip+g.n], nil
}

// wrote notes that a chunk was given to write, at a guest offset.
func (g *gatherer) wrote(id chunk.ID, at int64) { g.fresh = append(g.fresh, placed{id, at}) }

// add takes bytes for a place in the file.
func (g *gatherer) add(b []byte, off int64) error {
	if off != g.end() {
		if err := g.put(true); err != nil {
			return err
		}
	}
	for len(b) > 0 {
		if g.n == 0 {
			g.at, g.skip = off, int(off%blockSize)
		}
		m := move(g.buf[g.skip+g.n:], b)
		g.n += m
		b, off = b[m:], off+int64(m)
		if g.skip+g.n == len(g.buf) {
			if err := g.put(false); err != nil {
				return err
			}
		}
	}
	return nil
}

// move is copy for bytes that may be where they belong already.
func move(to, from []byte) int {
	if len(to) > 0 && unsafe.SliceData(to) == unsafe.SliceData(from) {
		return min(len(to), len(from))
	}
	return copy(to, from)
}

// flush gives away all that is held: once it is written the chunks that were noted are there for everybody.
func (g *gatherer) flush() error {
	if err := g.put(true); err != nil {
		return err
	}
	defer func() { g.fresh = g.fresh[:0] }()
	if g.aside != nil {
		return g.aside.add(g.fresh)
	}
	for _, p := range g.fresh {
		if err := g.done.Add(p.id, uint64(p.at)); err != nil {
			return err
		}
	}
	return nil
}

// store writes what does not go past the page cache.
func (g *gatherer) store(b []byte, off int64) error {
	if g.aside != nil && len(b) <= uncachedLeast+blockSize {
		return g.aside.store(b, off)
	}
	return g.out.store(b, off)
}

// put writes what is held, but for a last block that is not whole, unless that too is asked for.
func (g *gatherer) put(all bool) error {
	b, off := g.buf[g.skip:g.skip+g.n], g.at
	if head := min(-g.skip&(blockSize-1), len(b)); head > 0 {
		if err := g.store(b[:head], off); err != nil {
			return err
		}
		b, off = b[head:], off+int64(head)
	}
	if whole := len(b) &^ (blockSize - 1); whole >= uncachedLeast {
		if err := g.out.writeBlocks(b[:whole], off); err != nil {
			return err
		}
		b, off = b[whole:], off+int64(whole)
	}
	if all && len(b) > 0 {
		if err := g.store(b, off); err != nil {
			return err
		}
		b = nil
	}
	g.n = copy(g.buf, b)
	g.at, g.skip = off, 0
	return nil
}
