package chunk

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Piece is a chunk or a hole of a span. Pieces come in order and without gaps.
type Piece struct {
	Hole   bool
	ID     ID    // of a chunk
	Offset int64 // from the begin of the span, in bytes
	Length int
}

// Source is guest bytes and what is known of their holes, as diskformat.Disk has them.
type Source interface {
	io.ReaderAt
	// NextData returns the first run of bytes at or after off that may hold data; what lies
	// between off and start reads as zeros. At the end start is at or beyond the disk's size.
	NextData(off int64) (start, end int64, err error)
}

// Dense is a Source that knows nothing of its holes: every byte is read.
type Dense struct{ io.ReaderAt }

// NextData says that everything may be data.
func (Dense) NextData(off int64) (start, end int64, err error) { return off, 1<<63 - 1, nil }

// Cutter cuts spans, one at a time, for one goroutine. Its memory is the buffer it was given.
type Cutter struct {
	params Params
	limits thresholds
	buf    []byte

	// The run of data being cut is buf[lo:hi], and begins at offset begin of the span.
	// Before it lies a hole of hole bytes that is not emitted yet; only one of the two is non-empty
	// when a block is looked at.
	lo, hi int
	begin  int64
	hole   int64
	emit   func(Piece, []byte) error

	cut    []Piece // that are hashed together, at most together
	hasher Hasher
}

// together is how many chunks are hashed before they are emitted.
const together = 16

// NewCutter makes a Cutter that works in buf, which is at least p.BufferSize() long. The longer
// it is, the longer the reads: a MiB above the least is enough.
func NewCutter(p Params, buf []byte) (*Cutter, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if len(buf) < p.BufferSize() {
		return nil, fmt.Errorf("%w: buffer of %d bytes, want at least %d", ErrParams, len(buf), p.BufferSize())
	}
	return &Cutter{params: p, limits: p.thresholds(), buf: buf}, nil
}

// Span cuts the span that begins at guest address start and has length bytes: Params.Span, or
// fewer where the disk ends. It calls emit for each piece, with the bytes of a chunk (valid until
// emit returns) and its id, or nil for a hole, and stops at its first error. The pieces depend on the bytes
// alone, not on src's hints or on the buffer.
func (c *Cutter) Span(ctx context.Context, src Source, start, length int64, emit func(p Piece, data []byte) error) error {
	if start < 0 || length < 0 || uint64(start)%c.params.Span != 0 || uint64(length) > c.params.Span {
		return fmt.Errorf("%w: span at %d of %d bytes", ErrParams, start, length)
	}
	c.lo, c.hi, c.begin, c.hole, c.emit = 0, 0, 0, 0, emit
	defer func() { c.emit = nil }()
	for pos := int64(0); pos < length; {
		if err := ctx.Err(); err != nil {
			return err
		}
		next, stop, err := c.plan(src, start, pos, length)
		if err != nil {
			return err
		}
		if next > pos {
			if err := c.skip(next - pos); err != nil {
				return err
			}
			pos = next
			continue
		}
		b := c.room(stop - pos)
		if n, err := src.ReadAt(b, start+pos); n < len(b) {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("read %d bytes at %d: %w", len(b), start+pos, err)
		}
		if err := c.take(b); err != nil {
			return err
		}
		pos += int64(len(b))
	}
	return c.finish()
}

// plan asks src what lies at pos. Either next is above pos, and the blocks up to it are zeros, or
// the blocks from pos up to stop are worth reading. Both are at block borders or at length.
func (c *Cutter) plan(src Source, start, pos, length int64) (next, stop int64, err error) {
	from, to, err := src.NextData(start + pos)
	if err != nil {
		return 0, 0, fmt.Errorf("find data at %d: %w", start+pos, err)
	}
	if from >= start+length {
		return length, length, nil
	}
	block := int64(c.params.HoleBlock)
	next = max(pos, (from-start)&^(block-1))
	if to >= start+length {
		return next, length, nil
	}
	stop = min(length, (to-start+block-1)&^(block-1))
	return next, max(stop, min(length, next+block)), nil
}

// room returns the part of the buffer to read into: whole blocks, or all of want. It first moves
// the data not yet cut to the front.
func (c *Cutter) room(want int64) []byte {
	if c.lo > 0 {
		copy(c.buf, c.buf[c.lo:c.hi])
		c.lo, c.hi = 0, c.hi-c.lo
	}
	free := (len(c.buf) - c.hi) &^ (int(c.params.HoleBlock) - 1)
	return c.buf[c.hi : c.hi+int(min(want, int64(free)))]
}

// take looks at the blocks of b, which lies in the buffer right behind the data not yet cut.
func (c *Cutter) take(b []byte) error {
	at := c.hi
	for len(b) > 0 {
		n := min(len(b), int(c.params.HoleBlock))
		if isZero(b[:n]) {
			if err := c.skip(int64(n)); err != nil {
				return err
			}
		} else {
			if err := c.flushHole(); err != nil {
				return err
			}
			if c.lo == c.hi {
				c.lo, c.hi = at, at
			}
			c.hi += n
		}
		at += n
		b = b[n:]
	}
	return c.cutWhile(int(c.params.Max))
}

// skip adds n bytes of zeros: the run of data before them ends here.
func (c *Cutter) skip(n int64) error {
	if err := c.cutWhile(1); err != nil {
		return err
	}
	c.hole += n
	return nil
}

func (c *Cutter) finish() error {
	if err := c.cutWhile(1); err != nil {
		return err
	}
	return c.flushHole()
}

func (c *Cutter) flushHole() error {
	if c.hole == 0 {
		return nil
	}
	p := Piece{Hole: true, Offset: c.begin, Length: int(c.hole)}
	c.begin += c.hole
	c.hole = 0
	return c.emit(p, nil)
}

// cutWhile emits chunks as long as at least enough bytes are left of the run.
func (c *Cutter) cutWhile(enough int) error {
	for c.hi-c.lo >= enough {
		if err := c.emitSome(enough); err != nil {
			return err
		}
	}
	return nil
}

// emitSome cuts a few chunks, hashes them together and emits them.
func (c *Cutter) emitSome(enough int) error {
	at := c.lo
	c.cut = c.cut[:0]
	for c.hi-c.lo >= enough && len(c.cut) < together {
		n := c.params.cut(c.buf[c.lo:c.hi], c.limits)
		c.cut = append(c.cut, Piece{Offset: c.begin, Length: n})
		c.hasher.Add(c.buf[c.lo : c.lo+n])
		c.lo += n
		c.begin += int64(n)
	}
	for i, id := range c.hasher.IDs() {
		p := c.cut[i]
		p.ID = id
		if err := c.emit(p, c.buf[at:at+p.Length:at+p.Length]); err != nil {
			return err
		}
		at += p.Length
	}
	return nil
}
