package intake

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
)

func sampleCheckpoint() *checkpoint {
	ref := func(span int64, name string, n int64) manifest.SpanRef {
		return manifest.SpanRef{Span: span, ID: digest.Of([]byte(name)), Sums: manifest.Sums{Bytes: n, Count: 2 * n}}
	}
	params := chunk.Params{Algorithm: chunk.FastCDC1, Min: 8 << 10, Average: 32 << 10, Max: 128 << 10, HoleBlock: 64 << 10, Span: 64 << 20}
	return &checkpoint{params: params, length: 1 << 32, spans: []finished{
		{leaf: ref(3, "a", 5), table: ref(3, "b", 6)},
		{leaf: ref(40, "c", 7), table: ref(40, "d", 8)},
	}}
}

func TestCheckpointGolden(t *testing.T) {
	b := sampleCheckpoint().encode()
	const head = "4c67556301000000" + "0000000001000000" + "02000000" + "01000000" + "00200000" + "00800000" + "00000200" + "00000100" + "0000000400000000"
	if got := hex.EncodeToString(b[:checkpointHeader]); got != head {
		t.Errorf("header\n got %s\nwant %s", got, head)
	}
	const whole = "13467d96f7327faff41c4a13b7ddd6058a4a2ff5badb550b5e50948f1f654289"
	if got := digest.Of(b).String(); got != whole {
		t.Errorf("SHA-256 of the sample is %s, want %s", got, whole)
	}
	got, err := decodeCheckpoint(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sampleCheckpoint(), got, cmp.AllowUnexported(checkpoint{}, finished{})); d != "" {
		t.Error(d)
	}
}

func TestDamagedCheckpointIsRefused(t *testing.T) {
	b := sampleCheckpoint().encode()
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if _, err := decodeCheckpoint(bad); !errors.Is(err, ErrCheckpoint) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	for n := range b {
		if _, err := decodeCheckpoint(b[:n]); !errors.Is(err, ErrCheckpoint) {
			t.Fatalf("first %d bytes: %v", n, err)
		}
	}
}

func FuzzCheckpoint(f *testing.F) {
	f.Add(sampleCheckpoint().encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeCheckpoint(b)
		if err == nil && !bytes.Equal(c.encode(), b) {
			t.Fatal("a checkpoint has two encodings")
		}
	})
}

func FuzzBatch(f *testing.F) {
	x := newBatch(f)
	a := bytes.Repeat([]byte("a"), 500)
	x.frame(packed(f, a, a[:100]), ref(a), ref(a[:100]))
	leaf := manifest.Leaf{Entries: []manifest.Entry{{ID: ref(a).ID, Length: 500}, {ID: ref(a[:100]).ID, Length: 100}}}
	node, err := leaf.Encode(smallSpans(), 600)
	if err != nil {
		f.Fatal(err)
	}
	x.leaf(0, node)
	f.Add(x.bytes())
	g := newRegion(f)
	s := g.open(make(disk, 600), nil)
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := s.Batch(context.Background(), 0, bytes.NewReader(b)); err == nil {
			return
		} else if errors.Is(err, ErrClosed) {
			t.Fatalf("a batch ended the session: %v", err)
		}
	})
}
