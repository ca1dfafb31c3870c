package idset

import (
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

func idOf(n uint64) chunk.ID { return digest.Of(binary.LittleEndian.AppendUint64(nil, n)) }

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

func TestAgreesWithAMap(t *testing.T) {
	r := seeded(t)
	for _, limit := range []int{1, 10, 333, 100_000} {
		s := New(t.TempDir(), limit)
		want := make(map[uint64]uint64)
		for range min(20_000, 500*limit) {
			n, v := r.Uint64N(10_000), r.Uint64()
			if r.IntN(2) == 0 {
				if err := s.Add(idOf(n), v); err != nil {
					t.Fatal(err)
				}
				want[n] = v
				continue
			}
			_, known := want[n]
			fresh, err := s.AddNew(idOf(n), v)
			if err != nil || fresh == known {
				t.Fatalf("limit %d: AddNew of a known id (%v) = %v, %v", limit, known, fresh, err)
			}
			if fresh {
				want[n] = v
			}
		}
		for n := range uint64(10_000) {
			v, ok, err := s.Get(idOf(n))
			w, known := want[n]
			if err != nil || ok != known || v != w {
				t.Fatalf("limit %d: Get(%d) = %d, %v, %v, want %d, %v", limit, n, v, ok, err, w, known)
			}
		}
		all := map[chunk.ID]bool{}
		if err := s.Each(func(id chunk.ID) error { all[id] = true; return nil }); err != nil || len(all) != len(want) {
			t.Fatalf("limit %d: Each shows %d of %d ids, %v", limit, len(all), len(want), err)
		}
		enough := errors.New("enough")
		if err := s.Each(func(chunk.ID) error { return enough }); !errors.Is(err, enough) {
			t.Fatalf("limit %d: Each goes on after %v: %v", limit, enough, err)
		}
		if s.Len() < len(want) {
			t.Errorf("limit %d: Len = %d of %d entries", limit, s.Len(), len(want))
		}
		if runs := len(s.runs); runs > (fanin-1)*8 {
			t.Errorf("limit %d: %d runs", limit, runs)
		}
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Get(idOf(1)); !errors.Is(err, ErrClosed) {
			t.Errorf("Get after Close: %v, want ErrClosed", err)
		}
		if err := s.Each(nil); !errors.Is(err, ErrClosed) {
			t.Errorf("Each after Close: %v, want ErrClosed", err)
		}
	}
}

func TestPagesWithEqualPrefixes(t *testing.T) {
	s := New(t.TempDir(), 1000)
	defer s.Close()
	var id chunk.ID
	for n := range uint64(4000) {
		binary.BigEndian.PutUint64(id[24:], n) // the first eight bytes are all zero
		if err := s.Add(id, n); err != nil {
			t.Fatal(err)
		}
	}
	for n := range uint64(4000) {
		binary.BigEndian.PutUint64(id[24:], n)
		if v, ok, err := s.Get(id); !ok || v != n || err != nil {
			t.Fatalf("Get(%d) = %d, %v, %v", n, v, ok, err)
		}
	}
}

func TestLeavesNoFiles(t *testing.T) {
	dir := t.TempDir()
	s := New(dir, 10)
	defer s.Close()
	for n := range uint64(1000) {
		if err := s.Add(idOf(n), n); err != nil {
			t.Fatal(err)
		}
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 0 {
		t.Errorf("%d files in the directory, %v", len(names), err)
	}
}

func TestManyGoroutines(t *testing.T) {
	s := New(t.TempDir(), 100)
	defer s.Close()
	var wg sync.WaitGroup
	var mu sync.Mutex
	first := 0
	for range 4 {
		wg.Go(func() {
			for n := range uint64(2000) {
				fresh, err := s.AddNew(idOf(n), n)
				if err != nil {
					t.Error(err)
					return
				}
				if fresh {
					mu.Lock()
					first++
					mu.Unlock()
				}
				if v, ok, err := s.Get(idOf(n)); !ok || v != n || err != nil {
					t.Errorf("Get(%d) = %d, %v, %v", n, v, ok, err)
				}
			}
		})
	}
	wg.Wait()
	if first != 2000 {
		t.Errorf("%d ids were new, want 2000", first)
	}
}

func TestSpillFails(t *testing.T) {
	s := New(t.TempDir()+"/absent", 2)
	defer s.Close()
	var err error
	for n := uint64(0); err == nil && n < 10; n++ {
		err = s.Add(idOf(n), n)
	}
	if !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("spill to an absent directory: %v", err)
	}
	if v, ok, err := s.Get(idOf(1)); v != 1 || !ok || err != nil {
		t.Errorf("after the failure Get = %d, %v, %v", v, ok, err)
	}
}

func BenchmarkGetAbsent(b *testing.B) {
	s := New(b.TempDir(), 1<<14)
	defer s.Close()
	for n := range uint64(1 << 18) {
		if err := s.Add(idOf(n), n); err != nil {
			b.Fatal(err)
		}
	}
	for i := uint64(0); b.Loop(); i++ {
		if _, ok, err := s.Get(idOf(1<<40 + i)); ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
