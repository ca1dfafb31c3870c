package collect

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/idset"
	"loggia/transfer/index"
	"loggia/transfer/pack"
	"loggia/transfer/repository"
)

// The bounds of a run. What is beyond them is left to the next one.
const (
	// MaxKeys bounds a list: a TiB of packs, 11 MiB of text, one object.
	MaxKeys = 1 << 17
	// maxSegments is how many live segments one Condemn replaces.
	maxSegments   = 200
	maxCandidates = 1 << 16
	// maxDead leaves room in the list for the segments that are superseded.
	maxDead = MaxKeys - maxSegments
)

// The values of packs in assignment.packs: flags, and the object's size above them.
const (
	packLive  = 1 << iota // it has a live chunk, or is left alone
	packSeen              // it was in the listing
	packShift = 8
)

// candidate is a pack that may be worth compacting.
type candidate struct {
	index.Pack
	number uint64
	live   int64 // stored bytes of its live chunks
}

// dead is a pack that no live chunk needs.
type dead struct {
	index.Pack
	segment int  // number in the view's Refs of the first segment that lists it
	kept    bool // another segment lists it that is not rewritten now
}

// assignment says which pack every live chunk belongs to, and what follows.
type assignment struct {
	packs       *idset.Set // every pack that a segment lists, by place
	dead        map[digest.Digest]*dead
	rewrite     map[int]bool // segments to be rewritten, by number in the view's Refs
	candidates  []candidate
	livePacks   int
	unexplained int
	bytes       int64 // of packs that are live
	live        int64 // stored bytes of live chunks
}

func (a *assignment) close() error { return a.packs.Close() }

// assigner goes through packs.
type assigner struct {
	*assignment
	m      *marks
	spared func(epoch uint64) bool
	pass   uint64
	number uint64
	found  int64 // required chunks that have a pack
}

// assign deals the live chunks out to packs: those of the writer first, then the view's, newest first. Every chunk goes to the first pack
// that lists it. pass is another number each time.
func (m *marks) assign(dir string, pass uint64, v *repository.View, w *repository.Writer, spared func(uint64) bool) (*assignment, error) {
	a := &assigner{m: m, spared: spared, pass: pass, assignment: &assignment{packs: idset.New(dir, 1<<16), dead: map[digest.Digest]*dead{}, rewrite: map[int]bool{}}}
	err := w.Packs(func(p index.Pack, d *pack.Directory) error { return a.pack(-1, p, d) })
	if err == nil {
		err = v.Packs(a.pack)
	}
	if err == nil && a.found < m.required {
		err = stop(ErrUnreadable, "%d chunks of live disks are in no live segment", m.required-a.found)
	}
	if err != nil {
		return nil, fmt.Errorf("assign chunks: %w", joined(err, a.close()))
	}
	return a.assignment, nil
}

func joined(err, more error) error {
	if more != nil {
		return fmt.Errorf("%w; %w", err, more)
	}
	return err
}

// placeOf is the key of a pack in a set: the same content may lie in two places.
func placeOf(p index.Pack) chunk.ID {
	b := append([]byte{byte(p.Kind)}, p.ID[:]...)
	return digest.Of(binary.BigEndian.AppendUint64(b, p.Epoch))
}

func (a *assigner) pack(segment int, p index.Pack, d *pack.Directory) error {
	place := placeOf(p)
	if _, known, err := a.packs.Get(place); known || err != nil {
		a.again(place, segment)
		return err
	}
	a.number++
	live, explained, err := a.claim(d)
	if err != nil {
		return err
	}
	flags := uint64(p.Size) << packShift
	if live > 0 || segment < 0 || a.spared(p.Epoch) || !a.condemn(segment, place, p, explained) {
		flags |= packLive
		a.livePacks++
		a.bytes += p.Size
		a.live += live
		if segment >= 0 && live > 0 && float64(live) < worthwhile*float64(stored(d)) && len(a.candidates) < maxCandidates && !a.spared(p.Epoch) {
			a.candidates = append(a.candidates, candidate{p, a.number, live})
		}
	}
	return a.packs.Add(place, flags)
}

// again meets a pack that an earlier segment listed: a dead one goes only if this segment can be rewritten, too.
func (a *assigner) again(place chunk.ID, segment int) {
	if d := a.dead[place]; d != nil && !a.replace(segment) {
		d.kept = true
	}
}

func (a *assigner) replace(segment int) bool {
	if !a.rewrite[segment] && len(a.rewrite) == maxSegments {
		return false
	}
	a.rewrite[segment] = true
	return true
}

func (a *assigner) condemn(segment int, place chunk.ID, p index.Pack, explained bool) bool {
	if len(a.dead) == maxDead || !a.replace(segment) {
		return false
	}
	if !explained {
		a.unexplained++
	}
	a.dead[place] = &dead{Pack: p, segment: segment}
	return true
}

// claim gives the pack every live chunk that has no pack yet. live is what they take of the stored bytes; explained says whether something
// accounts for the death of the others: a chunk that another pack has, or that a deleted disk had.
func (a *assigner) claim(d *pack.Directory) (live int64, explained bool, err error) {
	for i := range d.Frames {
		f := &d.Frames[i]
		var plain int64
		for _, ref := range f.Chunks {
			v, known, err := a.m.live.Get(ref.ID)
			if err != nil {
				return 0, false, err
			}
			switch {
			case !known:
				if !explained {
					_, explained, err = a.m.gone.Get(ref.ID)
				}
			case a.owned(v):
				if v&packMask == a.number {
					break // twice in this pack
				}
				explained = true
			default:
				plain += int64(ref.Length)
				err = a.own(ref.ID, v)
			}
			if err != nil {
				return 0, false, err
			}
		}
		live += int64(f.Stored) * plain / int64(f.Plain)
	}
	return live, explained, nil
}

// stored is the bytes of a pack's frames: what else is in it comes back with every new pack, and nothing is gained where only that is left over.
func stored(d *pack.Directory) (n int64) {
	for i := range d.Frames {
		n += int64(d.Frames[i].Stored)
	}
	return n
}

func (a *assigner) owned(v uint64) bool { return v&^wantedOnly>>passShift == a.pass }

func (a *assigner) own(id chunk.ID, v uint64) error {
	if v&wantedOnly == 0 {
		a.found++
	}
	return a.m.live.Add(id, v&wantedOnly|a.pass<<passShift|a.number)
}

// The measures of compaction, as shares of bytes.
const (
	worthwhile = 0.80 // a pack of whose frames a greater share is live is never compacted
	waste      = 0.10 // dead bytes in live packs that are put up with
)

// worst chooses the packs to compact: those with the least live share, until the rest wastes little enough.
func (a *assignment) worst() map[chunk.ID]candidate {
	all := slices.Clone(a.candidates)
	slices.SortFunc(all, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(x.live*y.Size, y.live*x.Size), cmp.Compare(x.number, y.number))
	})
	out := make(map[chunk.ID]candidate)
	bytes := a.bytes
	for _, c := range all {
		if float64(bytes-a.live) <= waste*float64(bytes) {
			break
		}
		out[placeOf(c.Pack)] = c
		bytes -= c.Size - c.live
	}
	return out
}
