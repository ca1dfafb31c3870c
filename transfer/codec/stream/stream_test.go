package stream

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

	"loggia/transfer/codec"
)

// pack runs the tool of a kind.
func pack(t testing.TB, kind Kind, plain []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(string(kind), append([]string{"-c"}, args...)...)
	cmd.Stdin = bytes.NewReader(plain)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s (install xz-utils, gzip and zstd): %v", kind, strings.Join(args, " "), err)
	}
	return out
}

func unpack(kind Kind, packed []byte) ([]byte, error) {
	r, err := NewReader(kind, bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err == nil && r.Packed() != int64(len(packed)) {
		return nil, errors.New("not all was read")
	}
	return b, err
}

func text(n int) []byte {
	rnd := rand.New(rand.NewPCG(1, 1))
	var b []byte
	for len(b) < n {
		b = append(b, strings.Repeat(string(rune('a'+rnd.IntN(26))), rnd.IntN(20))...)
	}
	return b[:n]
}

// TestTools unpacks what the tools write with every option that changes the form.
func TestTools(t *testing.T) {
	plain := text(400 << 10)
	for _, test := range []struct {
		kind    Kind
		options string
	}{
		{XZ, "-0"}, {XZ, "-9"}, {XZ, "--block-size=100KiB -T2"},
		{Gzip, "-1"}, {Gzip, "-9"}, {Gzip, "--rsyncable"},
		{Zstd, "-1"}, {Zstd, "-19"}, {Zstd, "--no-check"}, {Zstd, "--long=27"}, {Zstd, "-T2 -B512K"}, {Zstd, "--ultra -22"}, {Zstd, "--no-content-size"},
	} {
		packed := pack(t, test.kind, plain, strings.Fields(test.options)...)
		if kind := Detect(packed[:HeadSize]); kind != test.kind {
			t.Errorf("%s %s: detected %q", test.kind, test.options, kind)
		}
		if got, err := unpack(test.kind, packed); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s %s: %d of %d bytes, %v", test.kind, test.options, len(got), len(plain), err)
		}
	}
}

func TestMembers(t *testing.T) {
	skippable := []byte("\x50\x2a\x4d\x18\x04\x00\x00\x00skip")
	for _, kind := range []Kind{XZ, Gzip, Zstd} {
		one, two := pack(t, kind, []byte("one ")), pack(t, kind, []byte("two"))
		both := append(bytes.Clone(one), two...)
		if got, err := unpack(kind, both); err != nil || string(got) != "one two" {
			t.Errorf("%s: two members: %q, %v", kind, got, err)
		}
		for _, tail := range []string{"garbage that follows", strings.Repeat("\x00", 510), "x"} {
			if _, err := unpack(kind, append(bytes.Clone(both), tail...)); !refused(err) {
				if kind != XZ || tail[0] != 0 { // zeros are what may follow an xz stream, in fours
					t.Errorf("%s: %q behind: %v", kind, tail[:1], err)
				}
			}
		}
		for n := 1; n < len(one); n++ {
			if _, err := unpack(kind, both[:len(both)-n]); n < len(two) && !refused(err) {
				t.Errorf("%s: %d bytes short: %v", kind, n, err)
			}
		}
		if _, err := unpack(kind, nil); !errors.Is(err, codec.ErrTruncated) && err != nil {
			t.Errorf("%s: nothing: %v", kind, err)
		}
	}
	packed := append(skippable, pack(t, Zstd, []byte("plain"))...)
	if got, err := unpack(Zstd, packed); err != nil || string(got) != "plain" || Detect(packed) != Zstd {
		t.Errorf("skippable frame: %q, %v", got, err)
	}
}

func refused(err error) bool {
	return errors.Is(err, codec.ErrCorrupt) || errors.Is(err, codec.ErrTruncated)
}

func TestLimits(t *testing.T) {
	big := func(kind Kind, options string) error {
		_, err := unpack(kind, pack(t, kind, make([]byte, 1000), strings.Fields(options)...))
		return err
	}
	if err := big(XZ, "--lzma2=dict=128MiB"); !errors.Is(err, codec.ErrMemory) {
		t.Errorf("xz dictionary: %v", err)
	}
	if err := big(Zstd, "--ultra --long=31 --no-content-size"); !errors.Is(err, codec.ErrMemory) {
		t.Errorf("zstd window: %v", err)
	}
	if err := big(XZ, "--x86 --lzma2"); !errors.Is(err, codec.ErrFeature) {
		t.Errorf("xz filter: %v", err)
	}
}

// TestSourceFails: a file that cannot be read is not a damaged one.
func TestSourceFails(t *testing.T) {
	for _, broken := range []error{errors.New("broken"), io.ErrUnexpectedEOF} {
		testSourceFails(t, broken)
	}
}

func testSourceFails(t *testing.T, broken error) {
	for _, kind := range []Kind{XZ, Gzip, Zstd} {
		packed := pack(t, kind, text(100_000))
		r, err := NewReader(kind, io.MultiReader(bytes.NewReader(packed[:len(packed)/2]), iotest.ErrReader(broken)))
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if !errors.Is(err, broken) || errors.Is(err, codec.ErrCorrupt) || errors.Is(err, codec.ErrTruncated) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestDetect(t *testing.T) {
	for head, want := range map[string]Kind{"": None, "\x1f\x8b": None, "\x1f\x8b\x08\xff": None, "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03": Gzip,
		"BZh9": None, "\x28\xb5\x2f\xfd": Zstd, "\xfd7zXZ\x00": XZ, "\x55\x2a\x4d\x18\x00\x00\x00\x00\x00\x00\x00\x00": Zstd, "KDMV": None} {
		if got := Detect([]byte(head)); got != want {
			t.Errorf("%q: %q, want %q", head, got, want)
		}
	}
}

func fuzz(f *testing.F, kind Kind) {
	f.Add(pack(f, kind, []byte("some text, some more text, some text")))
	f.Add(append(pack(f, kind, []byte("one")), pack(f, kind, make([]byte, 5000))...))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(kind, bytes.NewReader(b))
		if err == nil {
			defer r.Close()
			_, err = io.Copy(io.Discard, io.LimitReader(r, 16<<20))
		}
		for _, known := range []error{nil, codec.ErrCorrupt, codec.ErrMemory, codec.ErrFeature, codec.ErrTruncated} {
			if errors.Is(err, known) {
				return
			}
		}
		t.Fatalf("unexpected kind of error: %v", err)
	})
}

func FuzzXZ(f *testing.F)   { fuzz(f, XZ) }
func FuzzGzip(f *testing.F) { fuzz(f, Gzip) }
func FuzzZstd(f *testing.F) { fuzz(f, Zstd) }

func BenchmarkReader(b *testing.B) {
	plain := text(16 << 20)
	for _, kind := range []Kind{XZ, Gzip, Zstd} {
		packed := pack(b, kind, plain, "-3")
		b.Run(string(kind), func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			for b.Loop() {
				r, err := NewReader(kind, bytes.NewReader(packed))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
				r.Close()
			}
		})
	}
}
