package replicate

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/codec"
	"loggia/transfer/pack"
)

// Target is the repository that is written, under one claim. It is safe for use by many goroutines.
type Target interface {
	// Missing returns those of ids that are not there, neither in a live segment nor accepted by Add under this claim, in their order.
	// Chunks that lie together are best asked for together, in the order in which they lie.
	Missing(ids []chunk.ID) ([]chunk.ID, error)
	// Node returns a manifest or table node that is there.
	Node(ctx context.Context, id chunk.ID) ([]byte, error)
	// Add keeps a frame whose chunks are verified. It may wait for the store.
	Add(ctx context.Context, kind pack.Kind, lane uint64, stored []byte, id chunk.ID, plain uint32, refs []chunk.Ref) error
	// Hasten says that little more will come: what is gathered may go to the store now. It does not wait.
	Hasten()
}

// Identity is a root and the table committed with it. The zero value names nothing.
type Identity struct {
	Root, Table chunk.ID
}

// Options says what is copied and how.
type Options struct {
	Disk    Identity
	Peeked  *Peeked  // what Peek read of the disk; nil: nothing
	Base    Identity // a disk that is whole in the target already: its equal parts are passed over
	Sources []Source // nearest first; at least one that is no Member
	// Refresh returns the sources as they are now: it is asked about once a second, and must be quick. nil: they
	// stay as they are.
	Refresh func() []Source
	Region  string  // our name in the dealing out of pieces; only where there are Members
	Share   *Share  // is told the pieces that are there. nil: nobody is
	Speeds  *Speeds // what is known of the sources, and is learned. nil: nothing
	Streams int     // requests at once to each source; 0: as its distance wants
	TempDir string  // for the plan
	// Pool lends the memory for unpacking, 1 MiB for the whole run and before anything else is asked
	// for: sources may use the same pool.
	Pool    *buffer.Pool
	Decoder *codec.Decoder
	Stall   time.Duration // how long a source may send nothing before it counts as failed, default 1 min
	// Progress is told often, by one goroutine at a time, and must be quick.
	Progress func(Progress)
}

// Run copies the disk: it compares the trees with what is there and fetches the chunks that are
// missing. When it returns nil everything was accepted by the target; making that durable and
// committing it are the caller's. Memory does not grow with the disk.
func Run(ctx context.Context, target Target, o Options) error {
	r, end, err := begin(ctx, target, o)
	if err != nil {
		return err
	}
	defer end()
	p, err := newPlan(o.TempDir)
	if err != nil {
		return err
	}
	defer p.close()
	if err := r.copy(ctx, p); err != nil {
		return err
	}
	r.end()
	return nil
}

// begin makes a run that has its memory; end gives that back.
func begin(ctx context.Context, target Target, o Options) (r *run, end func(), err error) {
	if len(o.Sources) == 0 {
		return nil, nil, ErrNoSource
	}
	if o.Stall <= 0 {
		o.Stall = defaultStall
	}
	if o.Speeds == nil {
		o.Speeds = NewSpeeds()
	}
	mem, err := o.Pool.Get(ctx, unpackRoom)
	if err != nil {
		return nil, nil, fmt.Errorf("memory to unpack in: %w", err)
	}
	r = newRun(target, o)
	r.unpacking <- mem.Bytes()
	return r, mem.Release, nil
}

// run is one copy under way.
type run struct {
	target    Target
	o         Options
	places    *places
	wants     *wants
	unpacking chan []byte // holds the memory to unpack in, while nobody does

	meter
}

func newRun(target Target, o Options) *run {
	r := &run{target: target, o: o, places: &places{speeds: o.Speeds, now: time.Now}, wants: newWants(), unpacking: make(chan []byte, 1),
		meter: meter{tell: o.Progress, now: time.Now, last: time.Now(), at: map[*place]int{}}}
	return r
}

// copy surveys and fetches at once.
func (r *run) copy(ctx context.Context, p *plan) error {
	found := make(chan []*piece)
	d := newDispatcher(r, p)
	d.refresh(r.o.Sources)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := r.survey(ctx, p, found); err != nil {
			return fmt.Errorf("compare trees: %w", err)
		}
		close(found)
		return nil
	})
	g.Go(func() error {
		if err := d.run(ctx, found); err != nil {
			return fmt.Errorf("fetch chunks: %w", err)
		}
		return nil
	})
	return g.Wait()
}
