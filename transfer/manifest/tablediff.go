package manifest

import (
	"context"
)

// Pair is a manifest and its frame table. The zero Pair is a disk of which nothing is known.
type Pair struct {
	Root  Root
	Table Table
}

// TableDiff calls changed for every span of after at which one of its two leaves is not that of before, in order of address, and
// equal for every run of spans, holes among them, in which both leaves are those of before, with the table's sums of it: together they make
// those of the whole table. Subtrees that are equal in both trees are not read, so the cost follows the difference. Spans that only before has
// are passed over.
// ErrInvalid: spans of another length, or one tree of after has a leaf where the other has none. Errors of the functions end it.
func TableDiff(ctx context.Context, g Getter, before, after Pair, changed func(leaf, table SpanRef) error, equal func(first, spans int64, sums Sums)) error {
	level := after.Root.Shape().Height()
	d := tableDiffer{get: g, before: before, after: after, changed: changed, equal: equal}
	var old pairAt
	if !before.Root.Top.IsZero() {
		if before.Root.Params.Span != after.Root.Params.Span {
			return invalid("spans of %d and %d bytes", before.Root.Params.Span, after.Root.Params.Span)
		}
		old = before.top()
		level = max(level, old.leaf.level)
	}
	return d.diff(ctx, level, 0, old, after.top())
}

// pairAt is a place in both trees of a Pair; both halves are nil at a hole.
type pairAt struct{ leaf, table *half }

func (p Pair) top() pairAt {
	leaf := topAt(p.Root)
	if leaf == nil {
		return pairAt{}
	}
	return pairAt{leaf, &half{level: leaf.level, child: child{id: p.Table.Top, sums: p.Table.sums()}}}
}

type tableDiffer struct {
	get           Getter
	before, after Pair
	changed       func(leaf, table SpanRef) error
	equal         func(first, spans int64, sums Sums)
}

// diff compares the subtrees of one level at span base.
func (d *tableDiffer) diff(ctx context.Context, level int, base int64, a, b pairAt) error {
	switch {
	case b.leaf == nil && b.table == nil:
		return nil
	case b.leaf == nil || b.table == nil:
		return invalid("table and manifest differ at span %d", base)
	case a.same(b):
		d.equal(base, min(width(level), d.after.Root.Shape().Spans()-base), b.table.sums)
		return nil
	case level == 0:
		return d.changed(SpanRef{Span: base, ID: b.leaf.id, Sums: b.leaf.sums}, SpanRef{Span: base, ID: b.table.id, Sums: b.table.sums})
	}
	as, err := d.children(ctx, d.before, level, base, a)
	if err != nil {
		return err
	}
	bs, err := d.children(ctx, d.after, level, base, b)
	if err != nil {
		return err
	}
	for _, slot := range slots(bs.leaf, bs.table) {
		if err := d.diff(ctx, level-1, base+int64(slot)*width(level-1), as.at(slot), bs.at(slot)); err != nil {
			return err
		}
	}
	return nil
}

// same says whether nothing differs below two places.
func (a pairAt) same(b pairAt) bool {
	return a.leaf != nil && a.table != nil && a.leaf.level == b.leaf.level && a.leaf.id == b.leaf.id && a.table.id == b.table.id
}

// below are the places below one, by slot.
type below struct{ leaf, table map[byte]*half }

func (b below) at(slot byte) pairAt { return pairAt{b.leaf[slot], b.table[slot]} }

func (d *tableDiffer) children(ctx context.Context, p Pair, level int, base int64, at pairAt) (below, error) {
	leaf, err := readChildren(ctx, d.get, magicInner, p.Root.Shape, level, base, at.leaf)
	if err != nil {
		return below{}, err
	}
	table, err := readChildren(ctx, d.get, magicTableInner, p.Root.Shape, level, base, at.table)
	return below{leaf, table}, err
}
