package collect

import (
	"context"
	"errors"
	"fmt"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/index"
	"loggia/transfer/pack"
	"loggia/transfer/repository"
)

// verbatim is the live share of a frame's plain bytes from which on it is copied as it is: frame tables vouch for it by its id.
const verbatim = 0.80

// compact moves the live part of the worst packs into new ones, makes those durable and deals the chunks out anew: the old packs have
// none left then.
func (r *Run) compact(ctx context.Context) error {
	worst := r.now.worst()
	if len(worst) == 0 {
		return nil
	}
	c := &compactor{Run: r, ctx: ctx}
	err := r.view.Packs(func(_ int, p index.Pack, d *pack.Directory) error {
		from, chosen := worst[placeOf(p)]
		if !chosen {
			return nil
		}
		delete(worst, placeOf(p)) // another segment may list it, too
		r.report.Compacted += p.Size
		return c.pack(from, d)
	})
	if err == nil {
		err = c.seal()
	}
	if err == nil {
		err = r.Writer.Flush(ctx)
	}
	if err == nil {
		_, err = r.Writer.Segment(ctx)
	}
	if err != nil {
		if ctx.Err() == nil && (errors.Is(err, repository.ErrMissing) || errors.Is(err, repository.ErrDamaged)) {
			return stop(ErrLost, "%w", err)
		}
		return err
	}
	r.report.Written = r.Writer.Stats().ObjectBytes
	return r.assign()
}

// compactor gathers live chunks of frames that are mostly dead into new frames.
type compactor struct {
	*Run
	ctx   context.Context
	kind  pack.Kind
	plain []byte
	refs  []chunk.Ref
}

// pack copies what belongs to one pack.
func (c *compactor) pack(from candidate, d *pack.Directory) error {
	if from.Kind != c.kind {
		if err := c.seal(); err != nil {
			return err
		}
		c.kind = from.Kind
	}
	live := make(map[digest.Digest][]bool)
	var locs []index.Location
	for i := range d.Frames {
		f := &d.Frames[i]
		mine, some, err := c.mine(from, f)
		if err != nil {
			return err
		}
		if some {
			live[f.ID] = mine
			locs = append(locs, index.Location{Kind: from.Kind, Epoch: from.Epoch, Pack: from.ID, PackSize: from.Size,
				FrameID: f.ID, FrameOffset: f.Offset, FrameStored: f.Stored, FramePlain: f.Plain})
		}
	}
	frames := make(map[digest.Digest]*pack.Frame, len(d.Frames))
	for i := range d.Frames {
		frames[d.Frames[i].ID] = &d.Frames[i]
	}
	return c.Repository.ReadFrames(c.ctx, locs, repository.ReadOptions{}, func(loc index.Location, stored, _ []byte) error {
		return c.frame(frames[loc.FrameID], live[loc.FrameID], stored)
	})
}

// mine says which chunks of a frame belong to the pack; one that is in it twice counts once.
func (c *compactor) mine(from candidate, f *pack.Frame) (mine []bool, some bool, err error) {
	mine = make([]bool, len(f.Chunks))
	for i, ref := range f.Chunks {
		v, known, err := c.marks.live.Get(ref.ID)
		if err != nil {
			return nil, false, err
		}
		if !known || v&^wantedOnly != c.pass<<passShift|from.number {
			continue
		}
		mine[i], some = true, true
		if err := c.marks.live.Add(ref.ID, v&wantedOnly); err != nil { // moved: nobody's until the next pass
			return nil, false, err
		}
	}
	return mine, some, nil
}

func (c *compactor) frame(f *pack.Frame, mine []bool, stored []byte) error {
	var live int64
	for i, ref := range f.Chunks {
		if mine[i] {
			live += int64(ref.Length)
			c.report.CompactedChunks++
		}
	}
	if float64(live) >= verbatim*float64(f.Plain) {
		return c.Writer.Add(c.ctx, c.kind, 0, stored, f.ID, f.Plain, f.Chunks)
	}
	return c.take(f, mine, stored)
}

// take adds the live chunks of a frame, each checked, to the frame that is being made.
func (c *compactor) take(f *pack.Frame, mine []bool, stored []byte) error {
	plain, err := frame.Decode(nil, stored, c.Repository.Decoder)
	if err != nil || len(plain) != int(f.Plain) {
		return fmt.Errorf("%w: frame %s: %d of %d bytes: %w", repository.ErrDamaged, f.ID.Short(), len(plain), f.Plain, err)
	}
	at := 0
	for i, ref := range f.Chunks {
		b := plain[at : at+int(ref.Length)] // the lengths of a frame's chunks add up to its plain length
		at += int(ref.Length)
		if !mine[i] {
			continue
		}
		if digest.Of(b) != ref.ID {
			return fmt.Errorf("%w: chunk %s has other bytes", repository.ErrDamaged, ref.ID.Short())
		}
		if len(c.plain) > 0 && len(c.plain)+len(b) > frame.DefaultTarget {
			if err := c.seal(); err != nil {
				return err
			}
		}
		c.plain = append(c.plain, b...)
		c.refs = append(c.refs, ref)
	}
	return nil
}

// seal makes a frame of what was taken.
func (c *compactor) seal() error {
	if len(c.plain) == 0 {
		return nil
	}
	stored, h, err := frame.Encode(nil, c.plain, c.Encoder)
	if err != nil {
		return err
	}
	err = c.Writer.Add(c.ctx, c.kind, 0, stored, frame.ID(stored), h.Plain, c.refs)
	c.plain, c.refs = c.plain[:0], c.refs[:0]
	return err
}
