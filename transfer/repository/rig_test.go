package repository

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"loggia/blobstore"
	"loggia/blobstore/memory"
	"loggia/internal/digest"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/codec"
	"loggia/transfer/frame"
	"loggia/transfer/pack"
)

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

// watched is a store that remembers the order of its keys and fails by rule.
type watched struct {
	blobstore.Store
	mu   sync.Mutex
	puts []string
	fail func(key string) error // of Put
}

func (s *watched) Put(ctx context.Context, key string, data []byte) error {
	s.mu.Lock()
	fail := s.fail
	s.mu.Unlock()
	if fail != nil {
		if err := fail(key); err != nil {
			return err
		}
	}
	if err := s.Store.Put(ctx, key, data); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.puts = append(s.puts, key)
	return nil
}

type rig struct {
	store *watched
	repo  *Repository
	pool  *buffer.Pool
	enc   *codec.Encoder
	r     *rand.Rand
}

func newRig(t testing.TB) *rig {
	t.Helper()
	dec, err := codec.NewDecoder(2)
	if err != nil {
		t.Fatal(err)
	}
	enc, err := codec.NewEncoder(2, frame.DefaultTarget)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := NewKeys(strings.Repeat("ab", 32), 1)
	if err != nil {
		t.Fatal(err)
	}
	g := &rig{store: &watched{Store: memory.New(time.Now, 0)}, pool: buffer.New(0), enc: enc, r: seeded(t)}
	g.repo, err = New(Options{Store: g.store, Keys: keys, Cache: t.TempDir(), Pool: g.pool, Decoder: dec})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := g.pool.Lent(); n != 0 {
			t.Errorf("%d bytes of the pool were not given back", n)
		}
		enc.Close()
		dec.Close()
	})
	return g
}

func (g *rig) writer(t testing.TB, epoch uint64, v *View) *Writer {
	t.Helper()
	w, err := g.repo.NewWriter(t.Context(), WriterOptions{Epoch: epoch, View: v, Pool: g.pool, Encoder: g.enc})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// made is a frame with what it unpacks to.
type made struct {
	stored []byte
	id     digest.Digest
	plain  []byte
	refs   []chunk.Ref
}

// frames makes n frames of some random chunks each.
func (g *rig) frames(t testing.TB, n, chunks, most int) []made {
	t.Helper()
	var out []made
	src := rand.NewChaCha8([32]byte{byte(g.r.Uint32()), byte(g.r.Uint32()), byte(g.r.Uint32())})
	for range n {
		var m made
		for range 1 + g.r.IntN(chunks) {
			b := make([]byte, 16+g.r.IntN(most))
			src.Read(b)
			m.plain = append(m.plain, b...)
			m.refs = append(m.refs, chunk.Ref{ID: digest.Of(b), Length: uint32(len(b))})
		}
		stored, _, err := frame.Encode(nil, m.plain, g.enc)
		if err != nil {
			t.Fatal(err)
		}
		m.stored, m.id = stored, frame.ID(stored)
		out = append(out, m)
	}
	return out
}

func (m made) add(t testing.TB, w *Writer, kind pack.Kind) {
	t.Helper()
	if err := w.Add(t.Context(), kind, 0, m.stored, m.id, uint32(len(m.plain)), m.refs); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, r *Repository, refs []SegmentRef) *View {
	t.Helper()
	v, err := r.Open(t.Context(), refs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// chunkReader is a View or a Writer.
type chunkReader interface {
	Has(chunk.ID) (bool, error)
	ReadChunk(context.Context, chunk.ID) ([]byte, error)
}

// holds checks that every chunk of the frames is there with its bytes.
func holds(t testing.TB, r chunkReader, frames []made) {
	t.Helper()
	for _, m := range frames {
		off := 0
		for _, ref := range m.refs {
			if ok, err := r.Has(ref.ID); !ok || err != nil {
				t.Fatalf("Has(%s) = %v, %v", ref.ID.Short(), ok, err)
			}
			b, err := r.ReadChunk(t.Context(), ref.ID)
			if err != nil || string(b) != string(m.plain[off:off+int(ref.Length)]) {
				t.Fatalf("ReadChunk(%s): %d bytes, %v", ref.ID.Short(), len(b), err)
			}
			off += int(ref.Length)
		}
	}
}
