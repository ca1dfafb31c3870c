package codec

import (
	"math/rand/v2"
	"testing"
)

const benchLength = 512 << 10

// textLike is compressible to about a third: words of a small vocabulary.
func textLike(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	words := make([][]byte, 512)
	for i := range words {
		words[i] = make([]byte, 2+r.IntN(12))
		for j := range words[i] {
			words[i][j] = byte('a' + r.IntN(26))
		}
	}
	b := make([]byte, 0, n+16)
	for len(b) < n {
		b = append(append(b, words[r.IntN(len(words))]...), ' ')
	}
	return b[:n]
}

func random(n int, seed byte) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func benchmarkCompress(b *testing.B, src []byte) {
	e, err := NewEncoder(1, benchLength)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	dst := make([]byte, 0, Bound(len(src)))
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		e.Compress(dst, src)
	}
}

func BenchmarkCompressText(b *testing.B)   { benchmarkCompress(b, textLike(benchLength, 1)) }
func BenchmarkCompressRandom(b *testing.B) { benchmarkCompress(b, random(benchLength, 1)) }

func BenchmarkDecompressText(b *testing.B) {
	e, _ := NewEncoder(1, benchLength)
	d, _ := NewDecoder(1)
	src := textLike(benchLength, 1)
	packed, ok := e.Compress(nil, src)
	if !ok {
		b.Fatal("text was not compressed")
	}
	dst := make([]byte, 0, len(src))
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Decompress(dst, packed); err != nil {
			b.Fatal(err)
		}
	}
}
