package serve

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"loggia/blobstore"
	"loggia/transfer/repository"
	"loggia/transfer/serve/servetest"
)

// TestRandom reads stored disks at random, by many readers at once, and holds every byte against what was published.
func TestRandom(t *testing.T) {
	rnd := servetest.Random(t)
	store := servetest.Memory()
	region := servetest.New(t, store)
	disk := servetest.NewDisk(rnd, 5<<20)
	made := region.Publish(disk, servetest.Params())
	view := region.View()
	r, err := view.Random(t.Context(), made.Root)
	if err != nil {
		t.Fatal(err)
	}
	if r.Size() != disk.Size() {
		t.Fatalf("size %d, want %d", r.Size(), disk.Size())
	}
	all, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err != nil || !bytes.Equal(all, disk) {
		t.Fatalf("read %d bytes, %v; want the disk's %d", len(all), err, len(disk))
	}
	type ask struct{ off, n int64 }
	var asks []ask
	for range 200 {
		off := rnd.Int64N(disk.Size())
		asks = append(asks, ask{off, rnd.Int64N(300 << 10)})
	}
	var g errgroup.Group
	g.SetLimit(4)
	for _, a := range asks {
		g.Go(func() error {
			p := make([]byte, a.n)
			n, err := r.ReadAt(p, a.off)
			want := disk[a.off:min(a.off+a.n, disk.Size())]
			if a.off+a.n > disk.Size() && errors.Is(err, io.EOF) {
				err = nil
			}
			if err != nil || !bytes.Equal(p[:n], want) {
				t.Errorf("%d bytes at %d: read %d, %v", a.n, a.off, n, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if n, err := r.ReadAt(make([]byte, 1), disk.Size()); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if _, err := r.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("a negative offset was taken")
	}
}

// TestRandomDamaged: a store that lost or changed bytes gives an error, and never other bytes (D10).
func TestRandomDamaged(t *testing.T) {
	rnd := servetest.Random(t)
	store := servetest.Memory()
	region := servetest.New(t, store)
	disk := servetest.NewDisk(rnd, 3<<20)
	made := region.Publish(disk, servetest.Params())
	view := region.View()
	r, err := view.Random(t.Context(), made.Root)
	if err != nil {
		t.Fatal(err)
	}
	var packs []string
	if err := store.List(t.Context(), "", "", func(i blobstore.Info) error {
		if strings.Contains("/"+i.Key, "/p/") {
			packs = append(packs, i.Key)
		}
		return nil
	}); err != nil || len(packs) == 0 {
		t.Fatalf("no packs: %v", err)
	}
	for _, key := range packs {
		b := read(t, store, key)
		b[len(b)/3] ^= 1
		if err := errors.Join(store.Delete(t.Context(), key), store.Put(t.Context(), key, b)); err != nil {
			t.Fatal(err)
		}
	}
	failed := 0
	for off := int64(0); off < disk.Size(); off += 64 << 10 {
		p := make([]byte, 64<<10)
		n, err := r.ReadAt(p, off)
		if err != nil && !errors.Is(err, io.EOF) {
			if !errors.Is(err, repository.ErrDamaged) {
				t.Errorf("at %d: %v, want %v", off, err, repository.ErrDamaged)
			}
			failed++
		}
		if !bytes.Equal(p[:n], disk[off:off+int64(n)]) {
			t.Fatalf("at %d: other bytes", off)
		}
	}
	if failed == 0 {
		t.Error("nothing failed: the damage was not read")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended, err := view.Random(ctx, made.Root)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := ended.ReadAt(make([]byte, 10), 0); err == nil {
		t.Error("a disk that was opened with an ended context can be read")
	}
}

func read(t *testing.T, s blobstore.Store, key string) []byte {
	t.Helper()
	r, err := s.Get(t.Context(), key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
