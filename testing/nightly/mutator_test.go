package main

import (
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"testing"

	"loggia/testing/disks"
)

// image makes a disk of 64 MiB with 16 MiB of data.
func image(t *testing.T, seed uint64) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "disk")
	if err := disks.Spread(name, 64<<20, disks.Evenly(64<<20, 16<<20, 32), seed); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func digest(t *testing.T, f *os.File) (sum [32]byte) {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, 1<<40)); err != nil {
		t.Fatal(err)
	}
	h.Sum(sum[:0])
	return sum
}

func TestEachNightChangesEnough(t *testing.T) {
	var digests [2][32]byte
	for i := range digests {
		disk := image(t, 1)
		m, err := newMutator(disk, image(t, 2), 42)
		if err != nil {
			t.Fatal(err)
		}
		c := newCounter()
		first, _, err := c.count(disk)
		if err != nil || first != 16<<20/blockSize || first != m.original {
			t.Fatalf("%d blocks of data, the mutator knows %d, %v", first, m.original, err)
		}
		var sum night
		for n := range 12 {
			did, err := m.next()
			if err != nil {
				t.Fatal(err)
			}
			blocks, changed, err := c.count(disk)
			if err != nil || blocks != did.Data || changed > did.Expected || float64(changed) < leastChange*float64(blocks) {
				t.Fatalf("night %d: %d of %d blocks changed, %v; the model says %+v", n, changed, blocks, err, did)
			}
			if part := float64(blocks) / float64(first); part < 0.8 || part > 1.2 {
				t.Fatalf("night %d: %.2f of the data at first", n, part)
			}
			sum.Moved, sum.Updated, sum.Grown, sum.Removed = sum.Moved+did.Moved, sum.Updated+did.Updated, sum.Grown+did.Grown, sum.Removed+did.Removed
		}
		if sum.Moved*sum.Updated*sum.Grown*sum.Removed == 0 {
			t.Errorf("something was never done: %+v", sum)
		}
		digests[i] = digest(t, disk)
	}
	if digests[0] != digests[1] {
		t.Error("the same seed gave other bytes")
	}
}

func TestFind(t *testing.T) {
	s := newSpace(10)
	s.take(run{2, 3})
	for _, c := range []struct {
		count, from int64
		want        run
		ok          bool
	}{
		{2, 0, run{0, 2}, true},
		{3, 0, run{5, 3}, true},
		{5, 7, run{5, 5}, true},
		{6, 0, run{}, false},
		{2, 9, run{0, 2}, true}, // 9 and 0 are no neighbours
	} {
		if got, ok := s.find(c.count, c.from); got != c.want || ok != c.ok {
			t.Errorf("%d blocks from %d: got %v, %v, want %v, %v", c.count, c.from, got, ok, c.want, c.ok)
		}
	}
	if s.used != 3 || s.fits(run{9, 2}) || !s.fits(run{8, 2}) {
		t.Errorf("%d used", s.used)
	}
}

func TestCopySparse(t *testing.T) {
	from := image(t, 3)
	to := filepath.Join(t.TempDir(), "copy")
	if err := copySparse(to, from.Name()); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if digest(t, f) != digest(t, from) {
		t.Error("the copy differs")
	}
}
