package manifest

import (
	"context"
	"encoding/binary"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
)

// TableRootSize is the length of a table's root node in bytes.
const TableRootSize = 88

// Table is the root node of a frame table.
type Table struct {
	Root   chunk.ID // the manifest that it belongs to
	Stored int64    // stored bytes of the frames listed, each counted in every span that lists it
	Frames int64    // frames listed, counted in the same way
	Top    chunk.ID // zero where the disk is a hole
}

// ID is the digest that is committed beside the root.
func (t Table) ID() chunk.ID { return digest.Of(t.Encode()) }

func (t Table) sums() Sums { return Sums{Bytes: t.Stored, Count: t.Frames} }

// Encode returns the node's bytes.
func (t Table) Encode() []byte {
	b := append(appendHeader(make([]byte, 0, TableRootSize), magicTable), 0, 0, 0)
	b = append(b, t.Root[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(t.Stored))
	b = binary.LittleEndian.AppendUint64(b, uint64(t.Frames))
	return append(b, t.Top[:]...)
}

// DecodeTable reads what Encode writes and refuses all else.
func DecodeTable(b []byte) (Table, error) {
	d := decoder{b: b}
	d.header(magicTable)
	zero := d.take(3)
	t := Table{Root: d.digest()}
	n := d.take(16)
	t.Top = d.digest()
	if err := d.end(); err != nil {
		return Table{}, err
	}
	t.Stored, t.Frames = int64(binary.LittleEndian.Uint64(n)), int64(binary.LittleEndian.Uint64(n[8:]))
	if zero[0]|zero[1]|zero[2] != 0 || t.Root.IsZero() {
		return Table{}, invalid("table root without a manifest, or reserved bytes set")
	}
	if hole := t.Top.IsZero(); t.Stored < 0 || t.Frames < 0 || hole != (t.Frames == 0) || hole != (t.Stored == 0) {
		return Table{}, invalid("%d frames of %d bytes below top %s", t.Frames, t.Stored, t.Top.Short())
	}
	return t, nil
}

// OpenTable reads the table that id names, which must belong to r.
func OpenTable(ctx context.Context, g Getter, id chunk.ID, r Root) (Table, error) {
	b, err := fetch(ctx, g, id)
	if err != nil {
		return Table{}, err
	}
	t, err := DecodeTable(b)
	if err == nil && (t.Root != r.ID() || t.Top.IsZero() != r.Top.IsZero()) {
		err = invalid("table %s belongs to manifest %s", id.Short(), t.Root.Short())
	}
	return t, err
}

// TableBuilder makes a frame table out of leaves that come in any order. It holds 56 bytes for
// each leaf and is safe for use by many goroutines.
type TableBuilder struct {
	root Root
	tree treeBuilder
}

// NewTableBuilder starts the table of manifest r; nodes go out through put.
func NewTableBuilder(r Root, put PutFunc) *TableBuilder {
	return &TableBuilder{root: r, tree: newTreeBuilder(r.Shape(), magicTableInner, put)}
}

// AddLeaf encodes and puts the table leaf of one span, whose manifest leaf is leaf.
func (b *TableBuilder) AddLeaf(ctx context.Context, span int64, leaf *Leaf, t *TableLeaf) (SpanRef, error) {
	node, parts, err := t.Encode(leaf)
	if err != nil {
		return SpanRef{}, err
	}
	for _, part := range append(parts, node) {
		if err := b.tree.put(ctx, digest.Of(part), part); err != nil {
			return SpanRef{}, err
		}
	}
	ref := SpanRef{Span: span, ID: digest.Of(node), Sums: t.Sums()}
	return ref, b.tree.add(ref)
}

// AddRef adds a leaf that was put before, as AddLeaf returned it.
func (b *TableBuilder) AddRef(ref SpanRef) error { return b.tree.add(ref) }

// Finish puts the inner nodes and the root node. That every span of the manifest has its leaf is the
// caller's promise; WalkTable checks it.
func (b *TableBuilder) Finish(ctx context.Context) (Table, error) {
	top, sums, err := b.tree.finish(ctx)
	if err != nil {
		return Table{}, err
	}
	t := Table{Root: b.root.ID(), Stored: sums.Bytes, Frames: sums.Count, Top: top}
	if t.Top.IsZero() != b.root.Top.IsZero() {
		return Table{}, invalid("table of %d frames for %d chunks", t.Frames, b.root.Chunks)
	}
	return t, b.tree.put(ctx, t.ID(), t.Encode())
}
