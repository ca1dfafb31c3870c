package repository

import (
	"context"
	"slices"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/index"
)

const (
	// nodesAhead is the plain bytes of nodes that Prefetch brings at once, and what a View keeps for them.
	nodesAhead = 2 << 20
	// mostAhead is how many they are at most.
	mostAhead = 128
)

// Prefetch implements manifest.Prefetcher: the frames of many nodes are read together, neighbours with one request. A tree that changed a
// little each night lies in as many packs.
func (v *View) Prefetch(ctx context.Context, ids []chunk.ID) (n int) {
	ids, locs := v.near(ids)
	wanted := make(map[digest.Digest][]int, len(locs))
	var read []index.Location
	for i, loc := range locs {
		if v.nodes.get(ids[i]) != nil || v.frames.get(loc.FrameID) != nil {
			continue
		}
		if wanted[loc.FrameID] == nil {
			read = append(read, loc)
		}
		wanted[loc.FrameID] = append(wanted[loc.FrameID], i)
	}
	if len(read) < 2 { // Node does as well
		return len(ids)
	}
	err := v.ReadFrames(ctx, read, ReadOptions{}, func(loc index.Location, stored, _ []byte) error {
		plain, err := frame.Decode(nil, stored, v.Decoder)
		if err != nil {
			return err
		}
		for _, i := range wanted[loc.FrameID] {
			b, err := cut(plain, ids[i], locs[i].PlainOffset, locs[i].Length)
			if err != nil {
				return err
			}
			v.nodes.put(ids[i], slices.Clone(b))
		}
		return nil
	})
	if err != nil {
		return 0
	}
	return len(ids)
}

// near returns the first ids that Prefetch may bring, and where they lie.
func (v *View) near(ids []chunk.ID) ([]chunk.ID, []index.Location) {
	ids = ids[:min(len(ids), mostAhead)]
	locs, there := make([]index.Location, len(ids)), make([]bool, len(ids))
	if err := v.LookupAll(ids, func(i int, loc index.Location) error {
		locs[i], there[i] = loc, true
		return nil
	}); err != nil {
		return nil, nil
	}
	bytes, n := 0, 0
	for n < len(ids) && there[n] && bytes+int(locs[n].Length) <= nodesAhead {
		bytes += int(locs[n].Length)
		n++
	}
	return ids[:n], locs[:n]
}
