package intake

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"loggia/blobstore/filesystem"
	"loggia/diskformat"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/publish"
)

func image(b *testing.B, name string) publish.Source {
	dir := os.Getenv("LOGGIA_IMAGES")
	if dir == "" {
		return randomDisk(seeded(b), 128<<20)
	}
	d, err := diskformat.Open(filepath.Join(dir, name), diskformat.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	return d
}

// BenchmarkPublish publishes v1, and v2 after it, into a store on disk: client and node in one process,
// without the network between them.
func BenchmarkPublish(b *testing.B) {
	v1, v2 := image(b, "v1.raw"), image(b, "v2.raw")
	b.Run("v1", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			g := benchRegion(b)
			b.StartTimer()
			report(b, benchPublish(b, g, v1))
		}
	})
	b.Run("v2", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			g := benchRegion(b)
			base := benchPublish(b, g, v1)
			b.StartTimer()
			report(b, benchPublish(b, g, v2, base.Root))
		}
	})
}

func report(b *testing.B, r publish.Result) {
	b.SetBytes(r.Data)
	b.ReportMetric(float64(r.SentStored)/1e6, "stored-MB")
}

func benchRegion(b *testing.B) *region {
	store, err := filesystem.Open(b.TempDir(), filesystem.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return newRegionOn(b, store)
}

func benchPublish(b *testing.B, g *region, src publish.Source, bases ...chunk.ID) publish.Result {
	c := g.config(make(disk, 0), nil, bases...)
	c.Length, c.Params = src.Size(), chunk.DefaultParams()
	s, err := Open(context.Background(), c)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	res, err := publish.Run(context.Background(), &remote{s: s}, src, publish.Options{Pool: buffer.New(0)})
	if err != nil {
		b.Fatal(err)
	}
	g.commit(s, res.Root)
	return res
}
