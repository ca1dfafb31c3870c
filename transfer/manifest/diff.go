package manifest

import (
	"context"
	"slices"
)

// Diff calls fn for every span whose leaf differs between two manifests, in order of address; a
// span that is a hole has a nil leaf. Equal subtrees are not read, so the cost follows the difference.
// The disks may differ in length; cut with different parameters nearly every span differs, and
// spans of different lengths cannot be compared (ErrInvalid).
func Diff(ctx context.Context, g Getter, before, after Root, fn func(span int64, before, after *Leaf) error) error {
	if before.Params.Span != after.Params.Span {
		return invalid("spans of %d and %d bytes", before.Params.Span, after.Params.Span)
	}
	d := differ{get: g, before: before, after: after, fn: fn}
	level := max(before.Shape().Height(), after.Shape().Height())
	return d.diff(ctx, level, 0, topAt(before), topAt(after))
}

// half is one side's node at a place, or nil where the place is a hole.
type half struct {
	level int
	child
}

type differ struct {
	get           Getter
	before, after Root
	fn            func(span int64, before, after *Leaf) error
}

func topAt(r Root) *half {
	if r.Top.IsZero() {
		return nil
	}
	return &half{level: r.Shape().Height(), child: child{id: r.Top, sums: r.sums()}}
}

// diff compares the subtrees of one level at span base.
func (d *differ) diff(ctx context.Context, level int, base int64, a, b *half) error {
	if a == nil && b == nil || a != nil && b != nil && a.level == b.level && a.id == b.id {
		return nil
	}
	if level == 0 {
		return d.leaf(ctx, base, a, b)
	}
	as, err := d.children(ctx, d.before, level, base, a)
	if err != nil {
		return err
	}
	bs, err := d.children(ctx, d.after, level, base, b)
	if err != nil {
		return err
	}
	for _, slot := range slots(as, bs) {
		if err := d.diff(ctx, level-1, base+int64(slot)*width(level-1), as[slot], bs[slot]); err != nil {
			return err
		}
	}
	return nil
}

func (d *differ) children(ctx context.Context, r Root, level int, base int64, h *half) (map[byte]*half, error) {
	return readChildren(ctx, d.get, magicInner, r.Shape, level, base, h)
}

// readChildren returns the nodes below h by slot. A tree lower than level lies in slot 0.
func readChildren(ctx context.Context, g Getter, magic string, shape func() Shape, level int, base int64, h *half) (map[byte]*half, error) {
	if h == nil {
		return nil, nil
	}
	if h.level < level {
		return map[byte]*half{0: h}, nil
	}
	nodes, _, err := readInner(ctx, g, magic, level, SpanRef{Span: base, ID: h.id, Sums: h.sums}, shape().Spans())
	if err != nil {
		return nil, err
	}
	out := make(map[byte]*half, len(nodes))
	for _, c := range nodes {
		out[c.slot] = &half{level: level - 1, child: c}
	}
	return out, nil
}

func slots(a, b map[byte]*half) []byte {
	var all []byte
	for s := range a {
		all = append(all, s)
	}
	for s := range b {
		if _, both := a[s]; !both {
			all = append(all, s)
		}
	}
	slices.Sort(all)
	return all
}

func (d *differ) leaf(ctx context.Context, span int64, a, b *half) error {
	before, err := d.read(ctx, d.before, span, a)
	if err != nil {
		return err
	}
	after, err := d.read(ctx, d.after, span, b)
	if err != nil {
		return err
	}
	return d.fn(span, before, after)
}

func (d *differ) read(ctx context.Context, r Root, span int64, h *half) (*Leaf, error) {
	if h == nil {
		return nil, nil
	}
	return ReadLeaf(ctx, d.get, r, SpanRef{Span: span, ID: h.id, Sums: h.sums})
}
