package replicate

import (
	"testing"

	"loggia/transfer/chunk"
	"loggia/transfer/intake"
	"loggia/transfer/serve/servetest"
)

// BenchmarkReplicate copies v1, and v2 after it, between stores on disk: both nodes in one process, with
// the records of the wire between them but no network. MB/s are of guest data.
func BenchmarkReplicate(b *testing.B) {
	d1, d2 := servetest.Images(b)
	from := servetest.New(b, servetest.Folder(b))
	v1 := from.Publish(d1, chunk.DefaultParams())
	v2 := from.Publish(d2, chunk.DefaultParams(), v1.Root)
	run := func(b *testing.B, to *servetest.Region, d intake.Result, base Identity) Progress {
		p, err := copyTo(b, to, d, base, nil, newHolder("a", from, to))
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(d.Data)
		return p
	}
	b.Run("v1", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			to := servetest.New(b, servetest.Folder(b))
			b.StartTimer()
			b.ReportMetric(float64(run(b, to, v1, Identity{}).Wire)/1e6, "wire-MB")
		}
	})
	b.Run("v2", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			to := servetest.New(b, servetest.Folder(b))
			run(b, to, v1, Identity{})
			b.StartTimer()
			b.ReportMetric(float64(run(b, to, v2, identity(v1)).Wire)/1e6, "wire-MB")
		}
	})
}
