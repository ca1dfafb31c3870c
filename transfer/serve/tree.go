package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/manifest"
)

// NodeWriter takes the nodes of a tree; wire.Writer is one. It keeps no reference to node.
type NodeWriter interface {
	Node(node []byte) error
}

// Tree sends every node of a manifest in the order of manifest.Nodes, each checked.
func Tree(ctx context.Context, g manifest.Getter, root chunk.ID, w NodeWriter) error {
	r, err := manifest.Open(ctx, g, root)
	if err != nil {
		return fmt.Errorf("send manifest: %w", err)
	}
	err = manifest.Nodes(ctx, g, r, func(_ chunk.ID, node []byte) error { return w.Node(node) })
	if err != nil {
		return fmt.Errorf("send manifest: %w", err)
	}
	return nil
}

// Beginning answers who asks for the root of a disk: it sends what comparing begins with (manifest.Beginning) in one frame, as far as that fits in one, since
// it would be asked for next, and each level would cost a round trip. It returns what is left of want; that is all of it where the root is not asked for or
// the nodes cannot be read: what is wrong comes out the ordinary way. The error is of w, or of ctx.
func Beginning(ctx context.Context, g manifest.Getter, root, table chunk.ID, want []chunk.ID, o Options, w FrameWriter) (left []chunk.ID, err error) {
	if !slices.Contains(want, root) {
		return want, nil
	}
	ids, err := manifest.Beginning(ctx, g, root, table)
	if err != nil {
		return want, ctx.Err()
	}
	mem, err := o.Pool.Get(ctx, frame.DefaultTarget+frame.Bound(frame.DefaultTarget))
	if err != nil {
		return want, fmt.Errorf("memory for the beginning of a disk: %w", err)
	}
	defer mem.Release()
	plain, room := mem.Bytes()[:0:frame.DefaultTarget], mem.Bytes()[frame.DefaultTarget:]
	sent := map[chunk.ID]bool{}
	var refs []chunk.Ref
	for _, id := range ids {
		if sent[id] {
			continue
		}
		node, err := g.Node(ctx, id)
		if err != nil {
			return want, ctx.Err()
		}
		if len(plain)+len(node) > cap(plain) {
			break
		}
		plain, sent[id] = append(plain, node...), true
		refs = append(refs, chunk.Ref{ID: id, Length: uint32(len(node))})
	}
	stored, _, err := frame.Encode(room[:0], plain, o.Encoder)
	if err != nil {
		return want, err
	}
	return slices.DeleteFunc(slices.Clone(want), func(id chunk.ID) bool { return sent[id] }), w.Frame(refs, stored)
}

// ErrNotInDisk is returned for a chunk that is not in the span that a reader names.
var ErrNotInDisk = errors.New("chunk is not in the disk")

// Ask is what a reader of a disk asks for: chunks of one span.
type Ask struct {
	Span int64
	IDs  []chunk.ID
}

// MaxSpans bounds the spans whose chunks one call of Wanted keeps in memory: some 50 bytes for each.
const MaxSpans = 32

// Wanted checks that each chunk asked for is in the span that is named, since a reader may only read
// chunks of the disk that it may read. It returns the ids without repetitions, in order of asking, and what says of any chunk
// whether the reader may read it for sure: those of the first MaxSpans spans that it names. The error is
// ErrNotInDisk, also for a span that the disk has not, or that of reading the manifest.
func Wanted(ctx context.Context, g manifest.Getter, root manifest.Root, asks []Ask) (ids []chunk.ID, may func(chunk.ID) bool, err error) {
	it := manifest.Leaves(g, root)
	seen := make(map[chunk.ID]struct{})
	var spans []map[chunk.ID]struct{}
	var held map[chunk.ID]struct{}
	last := int64(-1)
	for _, a := range asks {
		if a.Span != last || held == nil {
			if held, err = chunksOf(ctx, it, a.Span); err != nil {
				return nil, nil, err
			}
			if last = a.Span; len(spans) < MaxSpans {
				spans = append(spans, held)
			}
		}
		for _, id := range a.IDs {
			if _, ok := held[id]; !ok {
				return nil, nil, fmt.Errorf("%w: %s in span %d", ErrNotInDisk, id.Short(), a.Span)
			}
			if _, twice := seen[id]; !twice {
				seen[id] = struct{}{}
				ids = append(ids, id)
			}
		}
	}
	return ids, func(id chunk.ID) bool {
		return slices.ContainsFunc(spans, func(span map[chunk.ID]struct{}) bool { _, ok := span[id]; return ok })
	}, nil
}

// OnlyThose makes an Options.Whole of what says which chunks a reader may have.
func OnlyThose(may func(chunk.ID) bool) func(refs []chunk.Ref) bool {
	return func(refs []chunk.Ref) bool {
		return !slices.ContainsFunc(refs, func(r chunk.Ref) bool { return !may(r.ID) })
	}
}

// chunksOf reads the leaf of a span.
func chunksOf(ctx context.Context, it *manifest.Iterator, span int64) (map[chunk.ID]struct{}, error) {
	it.SeekSpan(span)
	ref, leaf, err := it.Next(ctx)
	if err == nil && ref.Span != span || errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: span %d", ErrNotInDisk, span)
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	ids := make(map[chunk.ID]struct{}, len(leaf.Entries))
	for _, e := range leaf.Entries {
		if !e.Hole() {
			ids[e.ID] = struct{}{}
		}
	}
	return ids, nil
}
