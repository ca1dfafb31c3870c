package replicate

import (
	"context"
	"fmt"

	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/manifest"
)

// vouched are frames that the disk's committed table lists: their id alone says what they hold.
type vouched map[chunk.ID][]chunk.Ref

// accept checks frames and gives them to the target, one after the other: those before one that is wrong are kept. h computes their ids together.
func (r *run) accept(ctx context.Context, s *place, frames []Arrived, h *chunk.Hasher, d delivery) error {
	for _, f := range frames {
		h.Add(f.Stored)
	}
	for i, id := range h.IDs() {
		if err := r.admit(ctx, s, id, frames[i], d); err != nil {
			return err
		}
	}
	return nil
}

// admit checks the frame with an id and gives it to the target. One of which nothing is wanted is passed over:
// what nobody asked for is not kept.
func (r *run) admit(ctx context.Context, s *place, id chunk.ID, f Arrived, d delivery) error {
	stored, refs := f.Stored, f.Refs
	head, err := frame.ParseHeader(stored)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLied, err)
	}
	listed, known := d.known[id]
	if known {
		refs = listed
	}
	if !d.takes.wants(refs) {
		r.wasted(s, int64(len(stored)))
		return nil
	}
	if !known {
		if err := r.unpack(ctx, stored, refs, d.each); err != nil {
			return err
		}
	}
	return d.takes.keep(refs, len(stored), func(lane uint64) error {
		if err := r.target.Add(ctx, d.kind, lane, stored, id, head.Plain, refs); err != nil {
			return fmt.Errorf("keep a frame: %w", err)
		}
		return nil
	})
}

// unpackRoom is the memory that a run unpacks frames in, in bytes: one frame at a time. No publisher of
// ours makes frames that need more; for those that do the memory is not the pool's.
const unpackRoom = 1 << 20

// unpack hashes every chunk of a frame that no table vouches for. each is shown chunks of a frame that is right as a whole: what is not kept would
// be taken for kept.
func (r *run) unpack(ctx context.Context, stored []byte, refs []chunk.Ref, each func(ref chunk.Ref, data []byte)) error {
	if len(refs) > manifest.MaxFrameChunks {
		return fmt.Errorf("%w: a frame of %d chunks", ErrLied, len(refs))
	}
	var room []byte
	select {
	case room = <-r.unpacking:
		defer func() { r.unpacking <- room }()
	case <-ctx.Done():
		return ctx.Err()
	}
	plain, err := frame.Decode(room[:0], stored, r.o.Decoder)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLied, err)
	}
	var h chunk.Hasher
	left := plain
	for _, ref := range refs {
		if ref.Length == 0 || int64(ref.Length) > int64(len(left)) {
			return fmt.Errorf("%w: %d bytes of a frame cannot be a chunk of %d", ErrLied, len(left), ref.Length)
		}
		h.Add(left[:ref.Length])
		left = left[ref.Length:]
	}
	if len(left) > 0 {
		return fmt.Errorf("%w: a frame is longer than its chunks", ErrLied)
	}
	for i, id := range h.IDs() {
		if id != refs[i].ID {
			return fmt.Errorf("%w: chunk %s", ErrLied, refs[i].ID.Short())
		}
	}
	if each == nil {
		return nil
	}
	for _, ref := range refs {
		each(ref, plain[:ref.Length])
		plain = plain[ref.Length:]
	}
	return nil
}
