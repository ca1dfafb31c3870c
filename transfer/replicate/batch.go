package replicate

import (
	"fmt"

	"loggia/transfer/chunk"
)

// The measures of one request: enough to keep a long link full with a few of them, and little
// enough that a lost one costs seconds.
const (
	batchStored = 8 << 20 // stored bytes of the frames asked for
	batchChunks = 4 << 10
)

// batch is what one request asks for. It belongs to whoever took it from the queue.
type batch struct {
	want   []chunk.Ref
	known  vouched
	stored int64
	not    map[int]bool // sources that lack a part of it
}

func newBatch() *batch { return &batch{known: vouched{}, not: map[int]bool{}} }

func (b *batch) add(j job) {
	b.want = append(b.want, j.want...)
	b.known[j.frame.ID] = j.frame.Chunks
	b.stored += int64(j.frame.Stored)
}

func (b *batch) full() bool { return b.stored >= batchStored || len(b.want) >= batchChunks }

// keep leaves only what has not come.
func (b *batch) keep(left map[chunk.ID]bool) {
	kept := b.want[:0]
	for _, ref := range b.want {
		if left[ref.ID] {
			kept = append(kept, ref)
		}
	}
	b.want = kept
}

// limit is the most stored bytes that an honest answer has: a frame is sent whole when half of it is
// wanted, and what does not compress grows by its header. The last term is for small batches.
func (b *batch) limit() int64 {
	n := int64(1 << 20)
	for _, ref := range b.want {
		n += 2*int64(ref.Length) + 128
	}
	return n
}

// String names the batch in errors.
func (b *batch) String() string {
	return fmt.Sprintf("%d chunks, the first is %s", len(b.want), b.want[0].ID.Short())
}
