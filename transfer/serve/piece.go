package serve

import (
	"bytes"
	"cmp"
	"slices"

	"loggia/transfer/chunk"
	"loggia/transfer/index"
	"loggia/transfer/wire"
)

// piece is a frame and the chunks of it that are wanted.
type piece struct {
	loc  index.Location
	want []part      // in order of offset
	refs []chunk.Ref // all its chunks, where it is sent whole; nil otherwise
	sent bool
}

// part is one chunk in an unpacked frame.
type part struct {
	id             chunk.ID
	offset, length uint32
}

// locate finds the frames of the wanted chunks, in order of place, and returns what the view lacks.
// It holds about 100 bytes for each chunk.
func locate(v Holding, want []chunk.ID) (pieces []*piece, absent []chunk.ID, err error) {
	byFrame := make(map[chunk.ID]*piece)
	there := make([]bool, len(want))
	err = v.LookupAll(want, func(i int, loc index.Location) error {
		there[i] = true
		p := byFrame[loc.FrameID]
		if p == nil {
			p = &piece{loc: loc}
			byFrame[loc.FrameID] = p
			pieces = append(pieces, p)
		}
		p.want = append(p.want, part{want[i], loc.PlainOffset, loc.Length})
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	seen := make(map[chunk.ID]bool)
	for i, id := range want {
		if !there[i] && !seen[id] {
			seen[id] = true
			absent = append(absent, id)
		}
	}
	slices.SortFunc(pieces, comparePlaces)
	for _, p := range pieces {
		slices.SortFunc(p.want, func(a, b part) int { return cmp.Compare(a.offset, b.offset) })
		p.want = slices.Compact(p.want)
	}
	return pieces, absent, nil
}

func comparePlaces(a, b *piece) int {
	return cmp.Or(cmp.Compare(a.loc.Kind, b.loc.Kind), cmp.Compare(a.loc.Epoch, b.loc.Epoch),
		bytes.Compare(a.loc.Pack[:], b.loc.Pack[:]), cmp.Compare(a.loc.FrameOffset, b.loc.FrameOffset))
}

// decide chooses the pieces that go out whole: where half is wanted, framing anew would cost more
// than it saves.
func (o Options) decide(pieces []*piece) error {
	for _, p := range pieces {
		var wanted uint64
		for _, c := range p.want {
			wanted += uint64(c.length)
		}
		if 2*wanted < uint64(p.loc.FramePlain) {
			continue
		}
		refs, err := p.loc.Chunks()
		if err != nil {
			return err
		}
		if len(refs) <= wire.MaxRefs && (o.Whole == nil || o.Whole(refs)) {
			p.refs = refs
		}
	}
	return nil
}
