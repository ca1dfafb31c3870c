package manifest

import (
	"context"
	"errors"
	"io"

	"loggia/transfer/chunk"
)

// NodeFunc is shown one node; bytes are not to be changed.
type NodeFunc func(id chunk.ID, node []byte) error

// Nodes shows every node of a manifest, the root first, parents before their children, leaves in
// order of address: what a copy of the manifest needs. A node that the tree uses twice is shown twice.
func Nodes(ctx context.Context, g Getter, r Root, fn NodeFunc) error {
	if err := fn(r.ID(), r.Encode()); err != nil {
		return err
	}
	it := Leaves(g, r)
	it.at.seen, it.at.whole = fn, true
	for {
		ref, err := it.NextRef(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		_, node, err := readLeaf(ctx, g, r, ref)
		if err != nil {
			return err
		}
		if err := fn(ref.ID, node); err != nil {
			return err
		}
	}
}

// Beginning names the nodes on the way to the first leaves of a disk's two trees, those leaves too, parents before their children: what
// comparing begins with.
func Beginning(ctx context.Context, g Getter, root, table chunk.ID) ([]chunk.ID, error) {
	r, err := Open(ctx, g, root)
	if err != nil {
		return nil, err
	}
	t, err := OpenTable(ctx, g, table, r)
	if err != nil {
		return nil, err
	}
	ids := []chunk.ID{root, table}
	note := func(id chunk.ID, _ []byte) error {
		ids = append(ids, id)
		return nil
	}
	it := TableLeaves(g, r, t)
	it.leaf.seen, it.table.seen = note, note
	leaf, tableLeaf, err := it.NextRefs(ctx)
	if errors.Is(err, io.EOF) {
		return ids, nil
	}
	if err != nil {
		return nil, err
	}
	return append(ids, leaf.ID, tableLeaf.ID), nil
}

// TableNodes shows every node of a frame table in the same way; the continuations of a leaf come
// before it. It reads the manifest's leaves too, to check the table against them.
func TableNodes(ctx context.Context, g Getter, r Root, t Table, fn NodeFunc) error {
	if err := fn(t.ID(), t.Encode()); err != nil {
		return err
	}
	it := TableLeaves(g, r, t)
	it.table.seen = fn
	for {
		lref, tref, err := it.NextRefs(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		leaf, err := ReadLeaf(ctx, g, r, lref)
		if err != nil {
			return err
		}
		_, node, err := readTableLeaf(ctx, g, tref, leaf, fn)
		if err != nil {
			return err
		}
		if err := fn(tref.ID, node); err != nil {
			return err
		}
	}
}
