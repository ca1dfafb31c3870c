package publish

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"loggia/diskformat"
	"loggia/transfer/buffer"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
)

// discard is a Remote that takes everything and knows nothing.
type discard struct{}

func (discard) Known(context.Context, func(chunk.ID) error) error         { return nil }
func (discard) Spans(context.Context, func(manifest.SpanRef) error) error { return nil }
func (discard) Send(context.Context, int, []byte) error                   { return nil }

// image opens v1.raw of the folder that LOGGIA_IMAGES names, or makes a disk in memory.
func image(b *testing.B) Source {
	dir := os.Getenv("LOGGIA_IMAGES")
	if dir == "" {
		return sparseDisk(seeded(b), 128<<20)
	}
	d, err := diskformat.Open(filepath.Join(dir, "v1.raw"), diskformat.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	return d
}

func BenchmarkPublishDiscard(b *testing.B) {
	src := image(b)
	var res Result
	for b.Loop() {
		var err error
		if res, err = Run(context.Background(), discard{}, src, Options{Pool: buffer.New(0)}); err != nil {
			b.Fatal(err)
		}
	}
	report(b, res)
}

func BenchmarkRoot(b *testing.B) {
	src := image(b)
	var res Result
	for b.Loop() {
		var err error
		if res, err = Root(context.Background(), src, Options{Pool: buffer.New(0)}); err != nil {
			b.Fatal(err)
		}
	}
	report(b, res)
}

func report(b *testing.B, res Result) {
	b.SetBytes(res.Data)
	b.ReportMetric(float64(res.SentStored)/1e6, "stored-MB")
	b.ReportMetric(float64(res.Data)/1e6, "data-MB")
}
