package scrub

import (
	"context"
	"errors"
	"fmt"

	"loggia/blobstore"
	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/collect"
	"loggia/transfer/idset"
	"loggia/transfer/index"
	"loggia/transfer/manifest"
	"loggia/transfer/repository"
)

// Kind says what is wrong.
type Kind string

// The kinds of findings.
const (
	Lost      Kind = "lost"      // an object that is needed is not there
	Damaged   Kind = "damaged"   // an object that is needed has other bytes or another length
	Unindexed Kind = "unindexed" // a live disk names content that no live segment knows
	Orphaned  Kind = "orphaned"  // nothing names the object; a collection takes it
	Unknown   Kind = "unknown"   // the key is none of ours: nothing takes the object away
)

// Finding is one thing that is not as it should be.
type Finding struct {
	Kind   Kind
	Key    string // of the object; empty for content without one
	Size   int64  // bytes listed or expected
	Disk   string // name of the disk, where one is known
	Detail string
	Pack   *index.Pack // where the object is a pack that a live segment lists
	Record bool        // where it is a version record; Disk names whose
}

// Bad says whether something needs repair or a person.
func (f Finding) Bad() bool { return f.Kind != Orphaned }

// Progress is how far a check is; Total is known from the segments.
type Progress struct {
	Packs, PacksTotal int64
	Bytes, BytesTotal int64 // read, or looked at where they are not to be read
	Disks             int64

	ReadPacks, ReadBytes int64 // whole, and checked
}

// Options says what is checked.
type Options struct {
	Repository *repository.Repository // its requests paced
	State      collect.State
	Condemned  func(key string) bool // keys that wait to be deleted; nil: none
	TempDir    string
	Quick      bool  // existence and lengths only
	Part       *Part // what is read whole where the check is not quick; nil: everything
	Found      func(Finding) error
	Progress   func(Progress) // often, and must be quick
}

// Run checks one repository. It returns an error only where it cannot go on: what is wrong with the content are findings.
func Run(ctx context.Context, o Options) error {
	c := &check{Options: o, known: idset.New(o.TempDir, 0), needed: idset.New(o.TempDir, 1<<16), roots: map[digest.Digest]bool{}, recorded: map[digest.Digest]bool{}, open: map[uint64]bool{}}
	for _, e := range o.State.Open {
		c.open[e] = true
	}
	err := c.run(ctx)
	return errors.Join(err, c.known.Close(), c.needed.Close())
}

// The values of packs in check.needed: flags, and the listed size above them.
const (
	flagNeeded = 1 << iota // a live chunk lies in it
	flagListed             // a live segment lists it
	flagSeen               // the store does
	sizeShift  = 8
)

// check is one Run.
type check struct {
	Options
	view     *repository.View
	known    *idset.Set // nodes and chunks of live disks that were looked up
	needed   *idset.Set // packs, by place
	roots    map[digest.Digest]bool
	recorded map[digest.Digest]bool // roots that have a version record
	open     map[uint64]bool
	progress Progress
}

func (c *check) run(ctx context.Context) error {
	segments, err := c.segments(ctx)
	if err != nil {
		return err
	}
	if c.view, err = c.Repository.Open(ctx, segments); err != nil {
		return err
	}
	defer c.view.Close()
	if err := c.total(); err != nil {
		return err
	}
	for _, d := range c.State.Whole {
		c.roots[d.Root] = true
		if err := c.disk(ctx, d); err != nil {
			return err
		}
		c.progress.Disks++
		c.tell()
	}
	for _, d := range c.State.Wanted {
		c.roots[d.Root] = true
	}
	if err := c.list(ctx); err != nil {
		return err
	}
	if err := c.records(); err != nil {
		return err
	}
	return c.packs(ctx)
}

func (c *check) tell() {
	if c.Progress != nil {
		c.Progress(c.progress)
	}
}

// segments returns the live segments that can be opened; what is wrong with one in the store is a finding, though a local copy may serve.
func (c *check) segments(ctx context.Context) ([]repository.SegmentRef, error) {
	var good []repository.SegmentRef
	for _, ref := range c.State.Segments {
		key := c.Repository.Keys.Segment(ref.Epoch, ref.ID)
		f, err := c.object(ctx, key, ref.Size, ref.ID)
		if err != nil {
			return nil, err
		}
		if f != nil {
			if err := c.Found(*f); err != nil {
				return nil, err
			}
		}
		v, err := c.Repository.Open(ctx, []repository.SegmentRef{ref})
		if absent(err) {
			continue // its content is unindexed, and said so
		}
		if err != nil {
			return nil, err
		}
		good = append(good, ref)
		if err := v.Close(); err != nil {
			return nil, err
		}
	}
	return good, nil
}

// object looks at an object whose SHA-256 is known: nil where it is as it should be.
func (c *check) object(ctx context.Context, key string, size int64, id digest.Digest) (*Finding, error) {
	info, err := c.Repository.Store.Stat(ctx, key)
	switch {
	case errors.Is(err, blobstore.ErrNotFound):
		return &Finding{Kind: Lost, Key: key, Size: size}, nil
	case err != nil:
		return nil, fmt.Errorf("look at %s: %w", key, err)
	case info.Size != size:
		return &Finding{Kind: Damaged, Key: key, Size: info.Size, Detail: fmt.Sprintf("%d bytes, want %d", info.Size, size)}, nil
	case !c.reads(id):
		return nil, nil
	}
	b, f, err := c.read(ctx, key, size)
	if f == nil && err == nil && digest.Of(b) != id {
		f = &Finding{Kind: Damaged, Key: key, Size: size, Detail: "other bytes than its name says"}
	}
	return f, err
}

// disk goes through both trees of a live disk and looks every chunk up.
func (c *check) disk(ctx context.Context, d collect.Disk) error {
	var missing int64
	var example chunk.ID
	look := func(id chunk.ID) (bool, error) {
		if fresh, err := c.known.AddNew(id, 0); err != nil || !fresh {
			return false, err
		}
		loc, ok, err := c.view.Lookup(id)
		if err != nil {
			return false, err
		}
		if !ok {
			missing, example = missing+1, id
			return true, nil // reading it says so, too
		}
		return true, c.need(index.Pack{Kind: loc.Kind, Epoch: loc.Epoch, ID: loc.Pack, Size: loc.PackSize})
	}
	faults := 0
	visit := manifest.Visitor{Enter: look, Leaf: func(l *manifest.Leaf) error {
		for _, e := range l.Entries {
			if !e.Hole() {
				if _, err := look(e.ID); err != nil {
					return err
				}
			}
		}
		return nil
	}, Fault: func(err error) error {
		if ctx.Err() != nil || !absent(err) {
			return err
		}
		if faults++; faults > 1 {
			return nil // one for each disk: its packs are named singly
		}
		return c.Found(Finding{Kind: Unindexed, Disk: d.Name, Detail: "its tree cannot be read whole: " + err.Error()})
	}}
	root, err := manifest.Reach(ctx, c.view, d.Root, visit)
	if err == nil && !d.Table.IsZero() {
		err = manifest.ReachTable(ctx, c.view, root, d.Table, visit)
	}
	if err != nil {
		if err = visit.Fault(err); err != nil {
			return fmt.Errorf("check disk %s: %w", d.Name, err)
		}
	}
	if missing > 0 {
		return c.Found(Finding{Kind: Unindexed, Disk: d.Name, Detail: fmt.Sprintf("%d chunks are in no live segment, such as %s", missing, example)})
	}
	return nil
}

// absent says whether an error is about content, and not the store.
func absent(err error) bool {
	for _, bad := range []error{repository.ErrMissing, repository.ErrDamaged, manifest.ErrDamaged, manifest.ErrInvalid, manifest.ErrLimit, manifest.ErrVersion} {
		if errors.Is(err, bad) {
			return true
		}
	}
	return false
}

func (c *check) need(p index.Pack) error { return c.flag(p, flagNeeded) }

// flag sets flags of a pack.
func (c *check) flag(p index.Pack, flags uint64) error {
	place := placeOf(p)
	v, _, err := c.needed.Get(place)
	if err != nil || v|flags == v {
		return err
	}
	return c.needed.Add(place, v|flags)
}
