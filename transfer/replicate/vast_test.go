package replicate

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"testing"

	"loggia/transfer/chunk"
	"loggia/transfer/serve/servetest"
)

// vast is a disk of 1 TiB, one block of data in every 16th of its 16,384 spans: a kilo of leaves over two levels of inner nodes.
type vast struct {
	t       testing.TB
	changed map[int64]bool // spans with other bytes than the first version
	peak    *atomic.Uint64 // live heap seen while reading
}

const (
	vastSize  = 1 << 40
	vastEvery = 16 * 64 << 20
	vastBlock = 64 << 10
)

func (v vast) Size() int64 { return vastSize }

func (v vast) NextData(off int64) (start, end int64, err error) {
	start = off / vastEvery * vastEvery
	if off >= start+vastBlock {
		start += vastEvery
	}
	return max(start, off), start + vastBlock, nil
}

func (v vast) ReadAt(p []byte, off int64) (int, error) {
	if off >= vastSize {
		return 0, io.EOF
	}
	at := off / vastEvery * vastEvery
	if off+int64(len(p)) > at+vastBlock {
		v.t.Errorf("%d bytes read at %d, where a hole is", len(p), off)
	}
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(at))
	if v.changed[at/(64<<20)] {
		seed[31] = 1
	}
	block := make([]byte, vastBlock)
	rand.NewChaCha8(seed).Read(block)
	notePeak(v.peak)
	return copy(p, block[off-at:]), nil
}

// notePeak keeps the most bytes that were alive at the end of a collection.
func notePeak(peak *atomic.Uint64) {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	for now := s[0].Value.Uint64(); ; {
		was := peak.Load()
		if now <= was || peak.CompareAndSwap(was, now) {
			return
		}
	}
}

func TestDiskOfATebibyte(t *testing.T) {
	r := servetest.Random(t)
	from, to := servetest.New(t, servetest.Folder(t)), servetest.New(t, servetest.Folder(t))
	var peak atomic.Uint64
	runtime.GC() // what other tests left is not counted
	v1 := from.Publish(vast{t: t, peak: &peak}, chunk.DefaultParams())
	other := map[int64]bool{}
	for len(other) < 3 {
		other[r.Int64N(vastSize/vastEvery)*16] = true
	}
	v2 := from.Publish(vast{t: t, peak: &peak, changed: other}, chunk.DefaultParams(), v1.Root)
	if v2.New > 3*vastBlock+4096 {
		t.Errorf("%d bytes were sent for three blocks of %d", v2.New, vastBlock)
	}
	h := newHolder("a", from, to)
	p1, err := copyTo(t, to, v1, Identity{}, nil, h)
	if err != nil {
		t.Fatal(err)
	}
	h = newHolder("a", from, to)
	p2, err := copyTo(t, to, v2, identity(v1), nil, h)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	notePeak(&peak)
	t.Logf("v1 %d bytes, v2 %d bytes in %d requests, at most %d MiB alive", p1.Wire, p2.Wire, h.asked.Load(), peak.Load()>>20)
	// The pools of both regions and of the publisher are 198 MiB, of which little is used at once.
	if n := peak.Load(); n > 160<<20 {
		t.Errorf("%d bytes were alive", n)
	}
	// Three blocks, their leaves, and in both trees the way to them.
	if p2.Wire > 3*vastBlock+256<<10 {
		t.Errorf("%d bytes came for three blocks of %d", p2.Wire, vastBlock)
	}
	if n := h.asked.Load(); n > 20 {
		t.Errorf("%d requests for three spans", n)
	}
}
