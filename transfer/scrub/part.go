package scrub

import (
	"encoding/binary"
	"slices"

	"loggia/internal/digest"
)

// End is the position after the last one.
const End = 1 << 32

// Position is where an id lies among all: its first 32 bits. Ids are digests, so a part of the positions is such a part of any store.
func Position(id digest.Digest) uint64 { return uint64(binary.BigEndian.Uint32(id[:4])) }

// Part is what a check reads whole while it looks only at existence and length of the rest: long checks are made in parts, a cursor on.
type Part struct {
	From, To uint64          // positions: From <= To <= End
	Again    []digest.Digest // objects that are read wherever they lie
	// Reached hears, in steps from From on, below which position everything of the part was read; by then existence and length of everything
	// have been looked at. An error ends the check.
	Reached func(to uint64) error
}

// holds says whether an id lies in the part.
func (p *Part) holds(id digest.Digest) bool {
	at := Position(id)
	return p.From <= at && at < p.To
}

// stepPacks is about how many packs are read between two words of how far the check is; maxSteps bounds the passes over the segments.
const (
	stepPacks = 32
	maxSteps  = 256
)

// steps are the ends of the steps in which the part of a repository of so many packs is read.
func (p *Part) steps(packs int64) []uint64 {
	width := p.To - p.From
	n := min(maxSteps, 1+uint64(float64(packs)*float64(width)/End/stepPacks))
	var out []uint64
	for i := range n {
		out = append(out, p.From+width*(i+1)/n)
	}
	return out
}

// reads says whether the object with an id is read whole.
func (c *check) reads(id digest.Digest) bool {
	return !c.Quick && (c.Part == nil || c.Part.holds(id) || slices.Contains(c.Part.Again, id))
}
