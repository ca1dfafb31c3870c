package manifest

import (
	"context"
	"errors"
	"io"

	"loggia/transfer/chunk"
)

// TableIterator goes through a manifest and its table side by side. It is for one goroutine.
type TableIterator struct {
	get   Getter
	root  Root
	leaf  cursor
	table cursor
}

// TableLeaves starts a TableIterator at the first span that has leaves.
func TableLeaves(g Getter, r Root, t Table) *TableIterator {
	s := r.Shape()
	return &TableIterator{get: g, root: r,
		leaf:  cursor{get: g, magic: magicInner, shape: s, top: r.Top, sums: r.sums()},
		table: cursor{get: g, magic: magicTableInner, shape: s, top: t.Top, sums: t.sums()},
	}
}

// SeekSpan moves to the first leaves at or after span, in either direction.
func (it *TableIterator) SeekSpan(span int64) {
	it.leaf.seek(span)
	it.table.seek(span)
}

// NextRefs names the next span's leaves in both trees without reading them, or returns io.EOF.
// ErrInvalid: one tree has a leaf where the other has none.
func (it *TableIterator) NextRefs(ctx context.Context) (leaf, table SpanRef, err error) {
	leaf, err = it.leaf.next(ctx)
	if err != nil && !errors.Is(err, io.EOF) {
		return leaf, table, err
	}
	table, terr := it.table.next(ctx)
	if terr != nil && !errors.Is(terr, io.EOF) {
		return leaf, table, terr
	}
	if (err == nil) != (terr == nil) || err == nil && leaf.Span != table.Span {
		return leaf, table, invalid("table and manifest differ at spans %d and %d", table.Span, leaf.Span)
	}
	return leaf, table, err
}

// Next reads the next span's leaves, or returns io.EOF.
func (it *TableIterator) Next(ctx context.Context) (span int64, leaf *Leaf, table *TableLeaf, err error) {
	lref, tref, err := it.NextRefs(ctx)
	if err != nil {
		return 0, nil, nil, err
	}
	if leaf, err = ReadLeaf(ctx, it.get, it.root, lref); err != nil {
		return 0, nil, nil, err
	}
	table, err = ReadTableLeaf(ctx, it.get, tref, leaf)
	return lref.Span, leaf, table, err
}

// WalkTable calls fn for every span's leaves in order of address.
func WalkTable(ctx context.Context, g Getter, r Root, t Table, fn func(span int64, leaf *Leaf, table *TableLeaf) error) error {
	it := TableLeaves(g, r, t)
	for {
		span, leaf, table, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := fn(span, leaf, table); err != nil {
			return err
		}
	}
}

// ReadTableLeaf reads the table leaf that ref names with its continuations, for the span whose
// manifest leaf is leaf, and holds it to every rule of the format.
func ReadTableLeaf(ctx context.Context, g Getter, ref SpanRef, leaf *Leaf) (*TableLeaf, error) {
	t, _, err := readTableLeaf(ctx, g, ref, leaf, nil)
	return t, err
}

// readTableLeaf shows every node that it reads to seen, where that is not nil.
func readTableLeaf(ctx context.Context, g Getter, ref SpanRef, leaf *Leaf, seen func(chunk.ID, []byte) error) (*TableLeaf, []byte, error) {
	n := leaf.numbered()
	node, err := fetch(ctx, g, ref.ID)
	if err != nil {
		return nil, nil, err
	}
	t, more, err := decodeTableLeaf(node, n.refs)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range more {
		part, err := fetch(ctx, g, id)
		if err != nil {
			return nil, nil, err
		}
		if err := decodeTablePart(part, n.refs, t); err != nil {
			return nil, nil, err
		}
		if seen != nil {
			if err := seen(id, part); err != nil {
				return nil, nil, err
			}
		}
	}
	if t.Sums() != ref.Sums {
		return nil, nil, invalid("table leaf of span %d has %v, its parent says %v", ref.Span, t.Sums(), ref.Sums)
	}
	return t, node, t.checkCoded(n, node)
}

// checkCoded holds the table to the rules and the bytes to the one encoding of it.
func (t *TableLeaf) checkCoded(n numbered, node []byte) error {
	if err := t.check(n); err != nil {
		return err
	}
	again, _, err := t.encode(n.number)
	if err == nil && string(again) != string(node) {
		err = invalid("table leaf is not in its one encoding")
	}
	return err
}
