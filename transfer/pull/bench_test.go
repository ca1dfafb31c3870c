package pull

import (
	"path/filepath"
	"testing"

	"loggia/transfer/chunk"
	"loggia/transfer/intake"
	"loggia/transfer/serve/servetest"
)

// BenchmarkPull pulls v1, v2 with v1 at hand, and v2 alone, from a store on disk: node and client in one
// process. MB/s are of guest data.
func BenchmarkPull(b *testing.B) {
	d1, d2 := servetest.Images(b)
	g := servetest.New(b, servetest.Folder(b))
	v1 := g.Publish(d1, chunk.DefaultParams())
	v2 := g.Publish(d2, chunk.DefaultParams(), v1.Root)
	run := func(b *testing.B, d intake.Result, seed SeedSource) {
		before := g.Repo.Requests()
		for b.Loop() {
			p, err := Run(b.Context(), newNode(g, d), Options{Root: d.Root, Out: filepath.Join(b.TempDir(), "out"), Seed: seed, TempDir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(d.Data)
			b.ReportMetric(float64(p.Wire)/1e6, "wire-MB")
		}
		b.ReportMetric(float64(g.Repo.Requests()-before)/float64(b.N), "requests")
	}
	b.Run("v1", func(b *testing.B) { run(b, v1, nil) })
	b.Run("v2-seeded", func(b *testing.B) { run(b, v2, d1) })
	b.Run("v2", func(b *testing.B) { run(b, v2, nil) })
}
