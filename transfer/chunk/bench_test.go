package chunk

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"
)

func benchmarkCut(b *testing.B, data []byte) {
	p := DefaultParams()
	c, err := NewCutter(p, make([]byte, p.BufferSize()+1<<20))
	if err != nil {
		b.Fatal(err)
	}
	src := Dense{bytes.NewReader(data)}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Span(context.Background(), src, 0, int64(len(data)), func(Piece, []byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCutRandom(b *testing.B) {
	data := make([]byte, 16<<20)
	rand.NewChaCha8([32]byte{1}).Read(data)
	benchmarkCut(b, data)
}

func BenchmarkCutZeros(b *testing.B) { benchmarkCut(b, make([]byte, 16<<20)) }

func BenchmarkIsZero(b *testing.B) {
	data := make([]byte, 64<<10)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if !isZero(data) {
			b.Fatal("not zero")
		}
	}
}

func BenchmarkScan(b *testing.B) {
	data := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{1}).Read(data)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		scan(data, 0, 0)
	}
}

func BenchmarkHash(b *testing.B) {
	data := make([]byte, 32<<10)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		Hash(data)
	}
}
