package serve

import (
	"fmt"
	"slices"

	"loggia/transfer/chunk"
	"loggia/transfer/index"
	"loggia/transfer/pack"
	"loggia/transfer/wire"
)

// The bounds of ranges that are read from a store without us. A request costs about as much as a MiB.
const (
	MaxRanges   = 256       // of one answer
	rangeTarget = 8 << 20   // bytes up to which neighbours are joined: a pack; what a connection that breaks costs
	rangeLeast  = 128 << 10 // bytes below which a range is left to us, who join it with others over gaps
)

// Range is whole frames that follow each other in a pack without a gap, so that who reads it gets nothing else.
type Range struct {
	First  index.Location // of the first frame
	Length int64          // bytes of all
	Frames []wire.RangeFrame
}

// Ranges finds what of the wanted chunks a reader may fetch from the store by itself: frames of which at least half is wanted
// and of which it may read every chunk, as may says. It returns at most MaxRanges, the longest where there are more, in
// order of place; what they do not hold is left to Frames.
func Ranges(v Holding, want []chunk.ID, may func(chunk.ID) bool) ([]Range, error) {
	pieces, _, err := locate(v, want)
	if err != nil {
		return nil, fmt.Errorf("look wanted chunks up: %w", err)
	}
	o := Options{Whole: func(refs []chunk.Ref) bool {
		return !slices.ContainsFunc(refs, func(r chunk.Ref) bool { return !may(r.ID) })
	}}
	if err := o.decide(pieces); err != nil {
		return nil, fmt.Errorf("look wanted chunks up: %w", err)
	}
	var ranges []Range
	for _, p := range pieces {
		if len(p.refs) == 0 || p.loc.Kind != pack.Data || p.loc.Pack.IsZero() {
			continue
		}
		f := wire.RangeFrame{Stored: p.loc.FrameStored, Refs: p.refs}
		if n := len(ranges); n > 0 && ranges[n-1].takes(p.loc) {
			ranges[n-1].Length += int64(f.Stored)
			ranges[n-1].Frames = append(ranges[n-1].Frames, f)
			continue
		}
		ranges = append(ranges, Range{p.loc, int64(f.Stored), []wire.RangeFrame{f}})
	}
	return longest(slices.DeleteFunc(ranges, func(r Range) bool { return r.Length < rangeLeast })), nil
}

// Beside returns what of the wanted chunks no range holds.
func Beside(ranges []Range, want []chunk.ID) []chunk.ID {
	held := map[chunk.ID]bool{}
	for _, x := range ranges {
		wire.AddChunks(held, x.Frames)
	}
	return slices.DeleteFunc(slices.Clone(want), func(id chunk.ID) bool { return held[id] })
}

// takes says whether a frame lies right behind the range, and there is room.
func (r *Range) takes(loc index.Location) bool {
	f := r.First
	return f.Kind == loc.Kind && f.Epoch == loc.Epoch && f.Pack == loc.Pack && f.FrameOffset+r.Length == loc.FrameOffset &&
		r.Length+int64(loc.FrameStored) <= rangeTarget
}

// longest keeps the longest MaxRanges, in their order.
func longest(ranges []Range) []Range {
	if len(ranges) <= MaxRanges {
		return ranges
	}
	lengths := make([]int64, 0, len(ranges))
	for _, r := range ranges {
		lengths = append(lengths, r.Length)
	}
	slices.Sort(lengths)
	rest := lengths[len(lengths)-MaxRanges:]
	least, ties := rest[0], 0 // of which there is room for so many
	for ties < len(rest) && rest[ties] == least {
		ties++
	}
	return slices.DeleteFunc(ranges, func(r Range) bool {
		if r.Length == least {
			ties--
			return ties < 0
		}
		return r.Length < least
	})
}
