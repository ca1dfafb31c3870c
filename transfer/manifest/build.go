package manifest

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
)

// Builder makes a manifest out of leaves that come in any order. It holds 56 bytes for each leaf
// and is safe for use by many goroutines.
type Builder struct {
	params chunk.Params
	tree   treeBuilder
}

// NewBuilder starts the manifest of a disk of length bytes cut with p. Nodes go out through put, from
// the goroutine of the call that makes them.
func NewBuilder(p chunk.Params, length int64, put PutFunc) (*Builder, error) {
	shape := Shape{Length: length, Span: int64(p.Span)}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if err := shape.check(); err != nil {
		return nil, err
	}
	return &Builder{params: p, tree: newTreeBuilder(shape, magicInner, put)}, nil
}

// AddLeaf encodes and puts the leaf of one span. A span given twice keeps the later leaf.
// A leaf without a chunk is the same as none.
func (b *Builder) AddLeaf(ctx context.Context, span int64, leaf *Leaf) (SpanRef, error) {
	if span < 0 || span >= b.tree.shape.Spans() {
		return SpanRef{}, invalid("span %d of %d", span, b.tree.shape.Spans())
	}
	if leaf.Sums().Count == 0 {
		b.tree.remove(span)
		return SpanRef{Span: span}, nil
	}
	node, err := leaf.Encode(b.params, b.tree.shape.SpanLength(span))
	if err != nil {
		return SpanRef{}, err
	}
	ref := SpanRef{Span: span, ID: digest.Of(node), Sums: leaf.Sums()}
	if err := b.tree.put(ctx, ref.ID, node); err != nil {
		return SpanRef{}, err
	}
	return ref, b.tree.add(ref)
}

// AddRef adds a leaf that was put before, as AddLeaf returned it: for going on after a restart.
func (b *Builder) AddRef(ref SpanRef) error { return b.tree.add(ref) }

// Finish puts the inner nodes and the root node. The Builder can go on afterwards.
func (b *Builder) Finish(ctx context.Context) (Root, error) {
	top, sums, err := b.tree.finish(ctx)
	if err != nil {
		return Root{}, err
	}
	r := Root{Params: b.params, Length: b.tree.shape.Length, Data: sums.Bytes, Chunks: sums.Count, Top: top}
	if err := r.check(r.Shape().Height()); err != nil {
		return Root{}, err
	}
	return r, b.tree.put(ctx, r.ID(), r.Encode())
}

// treeBuilder is the part that manifests and tables share.
type treeBuilder struct {
	shape Shape
	magic string
	put   PutFunc

	mu     *sync.Mutex
	leaves map[int64]SpanRef // guarded by mu
}

func newTreeBuilder(s Shape, magic string, put PutFunc) treeBuilder {
	return treeBuilder{shape: s, magic: magic, put: put, mu: new(sync.Mutex), leaves: make(map[int64]SpanRef)}
}

func (t *treeBuilder) add(ref SpanRef) error {
	if ref.Span < 0 || ref.Span >= t.shape.Spans() || ref.ID.IsZero() || ref.Bytes < 1 || ref.Count < 1 {
		return invalid("leaf %+v in a disk of %d spans", ref, t.shape.Spans())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leaves[ref.Span] = ref
	return nil
}

func (t *treeBuilder) remove(span int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.leaves, span)
}

// finish puts the inner nodes bottom-up and returns the top.
func (t *treeBuilder) finish(ctx context.Context) (chunk.ID, Sums, error) {
	row := t.sorted()
	for level := 1; level <= t.shape.Height() && len(row) > 0; level++ {
		var err error
		if row, err = t.raise(ctx, level, row); err != nil {
			return chunk.ID{}, Sums{}, err
		}
	}
	if len(row) == 0 {
		return chunk.ID{}, Sums{}, nil
	}
	return row[0].ID, row[0].Sums, nil
}

func (t *treeBuilder) sorted() []SpanRef {
	t.mu.Lock()
	defer t.mu.Unlock()
	row := make([]SpanRef, 0, len(t.leaves))
	for _, ref := range t.leaves {
		row = append(row, ref)
	}
	slices.SortFunc(row, func(a, b SpanRef) int { return cmp.Compare(a.Span, b.Span) })
	return row
}

// raise makes the nodes of one level over a sorted row of the level below; Span counts nodes of
// the row's level.
func (t *treeBuilder) raise(ctx context.Context, level int, row []SpanRef) ([]SpanRef, error) {
	var up []SpanRef
	for len(row) > 0 {
		parent := SpanRef{Span: row[0].Span / Fanout}
		var children []child
		for len(row) > 0 && row[0].Span/Fanout == parent.Span {
			children = append(children, child{slot: byte(row[0].Span % Fanout), id: row[0].ID, sums: row[0].Sums})
			parent.Sums = parent.Sums.add(row[0].Sums)
			row = row[1:]
		}
		node := encodeInner(t.magic, level, children)
		parent.ID = digest.Of(node)
		if err := t.put(ctx, parent.ID, node); err != nil {
			return nil, err
		}
		up = append(up, parent)
	}
	return up, nil
}
