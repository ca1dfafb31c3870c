package frame

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"loggia/transfer/codec"
)

func codecs(t testing.TB) (*codec.Encoder, *codec.Decoder) {
	t.Helper()
	e, err := codec.NewEncoder(1, DefaultTarget)
	if err != nil {
		t.Fatal(err)
	}
	d, err := codec.NewDecoder(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(); d.Close() })
	return e, d
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

// The golden frames of docs/formats/frame.md. What stands here is readable for ever; what a
// compressor writes may change, so the zstd payload is a raw block written by hand.
var golden = map[string]struct {
	hex, plain, id string
	header         Header
}{
	"plain": {
		hex:    "4c674672" + "01010000" + "00000000" + "06000000" + "1b000000" + "00" + "6c6f67676961",
		plain:  "loggia",
		id:     "cbb9c422377a68852624448d2a53372ce1b5cac527b3b3172131b1303f12509c",
		header: Header{Transforms: []Transform{Plain}, Plain: 6, Stored: 27},
	},
	"zstd": {
		hex:    "4c674672" + "01010000" + "00000000" + "06000000" + "24000000" + "01" + "28b52ffd2006310000" + "6c6f67676961",
		plain:  "loggia",
		id:     "f91d0b4a372668e026a07d993f6d6d6160200c25b9df7c513fcf89a144580c3d",
		header: Header{Transforms: []Transform{Zstd}, Plain: 6, Stored: 36},
	},
}

func TestGolden(t *testing.T) {
	_, d := codecs(t)
	for name, g := range golden {
		b, err := hex.DecodeString(g.hex)
		if err != nil {
			t.Fatal(err)
		}
		h, err := ParseHeader(b)
		if err != nil || h.Stored != g.header.Stored || h.Plain != g.header.Plain || !slices.Equal(h.Transforms, g.header.Transforms) || h.KeyID != 0 || len(h.Nonce) != 0 {
			t.Errorf("%s: header %+v, %v, want %+v", name, h, err, g.header)
		}
		if got := h.Append(nil); !bytes.Equal(got, b[:h.Size()]) {
			t.Errorf("%s: header written as %x, want %x", name, got, b[:h.Size()])
		}
		if got, err := Decode(nil, b, d); err != nil || string(got) != g.plain {
			t.Errorf("%s: unpacked to %q, %v", name, got, err)
		}
		if got := ID(b).String(); got != g.id {
			t.Errorf("%s: id %s, want %s", name, got, g.id)
		}
	}
	stored, _, err := Encode(nil, []byte("loggia"), nil)
	if err != nil || hex.EncodeToString(stored) != golden["plain"].hex {
		t.Errorf("Encode(loggia) = %x, %v", stored, err)
	}
}

func TestRoundTrip(t *testing.T) {
	e, d := codecs(t)
	for _, plain := range [][]byte{{1}, bytes.Repeat([]byte("guest bytes "), 5000), random(100 << 10), random(MaxPlain)} {
		buf := make([]byte, 3, 3+Bound(len(plain)))
		stored, h, err := Encode(buf, plain, e)
		if err != nil {
			t.Fatal(err)
		}
		if &stored[0] != &buf[0] {
			t.Errorf("%d bytes: Encode allocated", len(plain))
		}
		stored = stored[3:]
		if int(h.Stored) != len(stored) || len(stored) > len(plain)+HeaderSize {
			t.Errorf("%d bytes: stored as %d, header says %d", len(plain), len(stored), h.Stored)
		}
		dst := append(make([]byte, 0, 2+len(plain)), 7, 7)
		got, err := Decode(dst, stored, d)
		if err != nil || !bytes.Equal(got[2:], plain) || &got[0] != &dst[0] {
			t.Errorf("%d bytes: came back as %d bytes, %v", len(plain), len(got), err)
		}
		room := make([]byte, len(plain))
		got, err = Open(room, stored, d)
		if err != nil || !bytes.Equal(got, plain) || cap(got) != len(got) {
			t.Errorf("%d bytes: opened as %d bytes, %v", len(plain), len(got), err)
		}
		if kept := h.Transforms[0] == Plain; kept != (&got[0] == &stored[h.Size()]) || kept == (&got[0] == &room[0]) {
			t.Errorf("%d bytes, %v: they lie elsewhere than they should", len(plain), h.Transforms)
		}
	}
	for _, n := range []int{0, MaxPlain + 1} {
		if _, _, err := Encode(nil, make([]byte, n), e); !errors.Is(err, ErrLimit) {
			t.Errorf("Encode(%d bytes): error %v, want ErrLimit", n, err)
		}
	}
}

func TestRefused(t *testing.T) {
	e, d := codecs(t)
	good, _, _ := Encode(nil, bytes.Repeat([]byte("guest bytes "), 50), e)
	for _, c := range []struct {
		name string
		at   int
		with string
		want error
	}{
		{"magic", 0, "LgFx", ErrCorrupt},
		{"version", 4, "\x02", ErrVersion},
		{"no transforms", 5, "\x00", ErrCorrupt},
		{"many transforms", 5, "\x05", ErrLimit},
		{"long nonce", 6, "\x21", ErrLimit},
		{"nonce without seal", 6, "\x01", ErrCorrupt},
		{"reserved", 7, "\x01", ErrCorrupt},
		{"key without seal", 8, "\x01", ErrCorrupt},
		{"plain is nothing", 12, "\x00\x00\x00\x00", ErrCorrupt},
		{"plain too short", 12, "\x01\x00\x00\x00", ErrCorrupt},
		{"plain too long", 12, "\x00\x00\x01\x00", ErrCorrupt},
		{"plain beyond limit", 12, "\x01\x00\x40\x00", ErrLimit},
		{"stored one less", 16, string([]byte{good[16] - 1}), ErrCorrupt},
		{"stored is the header", 16, "\x15\x00\x00\x00", ErrCorrupt},
		{"stored beyond limit", 16, "\xff\xff\xff\xff", ErrLimit},
		{"sealed", 20, "\x02", ErrTransform},
		{"unknown transform", 20, "\x09", ErrTransform},
		{"not plain after all", 20, "\x00", ErrCorrupt},
		{"payload", 21, "????", ErrCorrupt},
	} {
		bad := slices.Clone(good)
		copy(bad[c.at:], c.with)
		if _, err := Open(nil, bad, d); !errors.Is(err, c.want) {
			t.Errorf("%s: Open: error %v, want %v", c.name, err, c.want)
		}
		if got, err := Decode(nil, bad, d); !errors.Is(err, c.want) || got != nil {
			t.Errorf("%s: %d bytes, error %v, want %v", c.name, len(got), err, c.want)
		}
	}
	for n := range good {
		if _, err := Decode(nil, good[:n], d); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("first %d bytes: error %v, want ErrCorrupt", n, err)
		}
	}
	if _, err := Decode(nil, append(good, 0), d); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a byte more: error %v, want ErrCorrupt", err)
	}
}

// A later version's header (compressed, then sealed) is parsed, so that a frame can be carried by a
// node that cannot open it.
func TestSealedHeaderIsCarried(t *testing.T) {
	h := Header{Transforms: []Transform{Zstd, Sealed}, KeyID: 7, Nonce: []byte(strings.Repeat("n", 24)), Plain: 100, Stored: 120}
	b := append(h.Append(nil), make([]byte, 120-h.Size())...)
	got, err := ParseHeader(b)
	if err != nil || got.KeyID != 7 || !bytes.Equal(got.Nonce, h.Nonce) || !slices.Equal(got.Transforms, h.Transforms) {
		t.Fatalf("header %+v, %v", got, err)
	}
	_, d := codecs(t)
	if _, err := Decode(nil, b, d); !errors.Is(err, ErrTransform) {
		t.Fatalf("Decode: error %v, want ErrTransform", err)
	}
}

func FuzzDecode(f *testing.F) {
	_, d := codecs(f)
	for _, g := range golden {
		b, _ := hex.DecodeString(g.hex)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		plain, err := Decode(nil, b, d)
		if err != nil {
			for _, want := range []error{ErrCorrupt, ErrVersion, ErrTransform, ErrLimit} {
				if errors.Is(err, want) {
					return
				}
			}
			t.Fatalf("untyped error %v", err)
		}
		h, err := ParseHeader(b)
		if err != nil || len(plain) != int(h.Plain) || !bytes.Equal(h.Append(nil), b[:h.Size()]) {
			t.Fatalf("%d bytes, header %+v, %v", len(plain), h, err)
		}
	})
}

// TestSlack holds that a frame unpacks to the same whatever room is behind it, that it overwrites no more than Slack, and that one which
// unpacks to more than it says is refused with any of it.
func TestSlack(t *testing.T) {
	e, d := codecs(t)
	plain := bytes.Repeat([]byte("0123456789abcdefghijklmnopq"), 20_000)
	stored, h, err := Encode(nil, plain, e)
	if err != nil || h.Transforms[0] != Zstd {
		t.Fatal(err, h)
	}
	longer, _, _ := Encode(nil, append(slices.Clone(plain), "more"...), e)
	h.Stored = uint32(len(longer))
	h.Append(longer[:0]) // says what plain is
	for _, slack := range []int{0, 1, Slack - 1, Slack, Slack + 100} {
		room := bytes.Repeat([]byte{0xa5}, 3+len(plain)+slack)
		got, err := Decode(room[:3], stored, d)
		if err != nil || !bytes.Equal(got[3:], plain) || cap(got) != 3+len(plain) || &got[0] != &room[0] {
			t.Errorf("slack of %d: %d bytes, %v", slack, len(got), err)
		}
		if rest := room[3+len(plain):]; slack > Slack && !bytes.Equal(rest[Slack:], bytes.Repeat([]byte{0xa5}, slack-Slack)) {
			t.Errorf("slack of %d: overwritten behind it", slack)
		}
		if _, err := Decode(room[:3], longer, d); !errors.Is(err, ErrCorrupt) {
			t.Errorf("slack of %d: a frame of more than it says: %v", slack, err)
		}
	}
	largest := bytes.Repeat(plain[:1024], MaxPlain/1024)
	if stored, _, err = Encode(nil, largest, e); err != nil {
		t.Fatal(err)
	}
	if got, err := Decode(make([]byte, 0, MaxPlain+Slack), stored, d); err != nil || !bytes.Equal(got, largest) {
		t.Errorf("the largest: %d bytes, %v", len(got), err)
	}
}

func BenchmarkEncode(b *testing.B) {
	e, _ := codecs(b)
	for name, plain := range map[string][]byte{"random": random(DefaultTarget), "text": bytes.Repeat(random(997), DefaultTarget/997)} {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, Bound(len(plain)))
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Encode(dst, plain, e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	e, d := codecs(b)
	plain := bytes.Repeat(random(997), DefaultTarget/997)
	stored, _, _ := Encode(nil, plain, e)
	for name, slack := range map[string]int{"exact": 0, "slack": Slack} {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, len(plain)+slack)
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(dst, stored, d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
