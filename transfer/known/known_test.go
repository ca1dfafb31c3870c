package known

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"loggia/diskformat"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
)

// image is a file, and the manifest of some chunks that it might hold.
type image struct {
	path string
	root manifest.Root
	at   map[chunk.ID]int64
}

func newImage(t *testing.T, r *Recorder, seed uint64) image {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	i := image{path: filepath.Join(t.TempDir(), "disk.raw"), at: map[chunk.ID]int64{}}
	if err := os.WriteFile(i.path, bytes.Repeat([]byte{byte(seed)}, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	params := chunk.DefaultParams()
	span := int64(params.Span)
	b, err := manifest.NewBuilder(params, 3*span, r.Put)
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(3) {
		var leaf manifest.Leaf
		at := n * span
		for left := span; left > 0; {
			ref := chunk.Ref{Length: uint32(min(left, int64(params.Max)))}
			for k := range ref.ID {
				ref.ID[k] = byte(rnd.Uint32())
			}
			leaf.AddChunk(ref)
			i.at[ref.ID] = at
			at, left = at+int64(ref.Length), left-int64(ref.Length)
		}
		if _, err := b.AddLeaf(t.Context(), n, &leaf); err != nil {
			t.Fatal(err)
		}
	}
	if i.root, err = b.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	return i
}

func stamp(t *testing.T, path string) diskformat.Stamp {
	t.Helper()
	g, err := diskformat.Watch(path)
	if err != nil {
		t.Fatal(err)
	}
	return g.Stamp()
}

// chunks is what a manifest says.
func chunks(t *testing.T, m *Manifest) map[chunk.ID]int64 {
	t.Helper()
	got := map[chunk.ID]int64{}
	if err := m.Chunks(t.Context(), func(ref chunk.Ref, at int64) error {
		got[ref.ID] = at
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestKeep(t *testing.T) {
	d, r := Folder(filepath.Join(t.TempDir(), "disks")), NewRecorder()
	i := newImage(t, r, 1)
	if _, err := d.Open(stamp(t, i.path)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("known before it is kept: %v", err)
	}
	if err := r.Keep(t.Context(), d, stamp(t, i.path), i.root.ID()); err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(t.TempDir(), "moved.raw")
	if err := os.Rename(i.path, moved); err != nil {
		t.Fatal(err)
	}
	m, err := d.Open(stamp(t, moved))
	if err != nil {
		t.Fatal(err)
	}
	got := chunks(t, m)
	for id, at := range i.at {
		if got[id] != at {
			t.Fatalf("chunk %s at %d, is at %d", id.Short(), got[id], at)
		}
	}
	if len(got) != len(i.at) {
		t.Errorf("%d chunks, want %d", len(got), len(i.at))
	}
	if err := os.Chtimes(moved, time.Time{}, time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(stamp(t, moved)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("known after it was changed: %v", err)
	}
}

// TestKeepNothing: a manifest of which nodes are missing, or that is too large, is not kept.
func TestKeepNothing(t *testing.T) {
	d := Folder(t.TempDir())
	whole, part, much := NewRecorder(), NewRecorder(), NewRecorder()
	i := newImage(t, whole, 1)
	n := 0
	err := whole.nodes(func(id chunk.ID, node []byte) error {
		if n++; n == 2 {
			return nil
		}
		return part.Put(t.Context(), id, node)
	})
	if err != nil {
		t.Fatal(err)
	}
	for k := range byte(MaxBytes>>20 + 1) {
		if err := much.Put(t.Context(), chunk.ID{k}, make([]byte, manifest.MaxNode)); err != nil {
			t.Fatal(err)
		}
	}
	for name, r := range map[string]*Recorder{"incomplete": part, "too large": much} {
		if err := r.Keep(t.Context(), d, stamp(t, i.path), i.root.ID()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := d.Open(stamp(t, i.path)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: kept, %v", name, err)
		}
	}
}

// nodes shows what was put.
func (r *Recorder) nodes(fn func(chunk.ID, []byte) error) error {
	m, err := parse(appendRecord(bytes.Clone(r.b), chunk.ID{}, nil))
	if err != nil {
		return err
	}
	for id, b := range m.nodes {
		if err := fn(id, b); err != nil {
			return err
		}
	}
	return nil
}

func TestTrim(t *testing.T) {
	d := Folder(t.TempDir())
	var all []diskformat.Stamp
	for k := range uint64(maxFiles + 3) {
		r := NewRecorder()
		i := newImage(t, r, k)
		s := stamp(t, i.path)
		if err := r.Keep(t.Context(), d, s, i.root.ID()); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(time.Duration(k)*time.Second - time.Hour)
		if err := os.Chtimes(d.path(s), old, old); err != nil {
			t.Fatal(err)
		}
		if all = append(all, s); k == maxFiles-1 {
			if _, err := d.Open(all[0]); err != nil { // used: no longer the oldest
				t.Fatal(err)
			}
		}
	}
	for k, want := range map[int]bool{0: true, 1: false, 2: false, 3: false, 4: true, maxFiles + 2: true} {
		if _, err := d.Open(all[k]); (err == nil) != want {
			t.Errorf("image %d: %v", k, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	node := appendRecord([]byte(magic), chunk.ID{1}, []byte("node"))
	f.Add(appendRecord(node, chunk.ID{2}, nil))
	f.Add(node)
	f.Add([]byte(magic))
	f.Add([]byte("loggia known 2\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parse(b)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("got %v", err)
			}
			return
		}
		n := 0
		for _, node := range m.nodes {
			n += len(node)
		}
		if n > len(b) {
			t.Errorf("%d bytes of nodes out of %d", n, len(b))
		}
		_ = m.Chunks(context.Background(), func(chunk.Ref, int64) error { return nil }) // whatever it says, it ends
	})
}
