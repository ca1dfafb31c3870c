package pull

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"loggia/diskformat"
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
	// Fetch calls fn for frames that together hold every chunk wanted, one at a time. The bytes are
	// valid until fn returns. An error of fn ends it, and so does ctx, soon. checked: the source is to look
	// at what it sends, and to do what it can about damage; all is asked for without it first, since the puller looks anyway.
	Fetch(ctx context.Context, want []Want, checked bool, fn func(stored []byte, refs []chunk.Ref) error) error
}

// Direct gives some of what is wanted past the Source, which gives the rest.
type Direct interface {
	// Fetch is Source.Fetch, unchecked, for what it can give. That it leaves chunks out, or fails, fails no pull; an error of
	// fn ends it, and so does ctx, soon.
	Fetch(ctx context.Context, want []Want, fn func(stored []byte, refs []chunk.Ref) error) error
}

// Progress is how far a pull is, in guest bytes.
type Progress struct {
	Total   int64 // bytes of the disk that are no hole
	Resumed int64 // found right in the unfinished file of an earlier pull
	Seeded  int64 // taken from the seed
	Fetched int64 // fetched from the source
	Wire    int64 // stored bytes that were fetched
	Direct  int64 // of these, past the source
}

// Done is the number of guest bytes in place.
func (p Progress) Done() int64 { return p.Resumed + p.Seeded + p.Fetched }

// Options says what is pulled and to where.
type Options struct {
	Root chunk.ID // identity of the content
	Out  string   // file, replaced as a whole when all is there; or a block device, written in place
	Seed SeedSource
	// Known, where it is set, says what Seed holds, so that it need not be read and cut to find that out. What is taken by it
	// is hashed all the same; of a Known that fails nothing is taken, and Seed is cut.
	Known KnownChunks
	// Direct, where it is set, is asked first for all that is to be fetched.
	Direct Direct
	// Layout makes the layout of a disk of that many bytes, in a file of another format; nil writes the
	// guest's bytes as they are.
	Layout func(size int64) (diskformat.Layout, error)
	// Repack, where it is set, writes the file at the path from, which is the whole disk, into another
	// file, which then takes Out's name. It ends soon after ctx. It goes not with Layout.
	Repack   func(ctx context.Context, from string, to *os.File) error
	TempDir  string // for what does not fit into memory; "" is the system's
	InFlight int    // requests at once, default 4
	Workers  int    // goroutines that read and hash local data, default 4: most of the time they wait for the disk
	Progress func(Progress)
	// Nodes, where it is set, is given every node of the manifest, each checked against its parent.
	Nodes manifest.PutFunc
}

// KnownChunks tells the chunks of a disk and their guest offsets; known.Manifest is one.
type KnownChunks interface {
	Chunks(ctx context.Context, fn func(ref chunk.Ref, at int64) error) error
}

// SeedSource is an older disk that may hold some of the chunks. It is only read.
type SeedSource interface {
	chunk.Source
	Size() int64
}

// ErrVerification is returned where bytes are not what the manifest says.
var ErrVerification = errors.New("verification failed")

// ErrOutput is returned where Out is nothing that a disk can be written to.
var ErrOutput = errors.New("not a place for the disk")

// Run pulls the disk. It may be called again after any interruption: it goes on from the
// unfinished file beside Out, every byte of which it checks. Memory does not grow with the disk.
func Run(ctx context.Context, src Source, o Options) (Progress, error) {
	p := &puller{src: src, o: o}
	if p.o.InFlight < 1 {
		p.o.InFlight = 4
	}
	if p.o.Workers < 1 {
		p.o.Workers = 4
	}
	err := p.run(ctx)
	return p.progress(), err
}

type puller struct {
	src  Source
	o    Options
	root manifest.Root
	out  *output
	done *idset.Set // chunk -> offset in the output where this run has put it
	seed *idset.Set // chunk -> offset in the seed where it is said to be; nil where nothing is said
	dec  *codec.Decoder

	aside *behind // writes what is small; nil where nothing goes past the page cache

	resumed, seeded, fetched, wire, direct atomic.Int64

	telling sync.Mutex // held while Progress is told
}

func (p *puller) progress() Progress {
	return Progress{Total: p.root.Data, Resumed: p.resumed.Load(), Seeded: p.seeded.Load(), Fetched: p.fetched.Load(), Wire: p.wire.Load(), Direct: p.direct.Load()}
}

func (p *puller) report() {
	if p.o.Progress != nil {
		p.telling.Lock()
		defer p.telling.Unlock()
		p.o.Progress(p.progress())
	}
}

func (p *puller) run(ctx context.Context) (err error) {
	whole := ctx
	ctx, cancel := context.WithCancel(ctx) // ended by fill, too
	defer cancel()                         // ends the tree's stream before it is closed
	stream, err := p.src.Tree(ctx)
	if err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	defer stream.Close()
	if p.root, err = manifest.Open(ctx, p.streamed(stream), p.o.Root); err != nil {
		return refuse(err)
	}
	layout, err := p.layout()
	if err != nil {
		return err
	}
	if p.out, err = openOutput(p.o.Out, p.o.Root, p.root.Length, layout); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.out.close(err == nil)) }()
	if p.o.Repack != nil && p.out.name == "" {
		return fmt.Errorf("output %s: %w", p.o.Out, errInPlace)
	}
	if p.o.Repack == nil { // which reads all of it again
		p.out.allowUncached()
	}
	if err := p.fill(ctx, cancel, stream); err != nil || p.o.Repack == nil {
		return err
	}
	return p.out.repack(whole, p.o.Repack)
}

// fill writes the disk whose root was read from stream; cancel ends the stream.
func (p *puller) fill(ctx context.Context, cancel func(), stream NodeReader) (err error) {
	p.done = idset.New(p.o.TempDir, idsInMemory)
	defer p.done.Close()
	if p.out.uncached.Load() != nil {
		p.aside = newBehind(p.out, p.done)
		defer func() { err = errors.Join(err, p.aside.close()) }()
	}
	if p.dec, err = codec.NewDecoder(p.o.InFlight); err != nil {
		return err
	}
	defer p.dec.Close()
	if err := p.askKnown(ctx); err != nil {
		return err
	}
	if p.seed != nil {
		defer p.seed.Close()
	}
	if p.o.Seed == nil || p.seed != nil {
		return p.pipeline(ctx, cancel, p.streamed(stream))
	}
	kept, err := newSpool(p.o.TempDir, p.streamed(stream))
	if err != nil {
		return err
	}
	defer kept.close()
	if err := p.takeSeed(ctx, kept); err != nil {
		return err
	}
	return p.pipeline(ctx, cancel, kept)
}

// refuse gives an error of the manifest its kind.
func refuse(err error) error {
	if errors.Is(err, manifest.ErrDamaged) || errors.Is(err, manifest.ErrInvalid) || errors.Is(err, manifest.ErrLimit) {
		return fmt.Errorf("%w: %w", ErrVerification, err)
	}
	return err
}
