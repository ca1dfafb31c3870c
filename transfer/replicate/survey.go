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
	missing, err := s.missing(ids(leaf.Distinct()))
	if err != nil {
		return nil, err
	}
	var there uint32
	for g, frames := range groups(table) {
		var jobs []job
		for _, f := range frames {
			if want := s.wanted(f, missing); len(want) > 0 {
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

// wanted returns the chunks of a frame that are to be fetched, and takes them from the span's missing ones: no frame behind it is asked for them.
func (s *surveyor) wanted(f manifest.Frame, missing map[chunk.ID]struct{}) (want []chunk.Ref) {
	var plain int64 // of want
	for _, c := range f.Chunks {
		if _, ok := missing[c.ID]; ok {
			delete(missing, c.ID)
			want = append(want, c)
			plain += int64(c.Length)
		}
	}
	s.r.there(int64(f.Stored) - int64(f.Stored)*plain/f.Plain())
	return want
}

// missing returns those of a span's chunks that are neither there nor planned: they are planned from now on.
func (s *surveyor) missing(ids []chunk.ID) (map[chunk.ID]struct{}, error) {
	ids, err := s.r.target.Missing(ids)
	if err != nil {
		return nil, err
	}
	missing := make(map[chunk.ID]struct{}, len(ids))
	for _, id := range ids {
		first, err := s.planned.AddNew(id, 0)
		if err != nil {
			return nil, err
		}
		if first {
			missing[id] = struct{}{}
		}
	}
	return missing, nil
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
