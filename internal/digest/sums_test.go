package digest

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// random returns a source whose seed is printed, or taken from LOGGIA_SEED.
func random(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("LOGGIA_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("LOGGIA_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// checkSums compares with crypto/sha256, message by message.
func checkSums(t *testing.T, messages [][]byte) {
	t.Helper()
	before := make([][]byte, len(messages))
	for i, m := range messages {
		before[i] = slices.Clone(m)
	}
	out := make([]Digest, len(messages))
	Sums(out, messages)
	for i, m := range messages {
		if out[i] != Of(m) {
			t.Fatalf("message %d of %d bytes, of %d: got %s, want %s", i, len(m), len(messages), out[i], Of(m))
		}
		if !slices.Equal(m, before[i]) {
			t.Fatalf("message %d was changed", i)
		}
	}
}

func TestSumsOfEveryLength(t *testing.T) {
	t.Logf("two at a time: %v", paired)
	r := random(t)
	b := noise(r, 4*blockSize+1)
	for n := range b {
		checkSums(t, [][]byte{b[:n]})
		checkSums(t, [][]byte{b[1 : 1+n], b[:len(b)-1-n]}) // at odd addresses
	}
	checkSums(t, nil)
}

func TestSumsOfMany(t *testing.T) {
	r := random(t)
	b := noise(r, 3*atOnce*blockSize/2)
	for range 300 {
		messages := make([][]byte, r.IntN(20))
		for i := range messages {
			from := r.IntN(len(b))
			to := min(len(b), from+[]int{0, 64, 1000, 20_000}[r.IntN(4)]+r.IntN(130))
			messages[i] = b[from:to]
		}
		if r.IntN(20) == 0 {
			messages = append(messages, b)
		}
		checkSums(t, messages)
	}
}

// TestVectors are those of FIPS 180-4 and of NIST's examples.
func TestVectors(t *testing.T) {
	million := make([]byte, 1_000_000)
	for i := range million {
		million[i] = 'a'
	}
	messages := [][]byte{nil, []byte("abc"), []byte("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), million}
	out := make([]Digest, len(messages))
	Sums(out, messages)
	for i, want := range []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
		"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
	} {
		if out[i].String() != want {
			t.Errorf("vector %d: got %s, want %s", i, out[i], want)
		}
	}
}

func FuzzSums(f *testing.F) {
	f.Add([]byte("abc"), uint16(1), uint16(2))
	f.Add(make([]byte, 300), uint16(64), uint16(183))
	f.Fuzz(func(t *testing.T, b []byte, i, j uint16) {
		m, n := min(int(i), len(b)), min(int(j), len(b))
		checkSums(t, [][]byte{b[:m], b[m:], b[:n], b[min(m, n):max(m, n)]})
	})
}

// BenchmarkSums hashes chunks of a frame; one by one is what crypto/sha256 does.
func BenchmarkSums(b *testing.B) {
	data := make([]byte, 512<<10)
	var chunks [][]byte
	for at := 0; at < len(data); {
		n := min(len(data)-at, 2048+at*7919%14_000)
		chunks = append(chunks, data[at:at+n])
		at += n
	}
	out := make([]Digest, len(chunks))
	b.Run("two at a time", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			Sums(out, chunks)
		}
	})
	b.Run("one by one", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			for i, c := range chunks {
				out[i] = Of(c)
			}
		}
	})
}
