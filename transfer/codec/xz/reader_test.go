package xz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"loggia/transfer/codec"
)

const maxDict = 64 << 20

func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("LOGGIA_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("LOGGIA_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("LOGGIA_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// mixed is text, zeros, random bytes and repetitions from far back.
func mixed(rnd *rand.Rand, n int) []byte {
	b := make([]byte, 0, n+100_000)
	for len(b) < n {
		switch k := 1 + rnd.IntN(60_000); rnd.IntN(4) {
		case 0:
			for end := len(b) + k; len(b) < end; {
				b = fmt.Appendf(b, "line %d of a file\n", rnd.IntN(1000))
			}
		case 1:
			b = append(b, make([]byte, k)...)
		case 2:
			for range k / 4 {
				b = append(b, byte(rnd.Uint32()))
			}
		case 3:
			if from := rnd.IntN(len(b) + 1); from < len(b) {
				b = append(b, b[from:min(from+k, len(b))]...)
			}
		}
	}
	return b[:n]
}

// pack runs the oracle.
func pack(t testing.TB, plain []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("xz", append([]string{"-c", "--format=xz"}, args...)...)
	cmd.Stdin = bytes.NewReader(plain)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("xz %s (install xz-utils): %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out
}

func unpack(packed []byte) ([]byte, error) {
	return io.ReadAll(NewReader(bytes.NewReader(packed), maxDict))
}

// TestAgainstXZ unpacks what xz wrote with every option that changes the bytes.
func TestAgainstXZ(t *testing.T) {
	rnd := seeded(t)
	plain := mixed(rnd, 400<<10)
	for _, options := range []string{
		"-0", "-1", "-6", "-6e", "--check=none", "--check=crc32", "--check=crc64", "--check=sha256",
		"--block-size=300KiB -T1", "--block-size=100KiB -T2",
		"--lzma2=dict=4KiB", "--lzma2=dict=48KiB,nice=273", "--lzma2=lc=0,lp=4,pb=4", "--lzma2=lc=4,lp=0,pb=0", "--lzma2=lc=2,lp=2,pb=1",
		"--lzma2=mode=fast,mf=hc4", "--lzma2=mf=bt2,nice=5",
	} {
		t.Run(options, func(t *testing.T) {
			got, err := unpack(pack(t, plain, strings.Fields(options)...))
			if err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("%d of %d bytes, %v", len(got), len(plain), err)
			}
		})
	}
	for _, plain := range [][]byte{nil, {1}, make([]byte, 3<<20), mixed(rnd, 70_001)} {
		if got, err := unpack(pack(t, plain)); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: %d came, %v", len(plain), len(got), err)
		}
	}
}

// TestStreams: several streams, with padding between and behind them, are one file.
func TestStreams(t *testing.T) {
	a, b := pack(t, []byte("one "), "--check=crc32"), pack(t, []byte("two"), "--check=sha256")
	for _, pad := range []int{0, 4, 64} {
		packed := bytes.Join([][]byte{a, make([]byte, pad), b, make([]byte, pad)}, nil)
		if got, err := unpack(packed); err != nil || string(got) != "one two" {
			t.Errorf("padding %d: %q, %v", pad, got, err)
		}
	}
	for name, tail := range map[string]string{"garbage": "garbage behind", "a short pad": "\x00\x00", "a broken stream": Magic + "\x00\x04"} {
		got, err := unpack(append(bytes.Clone(a), tail...))
		if string(got) != "one " || !errors.Is(err, codec.ErrCorrupt) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestDamage: a file that was cut or changed anywhere is refused, or gives the same bytes; nothing else.
func TestDamage(t *testing.T) {
	rnd := seeded(t)
	plain := mixed(rnd, 1_000)
	packed := pack(t, plain, "--block-size=400", "--check=crc64")
	for n := range len(packed) {
		if _, err := unpack(packed[:n]); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%d of %d bytes: %v", n, len(packed), err)
		}
	}
	for range 300 {
		b := bytes.Clone(packed)
		at := rnd.IntN(len(b))
		b[at] ^= 1 << rnd.IntN(8)
		if got, err := unpack(b); err == nil && !bytes.Equal(got, plain) { // some bits of the model's properties don't matter to short blocks
			t.Fatalf("byte %d changed: %d other bytes and no error", at, len(got))
		}
	}
}

// header makes a stream whose one block has this header.
func header(flags byte, fields ...byte) []byte {
	b := append([]byte(Magic), 0, checkCRC32)
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b[6:8]))
	h := append([]byte{0, flags}, fields...)
	for len(h)%4 != 0 {
		h = append(h, 0)
	}
	h[0] = byte(len(h) / 4)
	return append(b, binary.LittleEndian.AppendUint32(h, crc32.ChecksumIEEE(h))...)
}

func TestRefused(t *testing.T) {
	for name, test := range map[string]struct {
		packed []byte
		want   error
		text   string
	}{
		"dictionary":      {header(0, lzma2Filter, 1, 30), codec.ErrMemory, "dictionary of 134217728 bytes: must be at most 67108864"},
		"dictionary max":  {header(0, lzma2Filter, 1, 40), codec.ErrMemory, "4294967295"},
		"dictionary 41":   {header(0, lzma2Filter, 1, 41), codec.ErrCorrupt, "properties"},
		"reserved flags":  {header(4, lzma2Filter, 1, 20), codec.ErrFeature, "block flags 0x04"},
		"two filters":     {header(1, 4, 0, lzma2Filter, 1, 20), codec.ErrFeature, "2 filters, the first 0x4"},
		"unknown filter":  {header(0, 3, 1, 0), codec.ErrFeature, "must be LZMA2 alone"},
		"no filter":       {header(0xc0, 0x80, 0x80), codec.ErrCorrupt, "ends early"},
		"no chunk":        {header(0, lzma2Filter, 1, 20), io.ErrUnexpectedEOF, ""},
		"kind of chunk":   {append(header(0, lzma2Filter, 1, 20), 3), codec.ErrCorrupt, "chunk of kind 0x03"},
		"no dictionary":   {append(header(0, lzma2Filter, 1, 20), 2, 0, 0, 'x'), codec.ErrCorrupt, "keeps a dictionary"},
		"no properties":   {append(header(0, lzma2Filter, 1, 20), 1, 0, 0, 'x', 0x80, 0, 0, 0, 0, 0), codec.ErrCorrupt, "keeps properties"},
		"properties":      {append(header(0, lzma2Filter, 1, 20), 0xe0, 0, 0, 0, 4, 0xff), codec.ErrCorrupt, "properties 0xff"},
		"lc + lp":         {append(header(0, lzma2Filter, 1, 20), 0xe0, 0, 0, 0, 4, 8), codec.ErrCorrupt, "properties 0x08"},
		"more than said":  {append(header(0x80, 0, lzma2Filter, 1, 20), 1, 0, 0, 'x'), codec.ErrCorrupt, "more than the 0 bytes"},
		"machine code":    {pack(t, make([]byte, 1000), "--x86", "--lzma2"), codec.ErrFeature, "2 filters"},
		"empty":           {nil, io.ErrUnexpectedEOF, ""},
		"another file":    {[]byte("hello, world"), codec.ErrCorrupt, "signature"},
		"kind of check":   {stream(0, 15), codec.ErrFeature, "check 15"},
		"stream flags":    {stream(1, 1), codec.ErrFeature, "stream flags"},
		"zeros in front":  {append(make([]byte, 4), stream(0, 1)...), codec.ErrCorrupt, "signature"},
		"stream checksum": {append([]byte(Magic), 0, 1, 0, 0, 0, 0), codec.ErrCorrupt, "checksum of the stream's header"},
	} {
		_, err := unpack(test.packed)
		if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: got %v, want %v and %q", name, err, test.want, test.text)
		}
	}
}

func stream(a, b byte) []byte {
	return binary.LittleEndian.AppendUint32(append([]byte(Magic), a, b), crc32.ChecksumIEEE([]byte{a, b}))
}

// TestWindow: matches reach back over the whole dictionary, and the window stays bounded.
func TestWindow(t *testing.T) {
	rnd := seeded(t)
	unit := make([]byte, 250_000)
	for i := range unit {
		unit[i] = byte(rnd.Uint32())
	}
	plain := bytes.Repeat(unit, 20)
	r := NewReader(bytes.NewReader(pack(t, plain, "--lzma2=dict=256KiB")), 256<<10)
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%d of %d bytes, %v", len(got), len(plain), err)
	}
	if n := cap(r.dec.window); n > 256<<10+2*maxChunk {
		t.Errorf("window of %d bytes", n)
	}
}

func FuzzReader(f *testing.F) {
	plain := []byte(strings.Repeat("some text, and more of it; ", 20) + "end")
	f.Add(pack(f, plain))
	f.Add(pack(f, plain, "--check=sha256", "--block-size=100"))
	f.Add(pack(f, plain, "--check=none", "--lzma2=dict=4KiB,lc=0,lp=2"))
	f.Add(append(header(0, lzma2Filter, 1, 20), 1, 0, 0, 'x', 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := io.Copy(io.Discard, io.LimitReader(NewReader(bytes.NewReader(b), 1<<20), 64<<20))
		if err == nil && n > 0 && n < 64<<20 && len(b) < 32 {
			t.Fatalf("%d bytes unpack to %d", len(b), n)
		}
		for _, kind := range []error{nil, codec.ErrCorrupt, codec.ErrMemory, codec.ErrFeature, io.ErrUnexpectedEOF} {
			if errors.Is(err, kind) {
				return
			}
		}
		t.Fatalf("unexpected kind of error: %v", err)
	})
}

// FuzzBlock decodes chunks with a header and checks that are right, which chance never finds.
func FuzzBlock(f *testing.F) {
	packed := pack(f, []byte(strings.Repeat("some text, and more of it; ", 20)), "--lzma2=dict=4KiB")
	f.Add(packed[24 : len(packed)-40])
	f.Add([]byte{1, 0, 0, 'x', 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &lzma2{}
		d.start(bytes.NewReader(b), 4096)
		for total := 0; total < 16<<20; {
			p, err := d.read()
			if err != nil {
				return
			}
			total += len(p)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	plain := mixed(rand.New(rand.NewPCG(1, 1)), 16<<20)
	packed := pack(b, plain, "-6")
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	for b.Loop() {
		if n, err := io.Copy(io.Discard, NewReader(bytes.NewReader(packed), maxDict)); err != nil || n != int64(len(plain)) {
			b.Fatal(n, err)
		}
	}
}
