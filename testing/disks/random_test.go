package disks

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"loggia/testing/measure"
)

func TestSpread(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	extents := Evenly(1<<30, 1<<20, 16)
	for _, f := range []string{a, b} {
		if err := Spread(f, 1<<30, extents, 7); err != nil {
			t.Fatal(err)
		}
	}
	occupied, err := measure.Allocated(a)
	if err != nil || occupied < 1<<20 || occupied > 3<<20 {
		t.Errorf("occupies %d bytes, %v, want about 1 MiB", occupied, err)
	}
	f, err := os.Open(a)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	last := make([]byte, 64<<10)
	if _, err := f.ReadAt(last, extents[15].Offset); err != nil || bytes.Count(last, []byte{0}) > 2000 {
		t.Errorf("the last extent has %d zeros, %v", bytes.Count(last, []byte{0}), err)
	}
}

func TestRandomRepeats(t *testing.T) {
	dir := t.TempDir()
	var got [3][]byte
	for i, seed := range []uint64{1, 1, 2} {
		file := filepath.Join(dir, "disk")
		if err := Random(file, 1<<20, seed); err != nil {
			t.Fatal(err)
		}
		got[i], _ = os.ReadFile(file)
	}
	if len(got[0]) != 1<<20 || !bytes.Equal(got[0], got[1]) || bytes.Equal(got[0], got[2]) {
		t.Error("a seed must repeat its bytes, and no other's")
	}
}
