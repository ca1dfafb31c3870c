package serve

import (
	"context"
	"errors"
	"fmt"

	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/index"
	"loggia/transfer/repository"
)

// Options say how chunks are sent.
type Options struct {
	Pool    *buffer.Pool       // lends the memory in which chunks are framed anew
	Decoder frame.Decompressor // unpacks frames of which a part is wanted
	Encoder frame.Compressor   // compresses what is framed anew; nil stores it plain
	// Whole says whether the reader may have every chunk of a frame, and so the frame as it is
	// stored. nil: yes.
	Whole func(refs []chunk.Ref) bool
	// Unchecked sends frames that go out as they are stored without a look at their ids: who asks checks each, and asks without this
	// for what was wrong. It saves a hash of all that is sent.
	Unchecked bool
	// Damaged is told of frames that the repository should have and cannot give: repair is called
	// for. nil: nobody is told.
	Damaged func(error)
}

// Holding is where chunks are sent from: a repository.View, or a repository.Writer with what it has so far.
type Holding interface {
	// LookupAll calls found for every one of ids that is there, with its place in ids.
	LookupAll(ids []chunk.ID, found func(i int, loc index.Location) error) error
	// ReadFrames and ReadFrame read what LookupAll found, as Repository's do.
	ReadFrames(ctx context.Context, locs []index.Location, o repository.ReadOptions, fn repository.UseFrame) error
	ReadFrame(ctx context.Context, loc index.Location, buf []byte) ([]byte, error)
}

// FrameWriter takes what is sent; wire.Writer is one. It keeps no reference to its arguments.
type FrameWriter interface {
	Frame(refs []chunk.Ref, stored []byte) error
	Missing(ids []chunk.ID) error
}

// Frames sends frames that together hold the wanted chunks, and the ids of those that are not there or
// cannot be read, which it also returns. A frame of which at least half of the plain bytes is wanted
// goes out as it is stored; of the others the wanted chunks are framed anew, neighbours together.
// Every frame has the id that the index says, unless Options.Unchecked, and every chunk framed anew its own.
//
// Memory: that of ReadFrames first, with room for what is framed anew; then, for what could not be done so, one piece of Options.Pool of
// at most a few MiB, never both at once, so that both may be of the same pool.
// Errors: of w, of the store, or of ctx.
func Frames(ctx context.Context, v Holding, want []chunk.ID, o Options, w FrameWriter) (missing []chunk.ID, err error) {
	pieces, absent, err := locate(v, want)
	if err != nil {
		return nil, fmt.Errorf("look wanted chunks up: %w", err)
	}
	if err := o.decide(pieces); err != nil {
		return nil, fmt.Errorf("look wanted chunks up: %w", err)
	}
	s := &sender{Options: o, view: v, out: w}
	left, err := s.sendTogether(ctx, pieces)
	if err != nil {
		return nil, fmt.Errorf("send frames: %w", err)
	}
	lost, err := s.sendParts(ctx, left)
	if err != nil {
		return nil, fmt.Errorf("send parts of frames: %w", err)
	}
	if missing = append(absent, lost...); len(missing) > 0 {
		err = w.Missing(missing)
	}
	return missing, err
}

// sender answers one request.
type sender struct {
	Options
	view Holding
	out  FrameWriter
}

// sendTogether sends the pieces with few requests: neighbours are read at once, whether they go out as they are stored or are framed
// anew. It returns those that are left to be read one by one, a few at once: parts that lie alone, those that there is no room to unpack,
// and all that come after damage.
func (s *sender) sendTogether(ctx context.Context, pieces []*piece) (left []*piece, err error) {
	var locs []index.Location
	byFrame := make(map[chunk.ID]*piece, len(pieces))
	anew := s.anew(pieces)
	for i, p := range pieces {
		if p.refs != nil || anew.left > 0 && beside(pieces, i) {
			locs = append(locs, p.loc)
			byFrame[p.loc.FrameID] = p
		}
	}
	var refused error // by the writer
	o := repository.ReadOptions{Room: anew.most(), Unchecked: func(loc index.Location) bool {
		return s.Unchecked || byFrame[loc.FrameID].refs == nil // framer.use checks the chunks
	}}
	err = s.view.ReadFrames(ctx, locs, o, func(loc index.Location, stored, room []byte) error {
		p := byFrame[loc.FrameID]
		if p.refs == nil {
			refused = anew.take(p, stored, room)
			return refused
		}
		if refused = s.out.Frame(p.refs, stored); refused == nil {
			p.sent = true
		}
		return refused
	})
	switch {
	case refused != nil:
		return nil, refused
	case err != nil && !damage(err):
		return nil, err
	}
	for _, p := range pieces {
		if !p.sent {
			left = append(left, p)
		}
	}
	return left, nil
}

// beside says whether a piece, of all in order of place, is read in one request with the one before it or behind it.
func beside(pieces []*piece, i int) bool {
	near := func(a, b index.Location) bool {
		return a.Kind == b.Kind && a.Epoch == b.Epoch && a.Pack == b.Pack && b.FrameOffset-a.FrameOffset-int64(a.FrameStored) <= repository.ReadGap
	}
	return i > 0 && near(pieces[i-1].loc, pieces[i].loc) || i+1 < len(pieces) && near(pieces[i].loc, pieces[i+1].loc)
}

// roomShare is the part of the pool within which the longest frame and the room to frame its chunks anew must lie, to be lent together.
const roomShare = 4

// gathering frames parts anew while frames are read. Its chunks are out when the last piece was taken.
type gathering struct {
	*sender
	need
	framer *framer  // nil before the first
	left   int      // pieces to come
	taken  []*piece // not yet sent
}

// anew looks for the pieces that are to be framed anew and lie beside others. There are none where the room for them, and the longest
// frame, are more than is to be lent together.
func (s *sender) anew(pieces []*piece) *gathering {
	g := &gathering{sender: s, need: s.need(pieces)}
	g.slots = 0
	if int64(g.stored+g.room()) > s.Pool.Budget()/roomShare {
		return g
	}
	for i, p := range pieces {
		if p.refs == nil && beside(pieces, i) {
			g.left++
		}
	}
	return g
}

// most is the room that is needed, before the first piece.
func (g *gathering) most() int {
	if g.left == 0 {
		return 0
	}
	return g.room()
}

// take gathers what is wanted of a frame, where there is room. A frame that is damaged is left. The error is the writer's.
func (g *gathering) take(p *piece, stored, room []byte) error {
	g.left--
	if g.framer == nil && len(room) >= g.room() {
		g.framer = g.need.framer(g.sender, room)
	}
	if g.framer == nil {
		return nil
	}
	if err := g.framer.use(p, stored); err == nil {
		g.taken = append(g.taken, p)
	}
	if g.framer.refused != nil || g.left > 0 {
		return g.framer.refused
	}
	if err := g.framer.flush(); err != nil {
		return err
	}
	for _, p := range g.taken {
		p.sent = true
	}
	return nil
}

// damage says whether an error concerns one frame only.
func damage(err error) bool {
	return errors.Is(err, repository.ErrDamaged) || errors.Is(err, repository.ErrMissing)
}
