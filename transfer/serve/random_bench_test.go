package serve

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"loggia/transfer/serve/servetest"
)

// BenchmarkRandom reads a stored disk as a link is read (from one end to the other, 32 KiB at a time) and as a boot reads (4 KiB anywhere), beside a plain file of the same bytes.
func BenchmarkRandom(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 17))
	disk := servetest.NewDisk(rnd, 64<<20)
	region := servetest.New(b, servetest.Folder(b))
	made := region.Publish(disk, servetest.Params())
	stored, err := region.View().Random(b.Context(), made.Root)
	if err != nil {
		b.Fatal(err)
	}
	name := filepath.Join(b.TempDir(), "plain")
	if err := os.WriteFile(name, disk, 0o600); err != nil {
		b.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	for _, from := range []struct {
		name string
		r    io.ReaderAt
	}{{"stored", stored}, {"file", file}} {
		b.Run("sequential/"+from.name, func(b *testing.B) {
			b.SetBytes(disk.Size())
			p, all := make([]byte, 32<<10), bytes.NewReader(disk)
			want := make([]byte, len(p))
			for b.Loop() {
				for off := int64(0); off < disk.Size(); off += int64(len(p)) {
					if _, err := from.r.ReadAt(p, off); err != nil {
						b.Fatal(err)
					}
				}
			}
			if _, err := all.ReadAt(want, disk.Size()-int64(len(p))); err != nil || !bytes.Equal(p, want) {
				b.Fatal("other bytes")
			}
		})
		b.Run("random4k/"+from.name, func(b *testing.B) {
			b.SetBytes(4 << 10)
			p := make([]byte, 4<<10)
			for b.Loop() {
				if _, err := from.r.ReadAt(p, rnd.Int64N(disk.Size()/4096)*4096); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
