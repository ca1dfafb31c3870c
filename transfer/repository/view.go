package repository

import (
	"context"
	"fmt"
	"slices"

	"loggia/transfer/chunk"
	"loggia/transfer/index"
	"loggia/transfer/pack"
)

// View reads what one list of live segments knows. It is safe for many goroutines.
type View struct {
	*Repository
	refs     []SegmentRef     // as Open was given them
	segments []*index.Segment // of refs, in their order
	set      *index.Set
	frames   *frameCache
	nodes    *frameCache // that Prefetch brought, each by itself
}

// Open fetches what it lacks of the segments and opens them; the newest come first. Callers name
// only what the log says is live: a key that a collector has condemned is in no segment that they
// name, and so it counts as absent here.
// Errors: ErrMissing, ErrDamaged, or the store's.
func (r *Repository) Open(ctx context.Context, live []SegmentRef) (*View, error) {
	segments, err := r.openSegments(ctx, live)
	if err != nil {
		return nil, fmt.Errorf("open repository index: %w", err)
	}
	indexes := make([]index.Index, len(segments))
	for i, s := range segments {
		indexes[i] = s
	}
	return &View{Repository: r, refs: slices.Clone(live), segments: segments, set: index.NewSet(indexes...), frames: newFrameCache(frameCacheSize), nodes: newFrameCache(nodesAhead)}, nil
}

// Close closes the segments. No call may be running or follow, nor of a Location that came from v.
func (v *View) Close() error { return closeSegments(v.segments) }

// Refs names the live segments, as Open was given them.
func (v *View) Refs() []SegmentRef { return slices.Clone(v.refs) }

// Packs calls fn for every pack of every live segment, by number in Refs; what two segments list comes twice.
func (v *View) Packs(fn func(segment int, p index.Pack, dir *pack.Directory) error) error {
	for i, s := range v.segments {
		if err := s.Packs(func(p index.Pack, dir *pack.Directory) error { return fn(i, p, dir) }); err != nil {
			return fmt.Errorf("index segment %s: %w", v.refs[i].ID.Short(), err)
		}
	}
	return nil
}

// Lookup says where a chunk lies.
func (v *View) Lookup(id chunk.ID) (index.Location, bool, error) { return v.set.Lookup(id) }

// LookupAll calls found for every one of ids that the view knows.
func (v *View) LookupAll(ids []chunk.ID, found func(i int, loc index.Location) error) error {
	return v.set.LookupAll(ids, found)
}

// Has says whether the view knows the chunk.
func (v *View) Has(id chunk.ID) (bool, error) {
	_, ok, err := v.set.Lookup(id)
	return ok, err
}

// Missing returns those of ids that the view does not know, in their order.
func (v *View) Missing(ids []chunk.ID) ([]chunk.ID, error) {
	there := make([]bool, len(ids))
	if err := v.LookupAll(ids, func(i int, _ index.Location) error {
		there[i] = true
		return nil
	}); err != nil {
		return nil, err
	}
	missing := make([]chunk.ID, 0, len(ids))
	for i, id := range ids {
		if !there[i] {
			missing = append(missing, id)
		}
	}
	return missing, nil
}

// ReadChunk reads and checks one chunk. Errors: ErrMissing, ErrDamaged, or the store's.
func (v *View) ReadChunk(ctx context.Context, id chunk.ID) ([]byte, error) {
	loc, err := locate(v.set, id)
	if err != nil {
		return nil, err
	}
	plain, err := v.plainFrame(ctx, loc)
	if err != nil {
		return nil, err
	}
	return cut(plain, id, loc.PlainOffset, loc.Length)
}

// Node is ReadChunk for nodes of trees: the frames read last stay in memory, since neighbours lie
// together. It makes View a manifest.Getter. The bytes are not to be changed.
func (v *View) Node(ctx context.Context, id chunk.ID) ([]byte, error) {
	if b := v.nodes.get(id); b != nil {
		return b, nil
	}
	loc, err := locate(v.set, id)
	if err != nil {
		return nil, err
	}
	return v.frames.node(ctx, v.Repository, loc, id)
}

func locate(x index.Index, id chunk.ID) (index.Location, error) {
	loc, ok, err := x.Lookup(id)
	if err == nil && !ok {
		err = fmt.Errorf("%w: %s", ErrMissing, id.Short())
	}
	return loc, err
}
