package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"loggia/internal/digest"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/codec"
	"loggia/transfer/frame"
	"loggia/transfer/manifest"
	"loggia/transfer/wire"
)

// seeded returns a random source whose seed is printed, and taken from LOGGIA_SEED where set.
func seeded(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("LOGGIA_SEED"); s != "" {
		v, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = v
	}
	t.Logf("LOGGIA_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 7))
}

// memory is a disk in memory whose all-zero 64 KiB blocks are holes.
type memory struct{ b []byte }

func (m *memory) Size() int64 { return int64(len(m.b)) }

func (m *memory) ReadAt(p []byte, off int64) (int, error) { return bytes.NewReader(m.b).ReadAt(p, off) }

func (m *memory) NextData(off int64) (start, end int64, err error) {
	const block = 64 << 10
	size := m.Size()
	data := func(at int64) bool {
		for _, c := range m.b[at:min(at+block, size)] {
			if c != 0 {
				return true
			}
		}
		return false
	}
	for at := off &^ (block - 1); at < size; at += block {
		if !data(at) {
			continue
		}
		start = max(off, at)
		for end = at + block; end < size && data(end); {
			end += block
		}
		return start, min(end, size), nil
	}
	return size, size, nil
}

// sparseDisk makes a disk of random runs, some of them repeated, between holes.
func sparseDisk(r *rand.Rand, size int) *memory {
	b := make([]byte, size)
	var old []byte
	for at := 0; at < size; {
		n := min(1+r.IntN(3<<20), size-at)
		switch r.IntN(4) {
		case 0: // hole
		case 1: // something seen before
			copy(b[at:at+n], old)
		default:
			fill(r, b[at:at+n])
			old = b[at : at+n]
		}
		at += n
	}
	return &memory{b}
}

// fill writes bytes that compress to about half.
func fill(r *rand.Rand, b []byte) {
	for i := 0; i+8 <= len(b); i += 8 {
		v := r.Uint64() & 0x0f0f_0f0f_0f0f_0f0f
		for j := range 8 {
			b[i+j] = 'a' + byte(v>>(8*j))
		}
	}
}

// collector is a Remote that unpacks all it is sent.
type collector struct {
	mu     sync.Mutex
	chunks map[chunk.ID][]byte
	leaves map[int64][]byte
	twice  int

	known []chunk.ID
	spans []manifest.SpanRef
	fail  func(sent int) error // asked before each batch
	sent  int
}

func newCollector() *collector {
	return &collector{chunks: make(map[chunk.ID][]byte), leaves: make(map[int64][]byte)}
}

func (c *collector) Known(_ context.Context, fn func(chunk.ID) error) error {
	for _, id := range c.known {
		if err := fn(id); err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) Spans(_ context.Context, fn func(manifest.SpanRef) error) error {
	for _, s := range c.spans {
		if err := fn(s); err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) Send(_ context.Context, _ int, b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		if err := c.fail(c.sent); err != nil {
			return err
		}
	}
	c.sent++
	if len(b) > MaxBatch {
		return fmt.Errorf("batch of %d bytes", len(b))
	}
	r := wire.NewReader(bytes.NewReader(b), make([]byte, wire.MaxRecord))
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch rec.Kind {
		case wire.KindFrame:
			if err := c.frame(rec); err != nil {
				return err
			}
		case wire.KindLeaf:
			c.leaves[rec.Span] = bytes.Clone(rec.Data)
		default:
			return fmt.Errorf("unexpected %s", rec.Kind)
		}
	}
}

func (c *collector) frame(rec wire.Record) error {
	dec, err := codec.NewDecoder(1)
	if err != nil {
		return err
	}
	defer dec.Close()
	plain, err := frame.Decode(nil, rec.Data, dec)
	if err != nil {
		return err
	}
	for _, ref := range rec.Refs {
		b := plain[:ref.Length]
		plain = plain[ref.Length:]
		if chunk.Hash(b) != ref.ID {
			return errors.New("chunk has another hash")
		}
		if _, ok := c.chunks[ref.ID]; ok {
			c.twice++
		}
		c.chunks[ref.ID] = bytes.Clone(b)
	}
	if len(plain) != 0 {
		return errors.New("frame is longer than its chunks")
	}
	return nil
}

// rebuild makes the disk again from what was sent.
func (c *collector) rebuild(t testing.TB, p chunk.Params, size int64) []byte {
	t.Helper()
	out := make([]byte, size)
	for span, node := range c.leaves {
		shape := manifest.Shape{Length: size, Span: int64(p.Span)}
		leaf, err := manifest.DecodeLeaf(node, p, shape.SpanLength(span))
		if err != nil {
			t.Fatal(err)
		}
		at := span * shape.Span
		for _, e := range leaf.Entries {
			if !e.Hole() {
				b, ok := c.chunks[e.ID]
				if !ok {
					t.Fatalf("chunk %s of span %d was never sent", e.ID.Short(), span)
				}
				copy(out[at:], b)
			}
			at += int64(e.Length)
		}
	}
	return out
}

// smallSpans make many spans of a small disk.
func smallSpans() chunk.Params {
	p := chunk.DefaultParams()
	p.Span = 1 << 20
	return p
}

func testOptions() Options {
	return Options{Params: smallSpans(), Pool: buffer.New(64 << 20), Batch: 2 << 20, Frame: 256 << 10}
}

func wantRoot(t testing.TB, p chunk.Params, m *memory) digest.Digest {
	t.Helper()
	res, err := Root(context.Background(), m, Options{Params: p, Pool: buffer.New(64 << 20), Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	return res.Root
}

// whole fails the test if a buffer was not given back.
func whole(t testing.TB, p *buffer.Pool) {
	t.Helper()
	if n := p.Lent(); n != 0 {
		t.Errorf("%d bytes of buffers are still out", n)
	}
}
