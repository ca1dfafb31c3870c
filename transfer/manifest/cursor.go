package manifest

import (
	"context"
	"io"

	"loggia/transfer/chunk"
)

// cursor goes through a tree's leaves in order without reading them. It holds one inner node of
// each level.
type cursor struct {
	get   Getter
	magic string
	shape Shape
	top   chunk.ID
	sums  Sums
	seen  func(id chunk.ID, node []byte) error // of every inner node read, where not nil

	whole   bool // all leaves will be read: they may be prefetched
	started bool
	from    int64   // spans below it are passed over
	path    []level // inner nodes from the top down
}

type level struct {
	number   int   // 1 lies above leaves
	base     int64 // first span
	children []child
	coming   ahead
}

// seek makes next return the first leaf whose span is at least span.
func (c *cursor) seek(span int64) {
	c.started, c.from, c.path = false, span, nil
}

// next returns the next leaf, or io.EOF.
func (c *cursor) next(ctx context.Context) (SpanRef, error) {
	if !c.started {
		c.started = true
		if c.top.IsZero() {
			return SpanRef{}, io.EOF
		}
		top := SpanRef{ID: c.top, Sums: c.sums}
		height := c.shape.Height()
		if height == 0 && c.from <= 0 {
			return top, nil
		}
		if height > 0 {
			if err := c.descend(ctx, height, top); err != nil {
				return SpanRef{}, err
			}
		}
	}
	for len(c.path) > 0 {
		l := &c.path[len(c.path)-1]
		if len(l.children) == 0 {
			c.path = c.path[:len(c.path)-1]
			continue
		}
		left := l.children
		ch := left[0]
		l.children = left[1:]
		ref := SpanRef{Span: l.base + int64(ch.slot)*width(l.number-1), ID: ch.id, Sums: ch.sums}
		if ref.Span+width(l.number-1) <= c.from {
			continue
		}
		if l.number == 1 {
			l.coming.next(ctx, left)
			return ref, nil
		}
		if err := c.descend(ctx, l.number-1, ref); err != nil {
			return SpanRef{}, err
		}
	}
	return SpanRef{}, io.EOF
}

// descend reads an inner node, checks it and puts it on the path.
func (c *cursor) descend(ctx context.Context, number int, ref SpanRef) error {
	children, node, err := readInner(ctx, c.get, c.magic, number, ref, c.shape.Spans())
	if err != nil {
		return err
	}
	if c.seen != nil {
		if err := c.seen(ref.ID, node); err != nil {
			return err
		}
	}
	l := level{number: number, base: ref.Span, children: children}
	if c.whole {
		l.coming = aheadOf(c.get)
	}
	c.path = append(c.path, l)
	return nil
}

func readInner(ctx context.Context, g Getter, magic string, number int, ref SpanRef, spans int64) ([]child, []byte, error) {
	node, err := fetch(ctx, g, ref.ID)
	if err != nil {
		return nil, nil, err
	}
	children, err := decodeInner(node, magic, number, ref.Span, spans, ref.Sums)
	return children, node, err
}
