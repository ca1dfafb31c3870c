// Package serve is what a holder of a disk does for those who lack it: it finds, reads and sends frames.
package serve

import (
	"context"
	"errors"
	"fmt"

	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/index"
	"loggia/transfer/manifest"
	"loggia/transfer/repository"
)

// Sink takes what is sent; wire.Writer is one.
type Sink interface {
	Frame(refs []chunk.Ref, stored []byte) error
	Missing(ids []chunk.ID) error
}

// Options is what serving needs.
type Options struct {
	Pool    *buffer.Pool
	Decoder frame.Decompressor
	Encoder frame.Compressor
	// Whole says whether all of a frame's chunks may be shown to the reader; nil: they may. A
	// frame that may not is framed anew with what was asked for.
	Whole func(refs []chunk.Ref) bool
}

// request is what is wanted of the frames of one view.
type request struct {
	o      Options
	sink   Sink
	want   map[chunk.ID]bool // not sent yet
	anew   *reframer
	whole  []index.Location // frames to send as they are stored
	partly []index.Location
}

// Frames sends frames that together hold every wanted chunk which the view knows, and returns the
// others, which it also tells the sink. A frame of which at least half is wanted goes as it is stored;
// of others the wanted chunks are framed anew. Memory does not grow with what is wanted, but for a list of places.
func Frames(ctx context.Context, v *repository.View, want []chunk.ID, o Options, sink Sink) ([]chunk.ID, error) {
	r := &request{o: o, sink: sink, want: make(map[chunk.ID]bool, len(want))}
	for _, id := range want {
		r.want[id] = true
	}
	missing, err := r.locate(v, want)
	if err != nil {
		return nil, err
	}
	if err := v.ReadFrames(ctx, r.whole, r.sendWhole); err != nil {
		return nil, err
	}
	if err := r.reframe(ctx, v); err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		err = sink.Missing(missing)
	}
	return missing, err
}

// locate finds the frames and sorts out which go whole.
func (r *request) locate(v *repository.View, want []chunk.ID) ([]chunk.ID, error) {
	type place struct {
		loc    index.Location
		wanted uint32 // plain bytes
	}
	frames := map[chunk.ID]*place{}
	var order []chunk.ID
	found := make([]bool, len(want))
	err := v.LookupAll(want, func(i int, loc index.Location) error {
		found[i] = true
		p := frames[loc.FrameID]
		if p == nil {
			p = &place{loc: loc}
			frames[loc.FrameID] = p
			order = append(order, loc.FrameID)
		}
		p.wanted += loc.Length
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, id := range order {
		p := frames[id]
		whole := 2*p.wanted >= p.loc.FramePlain
		if whole && r.o.Whole != nil {
			refs, err := p.loc.Chunks()
			if err != nil {
				return nil, err
			}
			whole = r.o.Whole(refs)
		}
		if whole {
			r.whole = append(r.whole, p.loc)
		} else {
			r.partly = append(r.partly, p.loc)
		}
	}
	var missing []chunk.ID
	for i, ok := range found {
		if !ok {
			missing = append(missing, want[i])
		}
	}
	return missing, nil
}

func (r *request) sendWhole(loc index.Location, stored []byte) error {
	refs, err := loc.Chunks()
	if err != nil {
		return err
	}
	for _, ref := range refs {
		delete(r.want, ref.ID)
	}
	return r.sink.Frame(refs, stored)
}

// reframe sends what is wanted of the other frames.
func (r *request) reframe(ctx context.Context, v *repository.View) error {
	if len(r.partly) == 0 {
		return nil
	}
	// A frame being unpacked and two being made: taken at once, since who holds one part while it
	// waits for another could wait for ever.
	mem, err := r.o.Pool.Get(ctx, frame.MaxPlain/2+frame.DefaultTarget+frame.Bound(frame.DefaultTarget))
	if err != nil {
		return fmt.Errorf("memory to frame anew: %w", err)
	}
	defer mem.Release()
	r.anew = newReframer(mem.Bytes(), r.o.Encoder, r.sink)
	for _, loc := range r.partly {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.part(ctx, v, loc); err != nil {
			return err
		}
	}
	return r.anew.flush()
}

// part takes the wanted chunks out of one frame.
func (r *request) part(ctx context.Context, v *repository.View, loc index.Location) error {
	refs, err := loc.Chunks()
	if err != nil {
		return err
	}
	stored, err := v.ReadFrame(ctx, loc, r.anew.read)
	if err != nil {
		return err
	}
	r.anew.read = stored[:cap(stored)]
	plain, err := frame.Decode(r.anew.plain[:0], stored, r.o.Decoder)
	if err != nil {
		return fmt.Errorf("%w: frame %s: %w", repository.ErrDamaged, loc.FrameID.Short(), err)
	}
	r.anew.plain = plain[:0]
	for _, ref := range refs {
		if int(ref.Length) > len(plain) {
			return fmt.Errorf("%w: frame %s is shorter than its chunks", repository.ErrDamaged, loc.FrameID.Short())
		}
		data := plain[:ref.Length]
		plain = plain[ref.Length:]
		if !r.want[ref.ID] {
			continue
		}
		delete(r.want, ref.ID)
		if err := r.anew.add(ref, data); err != nil {
			return err
		}
	}
	return nil
}

// Tree sends every node of a disk's manifest, in the order in which a reader walks it.
func Tree(ctx context.Context, g manifest.Getter, id chunk.ID, w interface{ Node([]byte) error }) error {
	root, err := manifest.Open(ctx, g, id)
	if err != nil {
		return err
	}
	return manifest.Nodes(ctx, g, root, func(_ chunk.ID, node []byte) error { return w.Node(node) })
}

// Ask is chunks of one span.
type Ask struct {
	Span int64
	IDs  []chunk.ID
}

// ErrNotInDisk is returned for a chunk that is not in the span that it was asked of: a reader gets
// chunks of the disk that it may read, and learns of no others.
var ErrNotInDisk = errors.New("chunk is not in this span of the disk")

// Wanted checks the asks against the disk and returns the chunks.
func Wanted(ctx context.Context, g manifest.Getter, root manifest.Root, asks []Ask) ([]chunk.ID, error) {
	var out []chunk.ID
	it := manifest.Leaves(g, root)
	for _, a := range asks {
		if a.Span < 0 || a.Span >= root.Shape().Spans() {
			return nil, fmt.Errorf("%w: span %d", ErrNotInDisk, a.Span)
		}
		it.SeekSpan(a.Span)
		ref, leaf, err := it.Next(ctx)
		if err != nil || ref.Span != a.Span {
			return nil, errors.Join(fmt.Errorf("%w: span %d holds none", ErrNotInDisk, a.Span), err)
		}
		mine := make(map[chunk.ID]bool, len(leaf.Entries))
		for _, e := range leaf.Entries {
			mine[e.ID] = !e.Hole()
		}
		for _, id := range a.IDs {
			if !mine[id] {
				return nil, fmt.Errorf("%w: chunk %s, span %d", ErrNotInDisk, id.Short(), a.Span)
			}
		}
		out = append(out, a.IDs...)
	}
	return out, nil
}

// Local is a repository of this very node as a source of copies (replicate.Source but for its name).
type Local struct {
	View    *repository.View
	Options Options
}

// Fetch calls fn for frames that hold the wanted chunks and returns those that the view lacks.
func (l Local) Fetch(ctx context.Context, want []chunk.ID, fn func(stored []byte, refs []chunk.Ref) error) ([]chunk.ID, error) {
	return Frames(ctx, l.View, want, l.Options, caller(fn))
}

type caller func(stored []byte, refs []chunk.Ref) error

func (c caller) Frame(refs []chunk.Ref, stored []byte) error { return c(stored, refs) }
func (c caller) Missing([]chunk.ID) error                    { return nil }
