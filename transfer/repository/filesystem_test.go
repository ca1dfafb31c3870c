package repository

import (
	"slices"
	"testing"

	"loggia/blobstore/filesystem"
	"loggia/internal/digest"
	"loggia/transfer/pack"
)

// The same on files: two writers, one adopting from the other, and a view of both.
func TestOnFilesystem(t *testing.T) {
	g := newRig(t)
	store, err := filesystem.Open(t.TempDir(), filesystem.Options{})
	if err != nil {
		t.Fatal(err)
	}
	g.store.Store = store
	frames := g.frames(t, 60, 8, 20_000)
	first := g.writer(t, 1, nil)
	for _, m := range frames[:30] {
		m.add(t, first, pack.Data)
	}
	if err := first.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := g.writer(t, 2, nil)
	found, err := second.Adopt(t.Context(), []uint64{1}, nil)
	if err != nil || found.Packs == 0 || found.Bad != 0 {
		t.Fatalf("adopted %+v, %v", found, err)
	}
	holds(t, second, frames[:30])
	for _, m := range frames[30:] {
		m.add(t, second, pack.Data)
	}
	refs, err := second.Finish(t.Context(), digest.Of([]byte("root")), digest.Of([]byte("table")), 1)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, open(t, g.repo, refs), frames)
	rec, err := g.repo.Version(t.Context(), 2, digest.Of([]byte("root")))
	if err != nil || !slices.Equal(rec.Segments, refs) {
		t.Errorf("version record %+v, %v", rec, err)
	}
	third := g.writer(t, 3, nil)
	if found, err := third.Adopt(t.Context(), []uint64{99}, nil); err != nil || found != (Adopted{}) {
		t.Errorf("adopted %+v of an epoch without objects, %v", found, err)
	}
}
