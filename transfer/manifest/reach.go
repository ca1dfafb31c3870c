package manifest

import (
	"context"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
)

// Visitor says how trees are gone through. Leaf may be nil.
type Visitor struct {
	// Enter is asked before a node is read; where it says false, the node and all below it are passed over.
	Enter func(id chunk.ID) (bool, error)
	// Leaf is shown every leaf of a manifest that is read.
	Leaf func(*Leaf) error
	// Fault is told of a node that cannot be read; where it returns nil, the walk goes on beside it. nil: the error ends the walk.
	Fault func(error) error
}

// Reach goes through a manifest, parents before their children. What Enter refuses is not read: walking many disks that share most of
// themselves costs the differences. It returns the root node, which is read in any case.
func Reach(ctx context.Context, g Getter, root chunk.ID, v Visitor) (Root, error) {
	r, err := Open(ctx, g, root)
	if err != nil {
		return Root{}, err
	}
	if in, err := v.Enter(root); err != nil || !in {
		return r, err
	}
	w := reach{Visitor: v, get: g, magic: magicInner, spans: r.Shape().Spans(), leaf: func(ref SpanRef) error {
		l, err := ReadLeaf(ctx, g, r, ref)
		if err != nil {
			return v.fault(err)
		}
		if v.Leaf == nil {
			return nil
		}
		return v.Leaf(l)
	}}
	return r, w.top(ctx, r.Shape(), SpanRef{ID: r.Top, Sums: r.sums()})
}

// ReachTable goes through the frame table of a manifest in the same way; Enter is asked for the continuations of leaves, too. It reads
// no leaf of the manifest, so it does not hold the two against each other.
func ReachTable(ctx context.Context, g Getter, r Root, table chunk.ID, v Visitor) error {
	t, err := OpenTable(ctx, g, table, r)
	if err != nil {
		return err
	}
	if in, err := v.Enter(table); err != nil || !in {
		return err
	}
	w := reach{Visitor: v, get: g, magic: magicTableInner, spans: r.Shape().Spans(), leaf: func(ref SpanRef) error {
		node, err := fetch(ctx, g, ref.ID)
		if err != nil {
			return v.fault(err)
		}
		parts, err := continuations(node)
		if err != nil {
			return v.fault(err)
		}
		for _, id := range parts {
			if _, err := v.Enter(id); err != nil {
				return err
			}
		}
		return nil
	}}
	return w.top(ctx, r.Shape(), SpanRef{ID: t.Top, Sums: t.sums()})
}

func (v *Visitor) fault(err error) error {
	if v.Fault == nil {
		return err
	}
	return v.Fault(err)
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
	Visitor
	get   Getter
	magic string
	spans int64
	leaf  func(SpanRef) error
}

func (w *reach) top(ctx context.Context, s Shape, ref SpanRef) error {
	if ref.ID.IsZero() {
		return nil
	}
	if in, err := w.Enter(ref.ID); err != nil || !in {
		return err
	}
	return w.visit(ctx, s.Height(), ref)
}

// visit is as deep as the tree is high.
func (w *reach) visit(ctx context.Context, number int, ref SpanRef) error {
	if number == 0 {
		return w.leaf(ref)
	}
	children, _, err := readInner(ctx, w.get, w.magic, number, ref, w.spans)
	if err != nil {
		return w.fault(err)
	}
	entered := children[:0]
	for _, c := range children {
		in, err := w.Enter(c.id)
		if err != nil {
			return err
		}
		if in {
			entered = append(entered, c)
		}
	}
	coming := aheadOf(w.get)
	for i, c := range entered {
		coming.next(ctx, entered[i:])
		below := SpanRef{Span: ref.Span + int64(c.slot)*width(number-1), ID: c.id, Sums: c.sums}
		if err := w.visit(ctx, number-1, below); err != nil {
			return err
		}
	}
	return nil
}
