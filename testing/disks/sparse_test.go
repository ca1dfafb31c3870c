package disks

import (
	"path/filepath"
	"testing"
)

func TestEqual(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	extents := Evenly(1<<40, 1<<20, 8)
	for _, f := range []string{a, b} {
		if err := Spread(f, 1<<40, extents, 3); err != nil {
			t.Fatal(err)
		}
	}
	if err := Equal(a, b); err != nil {
		t.Error(err)
	}
	if err := Overwrite(b, Extent{1<<40 - 4096, 4096}, 9); err != nil { // a hole in a
		t.Fatal(err)
	}
	if Equal(a, b) == nil {
		t.Error("a change was not seen")
	}
}
