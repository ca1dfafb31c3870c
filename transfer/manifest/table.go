package manifest

import (
	"encoding/binary"
	"fmt"
	"math"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
)

// Frame is a frame as a table lists it: what it unpacks to. It says nothing of places.
type Frame struct {
	ID     digest.Digest // SHA-256 of its stored bytes
	Stored uint32        // length of the stored bytes
	Chunks []chunk.Ref   // what it unpacks to, in order
}

// Plain is the frame's unpacked length in bytes.
func (f Frame) Plain() int64 {
	var n int64
	for _, c := range f.Chunks {
		n += int64(c.Length)
	}
	return n
}

// TableLeaf lists the frames that hold one span's chunks. Frame i holds the first distinct chunk of
// the span that no frame before it holds; together they hold all.
type TableLeaf struct {
	Frames []Frame
}

// NewTableLeaf chooses the frames for a leaf: find names a frame that holds the chunk. It is asked
// once for each frame needed.
func NewTableLeaf(leaf *Leaf, find func(chunk.Ref) (Frame, error)) (*TableLeaf, error) {
	covered := make(map[chunk.ID]bool)
	t := &TableLeaf{}
	for _, ref := range leaf.Distinct() {
		if covered[ref.ID] {
			continue
		}
		f, err := find(ref)
		if err != nil {
			return nil, err
		}
		for _, c := range f.Chunks {
			covered[c.ID] = true
		}
		if !covered[ref.ID] {
			return nil, invalid("frame %s does not hold chunk %s", f.ID.Short(), ref.ID.Short())
		}
		t.Frames = append(t.Frames, f)
	}
	return t, nil
}

// Sums counts the frames listed and their stored bytes.
func (t *TableLeaf) Sums() Sums {
	var s Sums
	for _, f := range t.Frames {
		s = s.add(Sums{Bytes: int64(f.Stored), Count: 1})
	}
	return s
}

// Encode returns the leaf's node and the continuations that it names, in order. It checks that t is
// a table for leaf. Errors: ErrInvalid, ErrLimit.
func (t *TableLeaf) Encode(leaf *Leaf) (node []byte, parts [][]byte, err error) {
	n := leaf.numbered()
	if err := t.check(n); err != nil {
		return nil, nil, err
	}
	return t.encode(n.number)
}

func (t *TableLeaf) encode(number map[chunk.ID]uint64) (node []byte, parts [][]byte, err error) {
	runs := cut(t.Frames, number)
	if len(runs)-1 > maxParts {
		return nil, nil, fmt.Errorf("%w: %d frames in the table of one span", ErrLimit, len(t.Frames))
	}
	node = appendHeader(nil, magicTableLeaf)
	node = binary.AppendUvarint(node, uint64(len(runs)-1))
	for _, run := range runs[1:] {
		part := appendHeader(nil, magicTablePart)
		part = binary.AppendUvarint(part, uint64(run.frames))
		part = append(part, run.bytes...)
		id := digest.Of(part)
		node = append(node, id[:]...)
		parts = append(parts, part)
	}
	node = binary.AppendUvarint(node, uint64(runs[0].frames))
	return append(node, runs[0].bytes...), parts, nil
}

// run is the frames of one node.
type run struct {
	frames int
	bytes  []byte
}

// cut deals the frames out to nodes; there is at least one run.
func cut(frames []Frame, number map[chunk.ID]uint64) []run {
	runs := make([]run, 1)
	var b []byte
	for _, f := range frames {
		b = appendFrame(b[:0], f, number)
		last := &runs[len(runs)-1]
		if last.frames > 0 && len(last.bytes)+len(b) > maxPartBytes {
			runs = append(runs, run{})
			last = &runs[len(runs)-1]
		}
		last.frames++
		last.bytes = append(last.bytes, b...)
	}
	return runs
}

func appendFrame(b []byte, f Frame, number map[chunk.ID]uint64) []byte {
	b = append(b, f.ID[:]...)
	b = binary.AppendUvarint(b, uint64(f.Stored))
	b = binary.AppendUvarint(b, uint64(len(f.Chunks)))
	for _, c := range f.Chunks {
		k := number[c.ID]
		b = binary.AppendUvarint(b, k)
		if k == 0 {
			b = append(b, c.ID[:]...)
			b = binary.AppendUvarint(b, uint64(c.Length))
		}
	}
	return b
}

// check holds the table to the rules of the format, n being the leaf's chunks.
func (t *TableLeaf) check(n numbered) error {
	covered := make([]bool, len(n.refs))
	next := 0
	for _, f := range t.Frames {
		if err := f.check(n, covered); err != nil {
			return err
		}
		if next == len(covered) || !covered[next] {
			return invalid("frame %s is of no use or out of order", f.ID.Short())
		}
		for next < len(covered) && covered[next] {
			next++
		}
	}
	if next < len(covered) {
		return invalid("no frame for chunk %s", n.refs[next].ID.Short())
	}
	return nil
}

// check also marks which of the leaf's chunks the frame covers.
func (f Frame) check(n numbered, covered []bool) error {
	if f.ID.IsZero() || f.Stored == 0 || len(f.Chunks) == 0 {
		return invalid("frame %s stores %d bytes of %d chunks", f.ID.Short(), f.Stored, len(f.Chunks))
	}
	if len(f.Chunks) > MaxFrameChunks || f.Plain() > MaxFramePlain {
		return fmt.Errorf("%w: frame %s of %d chunks, %d bytes", ErrLimit, f.ID.Short(), len(f.Chunks), f.Plain())
	}
	for _, c := range f.Chunks {
		k := n.number[c.ID]
		if c.Length == 0 || c.ID.IsZero() || k > 0 && c.Length != n.refs[k-1].Length {
			return invalid("chunk %s of %d bytes in frame %s", c.ID.Short(), c.Length, f.ID.Short())
		}
		if k > 0 {
			covered[k-1] = true
		}
	}
	return nil
}

// DecodeTableLeaf reads a table leaf's node, for which it needs the span's manifest leaf. more names
// the continuations that hold the rest of the frames: DecodeTablePart reads each. The whole is only
// checked by ReadTableLeaf.
func DecodeTableLeaf(b []byte, leaf *Leaf) (t *TableLeaf, more []chunk.ID, err error) {
	return decodeTableLeaf(b, leaf.Distinct())
}

// DecodeTablePart reads a continuation and appends its frames to t.
func DecodeTablePart(b []byte, leaf *Leaf, t *TableLeaf) error {
	return decodeTablePart(b, leaf.Distinct(), t)
}

func decodeTableLeaf(b []byte, refs []chunk.Ref) (*TableLeaf, []chunk.ID, error) {
	d := decoder{b: b}
	d.header(magicTableLeaf)
	more := make([]chunk.ID, d.count(digest.Size))
	if len(more) > maxParts {
		return nil, nil, fmt.Errorf("%w: %d continuations", ErrLimit, len(more))
	}
	for i := range more {
		more[i] = d.digest()
	}
	t := &TableLeaf{}
	d.frames(refs, t)
	return t, more, d.end()
}

func decodeTablePart(b []byte, refs []chunk.Ref, t *TableLeaf) error {
	d := decoder{b: b}
	d.header(magicTablePart)
	d.frames(refs, t)
	return d.end()
}

// frames takes a counted list of frames. A frame is at least 35 bytes.
func (d *decoder) frames(refs []chunk.Ref, t *TableLeaf) {
	for range d.count(digest.Size + 3) {
		f := Frame{ID: d.digest()}
		stored := d.uvarint()
		if stored > math.MaxUint32 {
			d.fail("frame of %d stored bytes", stored)
		}
		f.Stored = uint32(stored)
		n := d.count(1)
		if n > MaxFrameChunks {
			d.fail("frame of %d chunks", n)
		}
		if d.err != nil {
			return
		}
		f.Chunks = make([]chunk.Ref, n)
		for i := range f.Chunks {
			f.Chunks[i] = d.chunk(refs)
		}
		t.Frames = append(t.Frames, f)
	}
}

func (d *decoder) chunk(refs []chunk.Ref) chunk.Ref {
	k := d.uvarint()
	switch {
	case k > uint64(len(refs)):
		d.fail("chunk number %d of %d", k, len(refs))
	case k > 0:
		return refs[k-1]
	default:
		ref := chunk.Ref{ID: d.digest()}
		n := d.uvarint()
		if n > chunk.MaxChunk {
			d.fail("chunk of %d bytes", n)
		}
		ref.Length = uint32(n)
		return ref
	}
	return chunk.Ref{}
}
