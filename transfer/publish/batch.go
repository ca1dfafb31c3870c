package publish

import (
	"fmt"

	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
	"loggia/transfer/wire"
)

// batch is one stream of records in a buffer of fixed capacity.
type batch struct {
	buf    []byte
	w      *wire.Writer
	stored int64 // stored bytes of the frames in it
	worker int   // whose it is
}

func newBatch(mem []byte) *batch {
	b := &batch{buf: mem[:0:len(mem)], w: wire.NewWriter(nil)}
	b.reset()
	return b
}

func (b *batch) reset() {
	b.buf, b.stored = b.buf[:0], 0
	b.w.Reset(b)
}

// Write appends to the buffer, which fits has made sure of.
func (b *batch) Write(p []byte) (int, error) {
	if len(p) > cap(b.buf)-len(b.buf) {
		return 0, fmt.Errorf("batch of %d bytes is full", cap(b.buf))
	}
	b.buf = append(b.buf, p...)
	return len(p), nil
}

// fits says whether a record of so many bytes can be added and the end behind it.
func (b *batch) fits(record int) bool {
	return b.w.Size()+int64(record)+wire.EndSize <= int64(cap(b.buf))
}

func (b *batch) empty() bool { return len(b.buf) == 0 }

func (b *batch) frame(refs []chunk.Ref, stored []byte) error {
	b.stored += int64(len(stored))
	return b.w.Frame(refs, stored)
}

func (b *batch) leaf(span int64, node []byte) error { return b.w.Leaf(span, node) }

// maxRefs is the most chunks that a worker puts in one frame.
func (o Options) maxRefs() int { return min(wire.MaxRefs, o.Frame/int(o.Params.Min)+1) }

// leastBatch is the shortest batch that holds every frame and every leaf.
func (o Options) leastBatch() int {
	record := max(wire.FrameSize(o.maxRefs(), storedBound(o.Frame)), wire.LeafSize(manifest.MaxNode))
	return wire.HeaderSize + record + wire.EndSize
}
