package publish

import (
	"context"
	"fmt"
	"io"
	"runtime"

	"loggia/internal/digest"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/manifest"
)

// MaxBatch bounds a batch, in bytes: what a node takes in one request.
const MaxBatch = 8 << 20

// Remote is one upload at one node. Its errors end Run and are returned wrapped; nothing is tried
// again here: the caller opens the upload again, there or at another node, and calls Run anew, which then
// sends only what is not durable.
type Remote interface {
	// Known calls fn with the ids of the chunks that need not be sent.
	Known(ctx context.Context, fn func(chunk.ID) error) error
	// Spans calls fn with the spans that are finished, which need not even be read.
	Spans(ctx context.Context, fn func(manifest.SpanRef) error) error
	// Send sends a batch, a stream of package wire, and returns when the node has accepted it.
	// It is called by several goroutines and keeps no reference to batch. worker, from 0 on, tells batches apart that are made at the
	// same time of different parts of the disk: those of one follow each other.
	Send(ctx context.Context, worker int, batch []byte) error
}

// Source is the guest bytes of a disk; diskformat.Disk is one. Its methods are called by many
// goroutines. Where it also has a method Check() error, that is called after each span and at the
// end: its error says that the disk changed while it was read.
type Source interface {
	io.ReaderAt
	// NextData returns the first run of bytes at or after off that may hold data.
	NextData(off int64) (start, end int64, err error)
	// Size is the disk's length in bytes.
	Size() int64
}

// Options say how to publish. The zero value of a field is its default.
type Options struct {
	Params   chunk.Params // how to cut: chunk.DefaultParams
	Pool     *buffer.Pool // where all buffers come from, at once; required
	Workers  int          // spans in work at once: one per CPU, at least 2, as far as three quarters of Pool reach
	InFlight int          // batches on their way at once: 3
	Batch    int          // bytes of a batch, at most MaxBatch: 4 MiB
	Frame    int          // plain bytes of a frame, at most frame.MaxPlain: 512 KiB
	TempDir  string       // where sets of ids spill to that do not fit in memory: os.TempDir
	SHA256   bool         // also compute the flat digest of the whole disk

	// Nodes, where it is set, is given the manifest's nodes, by several goroutines, but for those of spans that an earlier Run has
	// finished.
	Nodes manifest.PutFunc

	// Progress is told now and then, by one goroutine at a time, and must be quick.
	Progress func(Progress)
}

// Progress says how far a publish is. Numbers never fall.
type Progress struct {
	BytesRead  int64 // guest bytes done with, holes and finished spans included
	DataBytes  int64 // of these, bytes that are no hole
	SentStored int64 // stored bytes of frames that the node has accepted
	Total      int64 // guest bytes of the disk
}

// Result says what a disk is, and what it took to send it.
type Result struct {
	Root     digest.Digest // identity of the content
	Manifest manifest.Root // the node that Root names
	Size     int64         // guest bytes
	Data     int64         // guest bytes that are no hole
	SHA256   digest.Digest // of the whole disk, where asked for

	Skipped    int64 // data bytes in spans that were finished already
	SentPlain  int64 // bytes of chunks sent
	SentStored int64 // the same as stored bytes of frames
	SentFrames int64
	SentChunks int64
	SentLeaves int64
	SentWire   int64 // bytes of the batches
}

// withDefaults fills in what is zero and refuses what cannot be.
func (o Options) withDefaults() (Options, error) {
	if o.Params == (chunk.Params{}) {
		o.Params = chunk.DefaultParams()
	}
	set := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	set(&o.InFlight, 3)
	set(&o.Batch, 4<<20)
	set(&o.Frame, 512<<10)
	if err := o.Params.Validate(); err != nil {
		return o, err
	}
	o.Frame = max(o.Frame, int(o.Params.Max))
	if o.Workers == 0 {
		o.Workers = o.affordable()
	}
	switch {
	case o.Pool == nil:
		return o, fmt.Errorf("publish without a buffer pool")
	case o.Workers < 1 || o.InFlight < 1:
		return o, fmt.Errorf("publish with %d workers and %d batches in flight", o.Workers, o.InFlight)
	case o.Frame > frame.MaxPlain:
		return o, fmt.Errorf("publish with frames of %d bytes, the most is %d", o.Frame, frame.MaxPlain)
	case o.Batch > MaxBatch || o.Batch < o.leastBatch():
		return o, fmt.Errorf("publish with batches of %d bytes, want %d to %d", o.Batch, o.leastBatch(), MaxBatch)
	}
	return o, nil
}

// affordable is the default number of workers.
func (o Options) affordable() int {
	o.Workers = max(2, runtime.GOMAXPROCS(0))
	for o.Pool != nil && o.Workers > 2 && int64(o.need(true)) > o.Pool.Budget()/4*3 {
		o.Workers--
	}
	return o.Workers
}
