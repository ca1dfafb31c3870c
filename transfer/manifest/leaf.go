package manifest

import (
	"encoding/binary"
	"fmt"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
)

// Entry is one chunk or one hole of a span.
type Entry struct {
	ID     chunk.ID // zero for a hole
	Length uint32   // bytes
}

// Hole says whether the entry is a hole.
func (e Entry) Hole() bool { return e.ID.IsZero() }

// Leaf lists one span in order of address. A span that is all hole has no leaf. Build one with
// AddChunk and AddHole; a decoded one is not changed, since it may be shared.
type Leaf struct {
	Entries []Entry
}

// AddChunk appends a chunk.
func (l *Leaf) AddChunk(ref chunk.Ref) {
	l.Entries = append(l.Entries, Entry{ID: ref.ID, Length: ref.Length})
}

// AddHole appends length bytes of hole; a hole before it grows.
func (l *Leaf) AddHole(length uint32) {
	if n := len(l.Entries); n > 0 && l.Entries[n-1].Hole() {
		l.Entries[n-1].Length += length
		return
	}
	if length > 0 {
		l.Entries = append(l.Entries, Entry{Length: length})
	}
}

// Sums counts the leaf's data bytes and chunk entries.
func (l *Leaf) Sums() Sums {
	var s Sums
	for _, e := range l.Entries {
		if !e.Hole() {
			s = s.add(Sums{Bytes: int64(e.Length), Count: 1})
		}
	}
	return s
}

// Distinct returns the leaf's chunks without repetitions, in order of first use: the numbering
// that frame tables refer to (from 1).
func (l *Leaf) Distinct() []chunk.Ref { return l.numbered().refs }

// numbered are a leaf's distinct chunks.
type numbered struct {
	refs   []chunk.Ref
	number map[chunk.ID]uint64 // in refs, from 1
}

func (l *Leaf) numbered() numbered {
	n := numbered{make([]chunk.Ref, 0, len(l.Entries)), make(map[chunk.ID]uint64, len(l.Entries))}
	for _, e := range l.Entries {
		if e.Hole() || n.number[e.ID] > 0 {
			continue
		}
		n.refs = append(n.refs, chunk.Ref{ID: e.ID, Length: e.Length})
		n.number[e.ID] = uint64(len(n.refs))
	}
	return n
}

// Encode returns the leaf's bytes, after checking that it is a leaf for a span of length bytes of a
// disk cut with p. Errors: ErrInvalid, ErrLimit.
func (l *Leaf) Encode(p chunk.Params, length int64) ([]byte, error) {
	if err := l.check(p, length); err != nil {
		return nil, err
	}
	b := appendHeader(make([]byte, 0, headerSize+4+len(l.Entries)*(digest.Size+4)), magicLeaf)
	b = binary.AppendUvarint(b, uint64(len(l.Entries)))
	for _, e := range l.Entries {
		v := uint64(e.Length) << 1
		if e.Hole() {
			v |= 1
		}
		b = binary.AppendUvarint(b, v)
	}
	for _, e := range l.Entries {
		if !e.Hole() {
			b = append(b, e.ID[:]...)
		}
	}
	if len(b) > MaxNode {
		return nil, fmt.Errorf("%w: leaf of %d entries", ErrLimit, len(l.Entries))
	}
	return b, nil
}

// DecodeLeaf reads what Encode writes for the same arguments and refuses all else.
func DecodeLeaf(b []byte, p chunk.Params, length int64) (*Leaf, error) {
	d := decoder{b: b}
	d.header(magicLeaf)
	n := d.count(1)
	if n > (len(d.b)+16)/17 { // no two holes in a row: at least every other entry has an id
		d.fail("%d entries announced in %d bytes", n, len(d.b))
		return nil, d.err
	}
	l := &Leaf{Entries: make([]Entry, n)}
	holes := make([]bool, len(l.Entries))
	for i := range l.Entries {
		v := d.uvarint()
		if v>>1 > uint64(max(length, 0)) {
			d.fail("entry of %d bytes", v>>1)
		}
		l.Entries[i].Length, holes[i] = uint32(v>>1), v&1 == 1
	}
	for i, hole := range holes {
		if hole {
			continue
		}
		if l.Entries[i].ID = d.digest(); l.Entries[i].Hole() {
			d.fail("chunk without id")
		}
	}
	if err := d.end(); err != nil {
		return nil, err
	}
	if err := l.check(p, length); err != nil {
		return nil, err
	}
	return l, nil
}

// check holds the leaf to the rules of the format.
func (l *Leaf) check(p chunk.Params, length int64) error {
	var at int64
	data, hole := false, false
	for _, e := range l.Entries {
		end := at + int64(e.Length)
		switch {
		case e.Length == 0:
			return invalid("entry without bytes at %d", at)
		case end > length:
			return invalid("entries reach beyond the span's %d bytes", length)
		case e.Hole() && hole:
			return invalid("two holes in a row at %d", at)
		case e.Hole() && (at%int64(p.HoleBlock) != 0 || end%int64(p.HoleBlock) != 0 && end != length):
			return invalid("hole from %d to %d is no multiple of %d", at, end, p.HoleBlock)
		case !e.Hole() && e.Length > p.Max:
			return invalid("chunk of %d bytes, the greatest is %d", e.Length, p.Max)
		}
		hole = e.Hole()
		data = data || !hole
		at = end
	}
	if at != length {
		return invalid("entries are %d bytes, the span is %d", at, length)
	}
	if !data {
		return invalid("leaf without a chunk")
	}
	return nil
}
