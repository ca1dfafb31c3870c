package manifest

import (
	"context"
	"errors"
	"fmt"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
)

// The measures of format version 1 (docs/formats/manifest.md).
const (
	Version = 1

	Fanout    = 256
	MaxLength = 64 << 40 // bytes of a disk
	MaxHeight = 3        // levels of inner nodes
	MaxNode   = 1 << 20  // bytes of one node

	MaxFrameChunks = 4096      // chunks of one frame in a table
	MaxFramePlain  = 4 << 20   // plain bytes of one frame
	maxParts       = 64        // continuations of one table leaf
	maxPartBytes   = 512 << 10 // bytes of frames in one node of a table
)

const (
	magicRoot       = "LgMr"
	magicInner      = "LgMi"
	magicLeaf       = "LgMl"
	magicTable      = "LgTr"
	magicTableInner = "LgTi"
	magicTableLeaf  = "LgTl"
	magicTablePart  = "LgTp"
	headerSize      = 5 // magic and version
)

// The reasons for refusing a node or a tree.
var (
	// ErrDamaged: the bytes are not those that the digest names.
	ErrDamaged = errors.New("manifest node is damaged")
	// ErrInvalid: the bytes are no node, or not the one encoding of it, or do not fit their place.
	ErrInvalid = errors.New("invalid manifest")
	// ErrVersion: the node is of a version newer than this program knows.
	ErrVersion = errors.New("unknown manifest version")
	// ErrLimit: a length or count is beyond what a manifest may have.
	ErrLimit = errors.New("manifest limit exceeded")
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// Getter reads nodes by their digests. Node may be called by many goroutines where the caller reads
// with many; the bytes are not changed by either side. What Node returns is checked here.
type Getter interface {
	Node(ctx context.Context, id chunk.ID) ([]byte, error)
}

// Prefetcher is a Getter that can bring several nodes with few requests. Walks over whole trees ask it.
type Prefetcher interface {
	Getter
	// Prefetch makes the first n of ids quick to get, in their order. It may do nothing: then, and where it fails, n is 0, and Node says why.
	Prefetch(ctx context.Context, ids []chunk.ID) (n int)
}

// ahead prefetches the children of one node as a walk comes to them.
type ahead struct {
	get  Prefetcher // nil: nothing is prefetched
	near int        // children that are at hand
}

func aheadOf(g Getter) ahead {
	p, _ := g.(Prefetcher)
	return ahead{get: p}
}

// next is told of the child to be read next and of those behind it.
func (a *ahead) next(ctx context.Context, left []child) {
	if a.near--; a.get == nil || a.near >= 0 || len(left) < 2 {
		return
	}
	ids := make([]chunk.ID, len(left))
	for i, c := range left {
		ids[i] = c.id
	}
	a.near = max(0, a.get.Prefetch(ctx, ids)-1)
}

// PutFunc keeps one node under its digest. It may be called with the same node twice. It must not
// keep a reference to node.
type PutFunc func(ctx context.Context, id chunk.ID, node []byte) error

// Sums counts what lies below a node: in a manifest, data bytes and chunk entries; in a table, the
// stored bytes and the number of the frames listed, each counted in every span that lists it.
type Sums struct {
	Bytes int64
	Count int64
}

func (s Sums) add(o Sums) Sums { return Sums{s.Bytes + o.Bytes, s.Count + o.Count} }

// SpanRef is one leaf's place in a tree.
type SpanRef struct {
	Span int64 // number of the span, from 0
	ID   chunk.ID
	Sums
}

// Shape is what fixes a tree's form: the disk's length and the length of a span, in bytes.
type Shape struct {
	Length int64
	Span   int64
}

// Spans is the number of spans.
func (s Shape) Spans() int64 { return (s.Length + s.Span - 1) / s.Span }

// SpanLength is the number of bytes of one span; only the last may be short.
func (s Shape) SpanLength(span int64) int64 { return min(s.Span, s.Length-span*s.Span) }

// Height is the number of levels of inner nodes above the leaves.
func (s Shape) Height() int {
	h := 0
	for reach := int64(1); reach < s.Spans(); reach *= Fanout {
		h++
	}
	return h
}

func (s Shape) check() error {
	if s.Length < 1 || s.Length > MaxLength {
		return fmt.Errorf("%w: disk of %d bytes", ErrLimit, s.Length)
	}
	if s.Span < 1<<20 || s.Span > 1<<30 || s.Span&(s.Span-1) != 0 || s.Height() > MaxHeight {
		return fmt.Errorf("%w: span of %d bytes", ErrLimit, s.Span)
	}
	return nil
}

// width is the number of spans below one node of a level; a leaf is level 0.
func width(level int) int64 { return 1 << (8 * level) }

// fetch reads a node and holds it against its digest.
func fetch(ctx context.Context, g Getter, id chunk.ID) ([]byte, error) {
	b, err := g.Node(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read manifest node %s: %w", id.Short(), err)
	}
	if len(b) > MaxNode {
		return nil, fmt.Errorf("%w: node %s of %d bytes", ErrLimit, id.Short(), len(b))
	}
	if digest.Of(b) != id {
		return nil, fmt.Errorf("%w: %s", ErrDamaged, id.Short())
	}
	return b, nil
}

func versionError(v byte) error { return fmt.Errorf("%w %d", ErrVersion, v) }

func invalidRange(off, n, length int64) error {
	return fmt.Errorf("%w: %d bytes from %d of a disk of %d", ErrLimit, n, off, length)
}
