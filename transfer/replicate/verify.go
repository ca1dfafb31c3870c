package replicate

import (
	"context"
	"fmt"

	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/pack"
)

// vouched are frames that the disk's committed table lists: their id alone says what they hold.
type vouched map[chunk.ID][]chunk.Ref

// accept checks one frame and gives it to the target. It returns the chunks that it holds.
func (r *run) accept(ctx context.Context, kind pack.Kind, stored []byte, refs []chunk.Ref, known vouched, each func(ref chunk.Ref, data []byte)) ([]chunk.Ref, error) {
	head, err := frame.ParseHeader(stored)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLied, err)
	}
	id := frame.ID(stored)
	if listed, ok := known[id]; ok && each == nil {
		return listed, r.target.Add(ctx, kind, stored, id, head.Plain, listed)
	}
	if err := r.unpack(ctx, stored, int(head.Plain), refs, each); err != nil {
		return nil, err
	}
	return refs, r.target.Add(ctx, kind, stored, id, head.Plain, refs)
}

// unpack hashes every chunk of a frame that no table vouches for.
func (r *run) unpack(ctx context.Context, stored []byte, size int, refs []chunk.Ref, each func(ref chunk.Ref, data []byte)) error {
	buf, err := r.o.Pool.Get(ctx, size)
	if err != nil {
		return err
	}
	defer buf.Release()
	plain, err := frame.Decode(buf.Bytes()[:0], stored, r.o.Decoder)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLied, err)
	}
	if len(refs) == 0 {
		return fmt.Errorf("%w: a frame without chunks", ErrLied)
	}
	for _, ref := range refs {
		if int64(ref.Length) > int64(len(plain)) {
			return fmt.Errorf("%w: a frame is shorter than its chunks", ErrLied)
		}
		data := plain[:ref.Length]
		plain = plain[ref.Length:]
		if chunk.Hash(data) != ref.ID {
			return fmt.Errorf("%w: chunk %s", ErrLied, ref.ID.Short())
		}
		if each != nil {
			each(ref, data)
		}
	}
	if len(plain) > 0 {
		return fmt.Errorf("%w: a frame is longer than its chunks", ErrLied)
	}
	return nil
}
