package bare

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"loggia/diskformat"
	"loggia/transfer/chunk"
	"loggia/transfer/index"
	"loggia/transfer/known"
	"loggia/transfer/manifest"
	"loggia/transfer/pack"
	"loggia/transfer/repository"
)

// folder is where manifests of local images are kept, to pull with them as seeds.
func (t *task) folder() known.Folder { return known.Folder(filepath.Join(t.work, "disks")) }

// publish brings the image into the repository of a.
func (t *task) publish(ctx context.Context) (err error) {
	guard, err := diskformat.Watch(t.image)
	if err != nil {
		return err
	}
	src, err := diskformat.Open(t.image, diskformat.Options{})
	if err != nil {
		return err
	}
	defer src.Close()
	r, err := t.region(ctx, regionA)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	w, err := r.writer(ctx)
	if err != nil {
		return err
	}
	defer w.Close()
	p, err := newPublisher(src, r, w)
	if err != nil {
		return err
	}
	d, err := p.run(ctx)
	if err != nil {
		return err
	}
	if err := r.commit(ctx, w, d); err != nil {
		return err
	}
	t.known.Disks[t.name] = d
	return p.nodes.Keep(ctx, t.folder(), guard.Stamp(), d.Root)
}

// publishChecked is publish with the check of what a client sends.
func (t *task) publishChecked(ctx context.Context) error {
	t.checked = true
	return t.publish(ctx)
}

// publisher is a publish under way.
type publisher struct {
	src     diskformat.Disk
	params  chunk.Params
	region  *region
	w       *repository.Writer
	builder *manifest.Builder
	nodes   *known.Recorder
	next    atomic.Int64     // span to take
	leaves  []*manifest.Leaf // by span; each is of the worker that has the span

	mu     sync.Mutex
	frames map[chunk.ID]*manifest.Frame // that hold what is known; nil while a worker makes one
}

func newPublisher(src diskformat.Disk, r *region, w *repository.Writer) (*publisher, error) {
	p := &publisher{src: src, params: chunk.DefaultParams(), region: r, w: w, nodes: known.NewRecorder(), frames: map[chunk.ID]*manifest.Frame{}}
	p.leaves = make([]*manifest.Leaf, p.shape().Spans())
	var err error
	if p.builder, err = manifest.NewBuilder(p.params, src.Size(), p.put); err != nil {
		return nil, err
	}
	return p, p.learn()
}

func (p *publisher) shape() manifest.Shape {
	return manifest.Shape{Length: p.src.Size(), Span: int64(p.params.Span)}
}

// learn notes all that the repository holds.
func (p *publisher) learn() error {
	return p.region.view.Packs(func(_ int, of index.Pack, dir *pack.Directory) error {
		if of.Kind != pack.Data {
			return nil
		}
		for _, f := range dir.Frames {
			p.keep(&manifest.Frame{ID: f.ID, Stored: f.Stored, Chunks: slices.Clone(f.Chunks)})
		}
		return nil
	})
}

// keep notes in which frame chunks lie.
func (p *publisher) keep(f *manifest.Frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ref := range f.Chunks {
		p.frames[ref.ID] = f
	}
}

// fresh says whether the chunk is the caller's to bring, once.
func (p *publisher) fresh(id chunk.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.frames[id]; ok {
		return false
	}
	p.frames[id] = nil
	return true
}

func (p *publisher) put(ctx context.Context, id chunk.ID, node []byte) error {
	if err := p.nodes.Put(ctx, id, node); err != nil {
		return err
	}
	return p.w.PutNode(ctx, id, node)
}

// run works all spans off and builds the trees.
func (p *publisher) run(ctx context.Context) (disk, error) {
	g, working := errgroup.WithContext(ctx)
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error { return p.work(working) })
	}
	if err := g.Wait(); err != nil {
		return disk{}, err
	}
	root, err := p.builder.Finish(ctx)
	if err != nil {
		return disk{}, fmt.Errorf("build manifest: %w", err)
	}
	table, err := p.table(ctx, root)
	if err != nil {
		return disk{}, fmt.Errorf("build table: %w", err)
	}
	return disk{Root: root.ID(), Table: table.ID(), Size: root.Length}, nil
}

// table says in which frames the disk lies. It comes last: two spans may share a chunk of which only the worker of one knows the frame.
func (p *publisher) table(ctx context.Context, root manifest.Root) (manifest.Table, error) {
	b := manifest.NewTableBuilder(root, p.w.PutNode)
	for span, leaf := range p.leaves {
		if leaf == nil || leaf.Sums().Count == 0 {
			continue
		}
		t, err := manifest.NewTableLeaf(leaf, func(ref chunk.Ref) (manifest.Frame, error) { return *p.frames[ref.ID], nil })
		if err != nil {
			return manifest.Table{}, err
		}
		if _, err := b.AddLeaf(ctx, int64(span), leaf, t); err != nil {
			return manifest.Table{}, err
		}
	}
	return b.Finish(ctx)
}
