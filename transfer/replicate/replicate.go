package replicate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/codec"
	"loggia/transfer/pack"
)

// Source is a place that holds the disk or a part of it: another region's node, or another
// repository of the same region. It is safe for use by many goroutines. Nothing that it sends is believed.
type Source interface {
	// Name says for people where the bytes come from.
	Name() string
	// Fetch asks for chunks and calls fn for each frame that arrives, in any order, one at a time;
	// bytes and refs are valid until fn returns. A chunk asked for comes in one frame at least, or
	// its id is returned as missing. An error of fn ends it, and so does ctx, soon.
	Fetch(ctx context.Context, want []chunk.ID, fn func(stored []byte, refs []chunk.Ref) error) (missing []chunk.ID, err error)
}

// Target is the repository that is written, under one claim. It is safe for use by many goroutines.
type Target interface {
	// Has says whether the chunk is there: in a live segment, or accepted by Add under this claim.
	Has(id chunk.ID) (bool, error)
	// Node returns a manifest or table node that is there.
	Node(ctx context.Context, id chunk.ID) ([]byte, error)
	// Add keeps a frame whose chunks are verified. It may wait for the store.
	Add(ctx context.Context, kind pack.Kind, stored []byte, id chunk.ID, plain uint32, refs []chunk.Ref) error
}

// Identity is a root and the table committed with it. The zero value names nothing.
type Identity struct {
	Root, Table chunk.ID
}

// Options says what is copied and how.
type Options struct {
	Disk    Identity
	Base    Identity // a disk that is whole in the target already: its equal parts are passed over
	Sources []Source // nearest first; at least one
	Streams int      // requests at once to each source, default 3
	TempDir string   // for the plan
	// Pool lends the memory for unpacking, 1 MiB for the whole run and before anything else is asked
	// for: sources may use the same pool.
	Pool    *buffer.Pool
	Decoder *codec.Decoder
	Stall   time.Duration // how long a source may send nothing before it counts as failed, default 1 min
	// Progress is told often, by one goroutine at a time, and must be quick.
	Progress func(Progress)
}

// Progress is how far the copy is, in stored bytes. Numbers never fall, and at the end Have and Sent
// make Total.
type Progress struct {
	Total  int64 // of all frames that hold the disk's chunks, counted in every span that lists them
	Have   int64 // of these, what needs not be fetched
	Sent   int64 // fetched and kept
	Wire   int64 // frames that arrived, those of tree nodes too
	Source string

	Sources []SourceProgress // as they were asked; not changed after it was told
	Retries int              // requests that were made again, elsewhere or later
	Wasted  int64            // bytes that arrived and were not kept
}

// SourceProgress is what one source did so far.
type SourceProgress struct {
	Name     string
	Bytes    int64  // that came from it and were kept
	InFlight int    // requests that are open
	Failed   string // why it is not asked any more
}

// The reasons for giving up. The copy can be begun again and goes on from what was kept.
var (
	// ErrNoSource: no source holds a chunk that is needed.
	ErrNoSource = errors.New("no source holds what is needed")
	// ErrLied: a source sent bytes that are not what they claim to be.
	ErrLied = errors.New("source sent wrong bytes")
)

// Run copies the disk: first the trees, compared with what is there, then the chunks that are
// missing. When it returns nil everything was accepted by the target; making that durable and
// committing it are the caller's. Memory does not grow with the disk.
func Run(ctx context.Context, target Target, o Options) error {
	if len(o.Sources) == 0 {
		return ErrNoSource
	}
	if o.Streams < 1 {
		o.Streams = 3
	}
	if o.Stall <= 0 {
		o.Stall = defaultStall
	}
	mem, err := o.Pool.Get(ctx, unpackRoom)
	if err != nil {
		return fmt.Errorf("memory to unpack in: %w", err)
	}
	defer mem.Release()
	r := &run{target: target, o: o, sources: newPlaces(o.Sources), unpacking: make(chan []byte, 1), meter: meter{tell: o.Progress}}
	r.unpacking <- mem.Bytes()
	p, err := newPlan(o.TempDir)
	if err != nil {
		return err
	}
	defer p.close()
	if err := r.survey(ctx, p); err != nil {
		return fmt.Errorf("compare trees: %w", err)
	}
	if err := r.fetchAll(ctx, p); err != nil {
		return fmt.Errorf("fetch chunks: %w", err)
	}
	r.end()
	return nil
}

// run is one copy under way.
type run struct {
	target    Target
	o         Options
	sources   *places
	unpacking chan []byte // holds the memory to unpack in, while nobody does

	meter
}
