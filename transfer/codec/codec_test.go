package codec

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"testing"
)

func pair(t testing.TB, workers int) (*Encoder, *Decoder) {
	t.Helper()
	e, err := NewEncoder(workers, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder(workers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(); d.Close() })
	return e, d
}

func TestRoundTrip(t *testing.T) {
	e, d := pair(t, 1)
	for _, n := range []int{64, 1000, 64 << 10, 1 << 20} {
		src := textLike(n, uint64(n))
		prefix := []byte("prefix")
		packed, ok := e.Compress(slices.Clone(prefix), src)
		if !ok {
			if n > 1000 {
				t.Errorf("text of %d bytes was not compressed", n)
			}
			continue
		}
		dst := append(make([]byte, 0, len(prefix)+n), prefix...)
		got, err := d.Decompress(dst, packed[len(prefix):])
		if err != nil || !bytes.Equal(got, append(slices.Clone(prefix), src...)) {
			t.Errorf("%d bytes: came back as %d bytes, %v", n, len(got), err)
		}
	}
}

func TestIncompressibleStaysPlain(t *testing.T) {
	e, _ := pair(t, 1)
	for _, n := range []int{1, 100, 64 << 10, 1 << 20} {
		src := random(n, byte(n))
		dst := make([]byte, 0, Bound(n))
		out, ok := e.Compress(dst, src)
		if ok || len(out) != 0 || cap(out) != cap(dst) {
			t.Errorf("%d random bytes: compressed to %d, %v", n, len(out), ok)
		}
	}
}

// The text between two pictures is what a probe of samples would miss.
func TestMixedIsCompressed(t *testing.T) {
	e, _ := pair(t, 1)
	src := slices.Concat(random(128<<10, 1), textLike(100<<10, 1), random(128<<10, 2))
	if out, ok := e.Compress(nil, src); !ok {
		t.Errorf("stored plain: %d of %d bytes", len(out), len(src))
	}
}

func TestOutputLimit(t *testing.T) {
	e, d := pair(t, 1)
	src := make([]byte, 1<<20)
	packed, _ := e.Compress(nil, src)
	for _, limit := range []int{0, 1, 4096, len(src) - 1} {
		if _, err := d.Decompress(make([]byte, 0, limit), packed); !errors.Is(err, ErrOutput) {
			t.Errorf("limit %d: error %v, want ErrOutput", limit, err)
		}
	}
}

func TestCorrupt(t *testing.T) {
	e, d := pair(t, 1)
	src := textLike(64<<10, 3)
	packed, _ := e.Compress(nil, src)
	for name, b := range map[string][]byte{
		"empty magic": {1, 2, 3, 4, 5}, "cut": packed[:len(packed)/2], "tail": append(slices.Clone(packed), 1, 2, 3, 4, 5),
	} {
		if _, err := d.Decompress(make([]byte, 0, 1<<20), b); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: error %v, want ErrCorrupt", name, err)
		}
	}
}

// The RFC 8878 frame of "loggia" as one raw block, written by hand, then the garbage that fills a
// qcow2 cluster's last sector.
func TestClusterIgnoresWhatFollows(t *testing.T) {
	_, d := pair(t, 1)
	frame, _ := hex.DecodeString("28b52ffd" + "2006" + "310000" + "6c6f67676961")
	c := Clusters{d}
	for _, tail := range []string{"", "\x00\x00\x00\x00", "garbage of the next cluster"} {
		got, err := c.Decompress(make([]byte, 0, 6), append(slices.Clone(frame), tail...))
		if err != nil || string(got) != "loggia" {
			t.Errorf("tail %q: %q, %v", tail, got, err)
		}
	}
	for n := range frame {
		if got, err := c.Decompress(make([]byte, 0, 6), frame[:n]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("first %d bytes: %q, error %v, want ErrCorrupt", n, got, err)
		}
	}
}

func TestManyGoroutines(t *testing.T) {
	e, d := pair(t, 2)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			src := textLike(100<<10+i, uint64(i))
			packed, ok := e.Compress(nil, src)
			got, err := d.Decompress(make([]byte, 0, len(src)), packed)
			if !ok || err != nil || !bytes.Equal(got, src) {
				t.Errorf("goroutine %d: %v, %v", i, ok, err)
			}
		})
	}
	wg.Wait()
}

func FuzzDecompress(f *testing.F) {
	e, d := pair(f, 1)
	packed, _ := e.Compress(nil, textLike(4096, 1))
	f.Add(packed, 4096)
	f.Add(packed, 100)
	f.Add([]byte("\x28\xb5\x2f\xfd\x20\x06\x31\x00\x00loggia"), 6)
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		limit = min(max(limit, 0), 1<<20)
		for _, dec := range []interface {
			Decompress(dst, src []byte) ([]byte, error)
		}{d, Clusters{d}} {
			out, err := dec.Decompress(make([]byte, 0, limit), b)
			if len(out) > limit || err != nil && !errors.Is(err, ErrOutput) && !errors.Is(err, ErrCorrupt) {
				t.Fatalf("limit %d: %d bytes, %v", limit, len(out), err)
			}
		}
	})
}
