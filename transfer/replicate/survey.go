package replicate

import (
	"context"

	"loggia/transfer/chunk"
	"loggia/transfer/idset"
	"loggia/transfer/manifest"
)

// aheadLeaves is how many spans' leaves are asked for at once.
const aheadLeaves = 64

// idsInMemory bounds the set of planned chunks before it goes to a file.
const idsInMemory = 256 << 10

// pair is a span's leaves in both trees.
type pair struct{ leaf, table manifest.SpanRef }

// survey brings both trees of the disk into the target and writes down in p what of the disk's
// frames is missing.
func (r *run) survey(ctx context.Context, p *plan) error {
	get := newNodes(r)
	if err := get.prefetch(ctx, []chunk.ID{r.o.Disk.Root, r.o.Disk.Table}); err != nil {
		return err
	}
	root, table, err := open(ctx, get, r.o.Disk)
	if err != nil {
		return err
	}
	r.begin(table.Stored)
	old, err := r.base(ctx, get, root)
	if err != nil {
		return err
	}
	planned := idset.New(r.o.TempDir, idsInMemory)
	defer planned.Close()
	s := &surveyor{r: r, get: get, root: root, plan: p, planned: planned}
	err = manifest.TableDiff(ctx, get, old, manifest.Pair{Root: root, Table: table},
		func(leaf, table manifest.SpanRef) error { return s.add(ctx, pair{leaf, table}) },
		func(same manifest.Sums) { r.there(same.Bytes) })
	if err != nil {
		return err
	}
	return s.spans(ctx)
}

func open(ctx context.Context, get manifest.Getter, d Identity) (manifest.Root, manifest.Table, error) {
	root, err := manifest.Open(ctx, get, d.Root)
	if err != nil {
		return root, manifest.Table{}, err
	}
	table, err := manifest.OpenTable(ctx, get, d.Table, root)
	return root, table, err
}

// surveyor looks at spans one batch at a time.
type surveyor struct {
	r       *run
	get     *nodes
	root    manifest.Root
	plan    *plan
	planned *idset.Set
	batch   []pair
}

// add takes a span, and looks at it when there are enough of them.
func (s *surveyor) add(ctx context.Context, p pair) error {
	if s.batch = append(s.batch, p); len(s.batch) < aheadLeaves {
		return nil
	}
	return s.spans(ctx)
}

// spans looks at the spans gathered.
func (s *surveyor) spans(ctx context.Context) error {
	batch := s.batch
	s.batch = s.batch[:0]
	ids := make([]chunk.ID, 0, 2*len(batch))
	for _, b := range batch {
		ids = append(ids, b.leaf.ID, b.table.ID)
	}
	if err := s.get.prefetch(ctx, ids); err != nil {
		return err
	}
	for _, b := range batch {
		leaf, err := manifest.ReadLeaf(ctx, s.get, s.root, b.leaf)
		if err != nil {
			return err
		}
		table, err := manifest.ReadTableLeaf(ctx, s.get, b.table, leaf)
		if err != nil {
			return err
		}
		if err := s.span(leaf, table); err != nil {
			return err
		}
	}
	return nil
}

// span writes down each frame of the span that holds chunks which are neither there nor planned.
func (s *surveyor) span(leaf *manifest.Leaf, table *manifest.TableLeaf) error {
	mine := map[chunk.ID]bool{}
	for _, ref := range leaf.Distinct() {
		mine[ref.ID] = true
	}
	for _, f := range table.Frames {
		var want []chunk.Ref
		var plain int64 // of want
		for _, c := range f.Chunks {
			if !mine[c.ID] {
				continue
			}
			mine[c.ID] = false
			missing, err := s.missing(c.ID)
			if err != nil {
				return err
			}
			if missing {
				want = append(want, c)
				plain += int64(c.Length)
			}
		}
		s.r.there(int64(f.Stored) - int64(f.Stored)*plain/f.Plain())
		if len(want) == 0 {
			continue
		}
		if err := s.plan.add(job{frame: f, want: want}); err != nil {
			return err
		}
	}
	return nil
}

func (s *surveyor) missing(id chunk.ID) (bool, error) {
	if _, ok, err := s.planned.Get(id); err != nil || ok {
		return false, err
	}
	if ok, err := s.r.target.Has(id); err != nil || ok {
		return false, err
	}
	return true, s.planned.Add(id, 0)
}

// base opens Options.Base; a disk cut differently is of no use.
func (r *run) base(ctx context.Context, get manifest.Getter, like manifest.Root) (manifest.Pair, error) {
	if r.o.Base.Root.IsZero() {
		return manifest.Pair{}, nil
	}
	root, table, err := open(ctx, get, r.o.Base)
	if err != nil || root.Params != like.Params {
		return manifest.Pair{}, err
	}
	return manifest.Pair{Root: root, Table: table}, nil
}
