package manifest

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
)

var errAbsent = errors.New("node absent")

// nodes is a Getter that counts.
type nodes struct {
	mu    sync.Mutex
	m     map[chunk.ID][]byte
	reads int
}

func newNodes() *nodes { return &nodes{m: make(map[chunk.ID][]byte)} }

func (n *nodes) put(_ context.Context, id chunk.ID, b []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if digest.Of(b) != id {
		return errors.New("put under a wrong digest")
	}
	n.m[id] = append([]byte(nil), b...)
	return nil
}

func (n *nodes) Node(_ context.Context, id chunk.ID) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reads++
	b, ok := n.m[id]
	if !ok {
		return nil, errAbsent
	}
	return b, nil
}

func seeded(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	if s := os.Getenv("LOGGIA_SEED"); s != "" {
		v, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = v
	}
	t.Logf("LOGGIA_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

func testParams() chunk.Params {
	p := chunk.DefaultParams()
	p.Span = 1 << 20
	return p
}

func idOf(n uint64) chunk.ID { return digest.Of(binary.LittleEndian.AppendUint64(nil, n)) }

// randomLeaf fills a span with chunks and holes; some ids repeat.
func randomLeaf(r *rand.Rand, p chunk.Params, length int64) *Leaf {
	for {
		if l := anyLeaf(r, p, length); l.Sums().Count > 0 {
			return l
		}
	}
}

// anyLeaf may be nothing but holes.
func anyLeaf(r *rand.Rand, p chunk.Params, length int64) *Leaf {
	l := &Leaf{}
	for at := int64(0); at < length; {
		block := int64(p.HoleBlock)
		if at%block == 0 && r.IntN(4) == 0 && (at > 0 || length > block) && (len(l.Entries) > 0 || at+block < length) {
			n := min(block*int64(1+r.IntN(3)), length-at)
			if at+n < length || len(l.Entries) > 0 {
				l.AddHole(uint32(n))
				at += n
				continue
			}
		}
		n := min(int64(1+r.IntN(int(p.Max))), block-at%block, length-at)
		l.AddChunk(chunk.Ref{ID: idOf(uint64(n)<<8 | uint64(r.IntN(4))), Length: uint32(n)})
		at += n
	}
	return l
}

// disk is a random disk in the dumb form: leaf by span.
type disk struct {
	p      chunk.Params
	length int64
	leaves map[int64]*Leaf
}

func randomDisk(r *rand.Rand, spans int64, density float64) disk {
	p := testParams()
	d := disk{p: p, leaves: make(map[int64]*Leaf)}
	d.length = (spans-1)*int64(p.Span) + 512*(1+r.Int64N(int64(p.Span)/512))
	for s := range spans {
		if r.Float64() < density {
			d.leaves[s] = randomLeaf(r, p, min(int64(p.Span), d.length-s*int64(p.Span)))
		}
	}
	return d
}

func (d disk) build(t testing.TB, r *rand.Rand, st *nodes) Root {
	t.Helper()
	b, err := NewBuilder(d.p, d.length, st.put)
	if err != nil {
		t.Fatal(err)
	}
	var spans []int64
	for s := range d.leaves {
		spans = append(spans, s)
	}
	r.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
	for _, s := range spans {
		if _, err := b.AddLeaf(t.Context(), s, d.leaves[s]); err != nil {
			t.Fatal(err)
		}
	}
	root, err := b.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return root
}
