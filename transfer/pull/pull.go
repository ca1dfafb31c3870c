package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"loggia/transfer/chunk"
	"loggia/transfer/codec"
	"loggia/transfer/idset"
	"loggia/transfer/manifest"
)

// Want asks for chunks of one span.
type Want struct {
	Span int64
	IDs  []chunk.ID
}

// NodeReader gives the nodes of a manifest in the order of manifest.Nodes, and io.EOF behind the last.
type NodeReader interface {
	// Next returns a node whose bytes are valid until the next call.
	Next() ([]byte, error)
	Close() error
}

// Source is where the disk is pulled from. It is safe for use by many goroutines and does its own
// retries; nothing that it returns is believed.
type Source interface {
	Tree(ctx context.Context) (NodeReader, error)
	// Fetch calls fn for frames that together hold every chunk wanted. The bytes are valid until
	// fn returns.
	Fetch(ctx context.Context, want []Want, fn func(stored []byte, refs []chunk.Ref) error) error
}

// Progress is how far a pull is, in guest bytes.
type Progress struct {
	Total   int64 // bytes of the disk that are no hole
	Resumed int64 // found right in the unfinished file of an earlier pull
	Seeded  int64 // taken from the seed
	Fetched int64 // fetched from the source
	Wire    int64 // stored bytes that were fetched
}

// Done is the number of guest bytes in place.
func (p Progress) Done() int64 { return p.Resumed + p.Seeded + p.Fetched }

// Options says what is pulled and to where.
type Options struct {
	Root     chunk.ID // identity of the content
	Out      string   // file, replaced as a whole when all is there; or a block device, written in place
	Seed     SeedSource
	TempDir  string // for what does not fit into memory; "" is the system's
	InFlight int    // requests at once, default 4
	Workers  int    // goroutines that read and hash local data, default 2
	Progress func(Progress)
}

// SeedSource is an older disk that may hold some of the chunks. It is only read.
type SeedSource interface {
	chunk.Source
	Size() int64
}

// ErrVerification is returned where bytes are not what the manifest says.
var ErrVerification = errors.New("verification failed")

// Run pulls the disk. It may be called again after any interruption: it goes on from the
// unfinished file beside Out, every byte of which it checks. Memory does not grow with the disk.
func Run(ctx context.Context, src Source, o Options) (Progress, error) {
	p := &puller{src: src, o: o}
	if p.o.InFlight < 1 {
		p.o.InFlight = 4
	}
	if p.o.Workers < 1 {
		p.o.Workers = 2
	}
	err := p.run(ctx)
	return p.progress(), err
}

type puller struct {
	src  Source
	o    Options
	root manifest.Root
	out  *output
	seed *idset.Set // chunk -> offset in the seed
	done *idset.Set // chunk -> offset in the output
	dec  *codec.Decoder

	resumed, seeded, fetched, wire atomic.Int64
}

func (p *puller) progress() Progress {
	return Progress{Total: p.root.Data, Resumed: p.resumed.Load(), Seeded: p.seeded.Load(), Fetched: p.fetched.Load(), Wire: p.wire.Load()}
}

func (p *puller) report() {
	if p.o.Progress != nil {
		p.o.Progress(p.progress())
	}
}

func (p *puller) run(ctx context.Context) (err error) {
	tree, err := p.src.Tree(ctx)
	if err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	defer tree.Close()
	nodes := streamed{tree}
	if p.root, err = manifest.Open(ctx, nodes, p.o.Root); err != nil {
		return p.refuse(err)
	}
	if p.out, err = openOutput(p.o.Out, p.o.Root, p.root.Length); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.out.close(err == nil)) }()
	p.done, p.seed = idset.New(p.o.TempDir, idsInMemory), idset.New(p.o.TempDir, idsInMemory)
	defer p.done.Close()
	defer p.seed.Close()
	if p.dec, err = codec.NewDecoder(p.o.InFlight); err != nil {
		return err
	}
	defer p.dec.Close()
	if err := p.indexSeed(ctx); err != nil {
		return err
	}
	return p.pipeline(ctx, nodes)
}

// refuse gives an error of the manifest its kind.
func (p *puller) refuse(err error) error {
	if errors.Is(err, manifest.ErrDamaged) || errors.Is(err, manifest.ErrInvalid) {
		return fmt.Errorf("%w: %w", ErrVerification, err)
	}
	return err
}

// idsInMemory bounds each set of ids before it goes to a file.
const idsInMemory = 256 << 10

// span is a leaf on its way through the pipeline.
type span struct {
	number int64
	leaf   *manifest.Leaf
}

// fetchJob is what of a span nobody here has.
type fetchJob struct {
	want   Want
	places map[chunk.ID][]int64 // guest offsets
	length map[chunk.ID]uint32
}

// pipeline reads leaves, looks locally for their chunks, and fetches the rest.
func (p *puller) pipeline(ctx context.Context, nodes manifest.Getter) error {
	g, ctx := errgroup.WithContext(ctx)
	spans := make(chan span, p.o.Workers)
	jobs := make(chan fetchJob, p.o.InFlight)
	g.Go(func() error {
		defer close(spans)
		return p.refuse(p.readLeaves(ctx, nodes, spans))
	})
	local, lctx := errgroup.WithContext(ctx)
	for range p.o.Workers {
		local.Go(func() error { return p.lookLocally(lctx, spans, jobs) })
	}
	g.Go(func() error {
		defer close(jobs)
		return local.Wait()
	})
	for range p.o.InFlight {
		g.Go(func() error { return p.fetchJobs(ctx, jobs) })
	}
	return g.Wait()
}

func (p *puller) readLeaves(ctx context.Context, nodes manifest.Getter, spans chan<- span) error {
	size, next := p.root.Shape().Span, int64(0)
	err := manifest.Walk(ctx, nodes, p.root, func(n int64, leaf *manifest.Leaf) error {
		if err := p.out.hole(next, n*size-next); err != nil {
			return err
		}
		next = min((n+1)*size, p.root.Length)
		select {
		case spans <- span{n, leaf}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err != nil {
		return err
	}
	return p.out.hole(next, p.root.Length-next)
}

// streamed turns the order of manifest.Nodes back into a Getter: the tree is walked in the very
// order in which it is sent, and the walk checks each node's digest.
type streamed struct{ NodeReader }

func (s streamed) Node(context.Context, chunk.ID) ([]byte, error) {
	b, err := s.Next()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}
