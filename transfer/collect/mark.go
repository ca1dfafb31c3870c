package collect

import (
	"context"
	"errors"
	"fmt"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/idset"
	"loggia/transfer/manifest"
	"loggia/transfer/repository"
)

// Disk is a root and the table committed with it. Name is for people.
type Disk struct {
	Name        string
	Root, Table digest.Digest // zero Table: unknown
}

// State is what a state of the log says of a repository.
type State struct {
	Index    uint64 // of the state
	Segments []repository.SegmentRef
	Whole    []Disk   // copies that can be read: every chunk must be there
	Wanted   []Disk   // copies that are to be made or repaired: what is there stays
	Deleted  []Disk   // of tombstones
	Open     []uint64 // epochs of open claims, and of ended ones whose packs a successor may adopt
}

// The values of ids in marks.live. A chunk that has a pack also holds the pass and the pack's number in it.
const (
	wantedOnly = 1 << 63 // no whole copy needs it
	passShift  = 40
	packMask   = 1<<passShift - 1
)

// marks is what is live.
type marks struct {
	live     *idset.Set        // chunks and nodes
	seen     *idset.Set        // nodes of whole copies that were gone through
	loose    *idset.Set        // nodes of wanted copies
	gone     *idset.Set        // chunks and nodes of deleted copies that are in neither
	roots    map[chunk.ID]bool // of whole and wanted copies
	done     map[Disk]bool     // whole copies that were marked
	required int64             // chunks that must have a pack
}

func newMarks(dir string) *marks {
	return &marks{live: idset.New(dir, 0), seen: idset.New(dir, 1<<16), loose: idset.New(dir, 1<<14), gone: idset.New(dir, 1<<16),
		roots: make(map[chunk.ID]bool), done: make(map[Disk]bool)}
}

func (m *marks) close() error {
	return errors.Join(m.live.Close(), m.seen.Close(), m.loose.Close(), m.gone.Close())
}

// mark adds what a state needs. What was marked before stays: within a run marks only grow.
func (m *marks) mark(ctx context.Context, v *repository.View, s State) error {
	for _, d := range s.Whole {
		m.roots[d.Root] = true
		if m.done[d] {
			continue
		}
		if err := walk(ctx, v, d, m.enterWhole, m.require, nil); err != nil {
			if ctx.Err() != nil || !absent(err) {
				return fmt.Errorf("mark %s: %w", d.Name, err)
			}
			return stop(ErrUnreadable, "%s: %w", d.Name, err)
		}
		m.done[d] = true
	}
	for _, d := range s.Wanted {
		m.roots[d.Root] = true
	}
	if err := partly(ctx, v, s.Wanted, m.enterWanted, m.want); err != nil {
		return err
	}
	return partly(ctx, v, s.Deleted, m.enterGone, m.forget)
}

// partly goes through disks as far as they can be read.
func partly(ctx context.Context, v *repository.View, disks []Disk, enter func(chunk.ID) (bool, error), each func(chunk.ID) error) error {
	fault := func(err error) error {
		if ctx.Err() == nil && absent(err) {
			return nil
		}
		return err
	}
	for _, d := range disks {
		if d.Root.IsZero() {
			continue
		}
		if err := fault(walk(ctx, v, d, enter, each, fault)); err != nil {
			return fmt.Errorf("mark %s: %w", d.Name, err)
		}
	}
	return nil
}

// absent says whether an error means that content is not there or not what it should be, and not that the store failed.
func absent(err error) bool {
	for _, bad := range []error{repository.ErrMissing, repository.ErrDamaged, manifest.ErrDamaged, manifest.ErrInvalid, manifest.ErrLimit, manifest.ErrVersion} {
		if errors.Is(err, bad) {
			return true
		}
	}
	return false
}

// walk goes through both trees of a disk.
func walk(ctx context.Context, v *repository.View, d Disk, enter func(chunk.ID) (bool, error), each func(chunk.ID) error, fault func(error) error) error {
	visit := manifest.Visitor{Enter: enter, Fault: fault, Leaf: func(l *manifest.Leaf) error {
		for _, e := range l.Entries {
			if !e.Hole() {
				if err := each(e.ID); err != nil {
					return err
				}
			}
		}
		return nil
	}}
	root, err := manifest.Reach(ctx, v, d.Root, visit)
	if err != nil || d.Table.IsZero() {
		return err
	}
	return manifest.ReachTable(ctx, v, root, d.Table, visit)
}

func (m *marks) enterWhole(id chunk.ID) (bool, error) {
	fresh, err := m.seen.AddNew(id, 0)
	if err != nil || !fresh {
		return false, err
	}
	return true, m.require(id)
}

func (m *marks) enterWanted(id chunk.ID) (bool, error) {
	if _, known, err := m.seen.Get(id); known || err != nil {
		return false, err
	}
	fresh, err := m.loose.AddNew(id, 0)
	if err != nil || !fresh {
		return false, err
	}
	return true, m.want(id)
}

// want marks a chunk that stays if it is there.
func (m *marks) want(id chunk.ID) error {
	_, err := m.live.AddNew(id, wantedOnly)
	return err
}

// forget notes a chunk of a deleted copy.
func (m *marks) forget(id chunk.ID) error {
	_, err := m.gone.AddNew(id, 0)
	return err
}

func (m *marks) enterGone(id chunk.ID) (bool, error) {
	if _, known, err := m.seen.Get(id); known || err != nil {
		return false, err
	}
	return m.gone.AddNew(id, 0)
}

// require marks a chunk that must be there.
func (m *marks) require(id chunk.ID) error {
	fresh, err := m.live.AddNew(id, 0)
	if err != nil {
		return err
	}
	if !fresh {
		v, _, err := m.live.Get(id)
		if err != nil || v&wantedOnly == 0 {
			return err
		}
		if err := m.live.Add(id, v&^wantedOnly); err != nil {
			return err
		}
	}
	m.required++
	return nil
}
