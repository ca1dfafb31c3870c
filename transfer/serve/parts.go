package serve

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/repository"
	"loggia/transfer/wire"
)

// readers is how many frames are read at once where they are read one by one.
const readers = 4

// sendParts reads pieces one by one, a few at once, and sends what is wanted of them. It returns the
// chunks of those that cannot be read.
func (s *sender) sendParts(ctx context.Context, pieces []*piece) (lost []chunk.ID, err error) {
	if len(pieces) == 0 {
		return nil, nil
	}
	n := s.need(pieces)
	mem, err := s.Pool.Get(ctx, n.total())
	if err != nil {
		return nil, fmt.Errorf("memory to frame chunks: %w", err)
	}
	defer mem.Release()
	f := n.framer(s, mem.Bytes())
	for round := range slices.Chunk(pieces, n.slots) {
		errs, err := f.read(ctx, round)
		if err != nil {
			return nil, err
		}
		for i, p := range round {
			if errs[i] == nil {
				errs[i] = f.use(p, f.slots[i][:p.loc.FrameStored])
			}
			if f.refused != nil {
				return nil, f.refused
			}
			if errs[i] != nil {
				lost = append(lost, s.lose(p, errs[i])...)
			}
		}
	}
	return lost, f.flush()
}

// lose tells of damage and returns what it costs.
func (s *sender) lose(p *piece, err error) (ids []chunk.ID) {
	if s.Damaged != nil {
		s.Damaged(err)
	}
	for _, c := range p.want {
		ids = append(ids, c.id)
	}
	return ids
}

// need is the memory for the parts, in bytes.
type need struct {
	slots  int // frames read at once
	stored int // of the longest frame
	plain  int // of the longest frame to unpack, with frame.Slack
	gather int // of a frame made anew
}

func (s *sender) need(pieces []*piece) need {
	n := need{slots: min(readers, len(pieces))}
	sum, longest := 0, 0
	for _, p := range pieces {
		n.stored = max(n.stored, int(p.loc.FrameStored))
		if p.refs != nil {
			continue
		}
		n.plain = max(n.plain, int(p.loc.FramePlain)+frame.Slack)
		for _, c := range p.want {
			sum += int(c.length)
			longest = max(longest, int(c.length))
		}
	}
	n.gather = max(longest, min(sum, frame.DefaultTarget))
	for n.slots > 1 && int64(n.total()) > s.Pool.Budget()/4 {
		n.slots--
	}
	return n
}

func (n need) total() int { return n.slots*n.stored + n.room() }

// room is for what is unpacked, gathered and framed.
func (n need) room() int { return n.plain + n.gather + frame.Bound(n.gather) }

// framer makes frames of chunks, in memory that was lent.
type framer struct {
	*sender
	slots   [][]byte
	plain   []byte // room of the frame that is unpacked
	gather  []byte // chunks of the next frame
	refs    []chunk.Ref
	stored  []byte // room of the frame that is sent
	hasher  chunk.Hasher
	refused error // by the writer; final
}

func (n need) framer(s *sender, mem []byte) *framer {
	take := func(size int) []byte {
		b := mem[:size:size]
		mem = mem[size:]
		return b
	}
	f := &framer{sender: s}
	for range n.slots {
		f.slots = append(f.slots, take(n.stored))
	}
	f.plain, f.gather, f.stored = take(n.plain), take(n.gather)[:0], take(frame.Bound(n.gather))
	return f
}

// read reads one frame into each slot. Damage is an error of that frame alone.
func (f *framer) read(ctx context.Context, round []*piece) ([]error, error) {
	errs := make([]error, len(round))
	g, ctx := errgroup.WithContext(ctx)
	for i, p := range round {
		g.Go(func() error {
			_, err := f.view.ReadFrame(ctx, p.loc, f.slots[i])
			if damage(err) {
				errs[i], err = err, nil
			}
			return err
		})
	}
	return errs, g.Wait()
}

// use sends a frame, or gathers what is wanted of it. The error says that the frame is not what the
// index promises; then nothing of it was used. What the writer says is in refused.
func (f *framer) use(p *piece, stored []byte) error {
	if p.refs != nil {
		f.refused = f.out.Frame(p.refs, stored)
		return nil
	}
	plain, err := frame.Decode(f.plain[:0], stored, f.Decoder)
	if err != nil {
		return fmt.Errorf("%w: frame %s: %w", repository.ErrDamaged, p.loc.FrameID.Short(), err)
	}
	f.hasher.Reset() // of a frame that was too short
	for _, c := range p.want {
		if uint64(c.offset)+uint64(c.length) > uint64(len(plain)) {
			return fmt.Errorf("%w: chunk %s of frame %s", repository.ErrDamaged, c.id.Short(), p.loc.FrameID.Short())
		}
		f.hasher.Add(plain[c.offset : c.offset+c.length])
	}
	for i, id := range f.hasher.IDs() {
		if c := p.want[i]; id != c.id {
			return fmt.Errorf("%w: chunk %s of frame %s", repository.ErrDamaged, c.id.Short(), p.loc.FrameID.Short())
		}
	}
	for _, c := range p.want {
		if f.refused = f.add(c.id, plain[c.offset:c.offset+c.length]); f.refused != nil {
			return nil
		}
	}
	return nil
}

func (f *framer) add(id chunk.ID, data []byte) error {
	if len(f.gather)+len(data) > cap(f.gather) || len(f.refs) == wire.MaxRefs {
		if err := f.flush(); err != nil {
			return err
		}
	}
	f.gather = append(f.gather, data...)
	f.refs = append(f.refs, chunk.Ref{ID: id, Length: uint32(len(data))})
	return nil
}

// flush sends what was gathered.
func (f *framer) flush() error {
	if len(f.refs) == 0 {
		return nil
	}
	stored, _, err := frame.Encode(f.stored[:0], f.gather, f.Encoder)
	if err != nil {
		return err
	}
	if err := f.out.Frame(f.refs, stored); err != nil {
		return err
	}
	f.gather, f.refs = f.gather[:0], f.refs[:0]
	return nil
}
