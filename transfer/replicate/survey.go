package replicate

import (
	"context"

	"loggia/transfer/chunk"
	"loggia/transfer/idset"
	"loggia/transfer/manifest"
)

// leastLeaves and mostLeaves are how many spans' leaves are asked for at once: few at first, so that fetching begins soon.
const (
	leastLeaves = 1
	mostLeaves  = 64
)

// idsInMemory bounds the set of planned chunks before it goes to a file.
const idsInMemory = 256 << 10

// pair is a span's leaves in both trees.
type pair struct{ leaf, table manifest.SpanRef }

// survey brings both trees of the disk into the target and writes down in p what of the disk's
// frames is missing. The pieces go to found as they are known, some at a time.
func (r *run) survey(ctx context.Context, p *plan, found chan<- []*piece) error {
	get := newNodes(r)
	if err := get.take(ctx, r.o.Peeked); err != nil {
		return err
	}
	root, table, err := get.roots(ctx, r.o.Disk)
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
	s := &surveyor{r: r, get: get, root: root, plan: p, planned: planned, found: found, most: leastLeaves}
	err = manifest.TableDiff(ctx, get, old, manifest.Pair{Root: root, Table: table},
		func(leaf, table manifest.SpanRef) error { return s.add(ctx, pair{leaf, table}) },
		func(first, spans int64, same manifest.Sums) {
			r.there(same.Bytes)
			r.o.Share.addSpans(first, spans)
		})
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
	found   chan<- []*piece
	batch   []pair
	most    int // of batch
}

// add takes a span, and looks at it when there are enough of them.
func (s *surveyor) add(ctx context.Context, p pair) error {
	if s.batch = append(s.batch, p); len(s.batch) < s.most {
		return nil
	}
	s.most = min(2*s.most, mostLeaves)
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
	var pieces []*piece
	for _, b := range batch {
		leaf, err := manifest.ReadLeaf(ctx, s.get, s.root, b.leaf)
		if err != nil {
			return err
		}
		table, err := manifest.ReadTableLeaf(ctx, s.get, b.table, leaf)
		if err != nil {
			return err
		}
		if pieces, err = s.span(pieces, b.leaf.Span, leaf, table); err != nil {
			return err
		}
	}
	if len(pieces) == 0 {
		return nil
	}
	select {
	case s.found <- pieces:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// span writes down the frames of the span that hold chunks which are neither there nor planned, and appends
// the pieces that they make.
func (s *surveyor) span(pieces []*piece, span int64, leaf *manifest.Leaf, table *manifest.TableLeaf) ([]*piece, error) {
	mine := map[chunk.ID]bool{}
	for _, ref := range leaf.Distinct() {
		mine[ref.ID] = true
	}
	var there uint32
	for g, frames := range groups(table) {
		var jobs []job
		for _, f := range frames {
			want, err := s.wanted(f, mine)
			if err != nil {
				return nil, err
			}
			if len(want) > 0 {
				jobs = append(jobs, job{frame: f, want: want})
			}
		}
		if len(jobs) == 0 {
			there |= 1 << g
			continue
		}
		p, err := s.plan.add(Piece{span, uint8(g)}, jobs)
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, p)
	}
	s.r.o.Share.add(span, there)
	return pieces, nil
}

// wanted returns the chunks of a frame that are to be fetched; mine are those of the span that no frame before it holds.
func (s *surveyor) wanted(f manifest.Frame, mine map[chunk.ID]bool) (want []chunk.Ref, err error) {
	var plain int64 // of want
	for _, c := range f.Chunks {
		if !mine[c.ID] {
			continue
		}
		mine[c.ID] = false
		missing, err := s.missing(c.ID)
		if err != nil {
			return nil, err
		}
		if missing {
			want = append(want, c)
			plain += int64(c.Length)
		}
	}
	s.r.there(int64(f.Stored) - int64(f.Stored)*plain/f.Plain())
	return want, nil
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
