package manifest

import (
	"context"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
)

// EnterFunc is asked before a node is read; where it says false, the node and all below it are passed over.
type EnterFunc func(id chunk.ID) (bool, error)

// Reach goes through a manifest, parents before their children, and shows every leaf that it comes to. What enter refuses is not
// read: walking many disks that share most of themselves costs the differences. It returns the root node, which is read in any case.
func Reach(ctx context.Context, g Getter, root chunk.ID, enter EnterFunc, leaf func(*Leaf) error) (Root, error) {
	r, err := Open(ctx, g, root)
	if err != nil {
		return Root{}, err
	}
	if in, err := enter(root); err != nil || !in {
		return r, err
	}
	w := reach{get: g, magic: magicInner, spans: r.Shape().Spans(), enter: enter, leaf: func(ref SpanRef) error {
		l, err := ReadLeaf(ctx, g, r, ref)
		if err != nil {
			return err
		}
		return leaf(l)
	}}
	return r, w.top(ctx, r.Shape(), SpanRef{ID: r.Top, Sums: r.sums()})
}

// ReachTable goes through the frame table of a manifest in the same way; enter is asked for the continuations of leaves, too. It reads
// no leaf of the manifest, so it does not hold the two against each other.
func ReachTable(ctx context.Context, g Getter, r Root, table chunk.ID, enter EnterFunc) error {
	t, err := OpenTable(ctx, g, table, r)
	if err != nil {
		return err
	}
	if in, err := enter(table); err != nil || !in {
		return err
	}
	w := reach{get: g, magic: magicTableInner, spans: r.Shape().Spans(), enter: enter, leaf: func(ref SpanRef) error {
		node, err := fetch(ctx, g, ref.ID)
		if err != nil {
			return err
		}
		parts, err := continuations(node)
		for _, id := range parts {
			if err == nil {
				_, err = enter(id)
			}
		}
		return err
	}}
	return w.top(ctx, r.Shape(), SpanRef{ID: t.Top, Sums: t.sums()})
}

// continuations are the nodes that a table leaf names.
func continuations(node []byte) ([]chunk.ID, error) {
	d := decoder{b: node}
	d.header(magicTableLeaf)
	ids := make([]chunk.ID, d.count(digest.Size))
	for i := range ids {
		ids[i] = d.digest()
	}
	return ids, d.err
}

// reach walks one tree.
type reach struct {
	get   Getter
	magic string
	spans int64
	enter EnterFunc
	leaf  func(SpanRef) error
}

func (w *reach) top(ctx context.Context, s Shape, ref SpanRef) error {
	if ref.ID.IsZero() {
		return nil
	}
	return w.visit(ctx, s.Height(), ref)
}

// visit is as deep as the tree is high.
func (w *reach) visit(ctx context.Context, number int, ref SpanRef) error {
	if in, err := w.enter(ref.ID); err != nil || !in {
		return err
	}
	if number == 0 {
		return w.leaf(ref)
	}
	children, _, err := readInner(ctx, w.get, w.magic, number, ref, w.spans)
	if err != nil {
		return err
	}
	for _, c := range children {
		below := SpanRef{Span: ref.Span + int64(c.slot)*width(number-1), ID: c.id, Sums: c.sums}
		if err := w.visit(ctx, number-1, below); err != nil {
			return err
		}
	}
	return nil
}
