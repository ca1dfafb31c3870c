package manifest

import (
	"context"
	"errors"
	"io"
)

// Iterator goes through a manifest's leaves in order of address. It is for one goroutine; it
// holds at most MaxHeight inner nodes.
type Iterator struct {
	get  Getter
	root Root
	at   cursor
}

// Leaves starts an Iterator at the first leaf.
func Leaves(g Getter, r Root) *Iterator {
	return &Iterator{get: g, root: r, at: cursor{get: g, magic: magicInner, shape: r.Shape(), top: r.Top, sums: r.sums()}}
}

// SeekSpan moves to the first leaf at or after span, in either direction, reading only the way to it.
func (it *Iterator) SeekSpan(span int64) { it.at.seek(span) }

// NextRef names the next leaf without reading it, or returns io.EOF. Callers that read leaves in
// parallel use it with ReadLeaf.
func (it *Iterator) NextRef(ctx context.Context) (SpanRef, error) { return it.at.next(ctx) }

// Next reads the next leaf, or returns io.EOF.
func (it *Iterator) Next(ctx context.Context) (SpanRef, *Leaf, error) {
	ref, err := it.at.next(ctx)
	if err != nil {
		return SpanRef{}, nil, err
	}
	leaf, err := ReadLeaf(ctx, it.get, it.root, ref)
	return ref, leaf, err
}

// ReadLeaf reads the leaf that ref names and holds it against its place.
func ReadLeaf(ctx context.Context, g Getter, r Root, ref SpanRef) (*Leaf, error) {
	leaf, _, err := readLeaf(ctx, g, r, ref)
	return leaf, err
}

func readLeaf(ctx context.Context, g Getter, r Root, ref SpanRef) (*Leaf, []byte, error) {
	node, err := fetch(ctx, g, ref.ID)
	if err != nil {
		return nil, nil, err
	}
	leaf, err := DecodeLeaf(node, r.Params, r.Shape().SpanLength(ref.Span))
	if err != nil {
		return nil, nil, err
	}
	if leaf.Sums() != ref.Sums {
		return nil, nil, invalid("leaf of span %d has %v, its parent says %v", ref.Span, leaf.Sums(), ref.Sums)
	}
	return leaf, node, nil
}

// Walk calls fn for every leaf in order of address. An error of fn ends it and is returned as it is.
func Walk(ctx context.Context, g Getter, r Root, fn func(span int64, leaf *Leaf) error) error {
	it := Leaves(g, r)
	it.at.whole = true
	for {
		ref, leaf, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := fn(ref.Span, leaf); err != nil {
			return err
		}
	}
}

// Extent is a piece of a guest range: a hole, or a piece of one chunk.
type Extent struct {
	Offset int64  // guest address
	Length int64  // bytes, at least 1
	Entry  Entry  // the whole chunk; a hole's ID is zero and its Length says nothing
	Skip   uint32 // bytes of the chunk that lie before Offset
}

// Extents calls fn for the pieces of n guest bytes from off on, in order and without gaps. Holes of
// neighbouring spans come as several pieces. A range outside the disk is ErrLimit.
func Extents(ctx context.Context, g Getter, r Root, off, n int64, fn func(Extent) error) error {
	if off < 0 || n < 0 || off > r.Length-n {
		return invalidRange(off, n, r.Length)
	}
	end := off + n
	it := Leaves(g, r)
	it.SeekSpan(off / r.Shape().Span)
	for off < end {
		ref, err := it.NextRef(ctx)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		start := end
		if err == nil {
			start = min(end, ref.Span*r.Shape().Span)
		}
		if off < start {
			if err := fn(Extent{Offset: off, Length: start - off}); err != nil {
				return err
			}
			off = start
		}
		if off == end {
			return nil
		}
		leaf, err := ReadLeaf(ctx, g, r, ref)
		if err != nil {
			return err
		}
		if off, err = leafExtents(leaf, ref.Span*r.Shape().Span, off, end, fn); err != nil {
			return err
		}
	}
	return nil
}

// leafExtents gives the pieces of [off, end) that lie in a leaf starting at address at, and returns
// where it stopped.
func leafExtents(leaf *Leaf, at, off, end int64, fn func(Extent) error) (int64, error) {
	for _, e := range leaf.Entries {
		next := at + int64(e.Length)
		if next > off && off < end {
			stop := min(next, end)
			x := Extent{Offset: off, Length: stop - off, Entry: e}
			if !e.Hole() {
				x.Skip = uint32(off - at)
			}
			if err := fn(x); err != nil {
				return off, err
			}
			off = stop
		}
		at = next
	}
	return off, nil
}
