package intake

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/manifest"
)

// The longest frames pass, whether they are long in the batch or only when they are unpacked, and
// small ones behind them.
func TestLongestFrames(t *testing.T) {
	s := newRegion(t).open(make(disk, 16<<20), nil)
	noise := make([]byte, frame.MaxPlain)
	rand.NewChaCha8([32]byte{9}).Read(noise)
	var even []byte
	for i := range frame.MaxPlain >> 16 {
		even = append(even, bytes.Repeat([]byte{byte(i + 1)}, 64<<10)...)
	}
	for _, plain := range [][]byte{even, noise} {
		var refs []chunk.Ref
		for p := plain; len(p) > 0; p = p[64<<10:] {
			refs = append(refs, ref(p[:64<<10]))
		}
		small := append([]byte("small"), plain[:9]...)
		send(t, s, func(b *batch) {
			b.frame(packed(t, plain), refs...)
			b.frame(packed(t, small), ref(small))
		})
	}
	if n, want := known(t, s), 2*(frame.MaxPlain>>16)+2; n != want {
		t.Errorf("%d chunks are known, want %d", n, want)
	}
}

// A client cannot fill the store with chunks that no disk of that length has room for.
func TestTooManyChunks(t *testing.T) {
	s := newRegion(t).open(make(disk, 512), nil)
	piece := make([]byte, 100_000)
	source := rand.NewChaCha8([32]byte{3})
	for sent := 0; ; sent += len(piece) {
		source.Read(piece)
		err := try(t, s, func(b *batch) { b.frame(packed(t, piece), ref(piece)) })
		if errors.Is(err, ErrTooMuch) {
			return
		}
		if err != nil || sent > 2*MaxBatch {
			t.Fatalf("after %d bytes: %v", sent, err)
		}
	}
}

func TestTooManyPendingLeaves(t *testing.T) {
	g := newRegion(t)
	c := g.config(nil, nil)
	c.Length = (maxPending + 2) << 20
	s, err := Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var leaf manifest.Leaf
	for range 8 {
		leaf.AddChunk(chunk.Ref{ID: digest.Of([]byte("never sent")), Length: 128 << 10})
	}
	node, err := leaf.Encode(c.Params, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for span := range int64(maxPending) {
		send(t, s, func(b *batch) { b.leaf(span, node) })
	}
	if err := try(t, s, func(b *batch) { b.leaf(maxPending, node) }); !errors.Is(err, ErrPending) {
		t.Errorf("got %v, want %v", err, ErrPending)
	}
	// The same span again takes no further place.
	send(t, s, func(b *batch) { b.leaf(0, node) })
}

func TestOpenRefuses(t *testing.T) {
	g := newRegion(t)
	for name, c := range map[string]struct {
		change func(*Config)
		want   error
	}{
		"unknown base":       {func(c *Config) { c.Bases = []chunk.ID{digest.Of(nil)} }, ErrBase},
		"empty disk":         {func(c *Config) { c.Length = 0 }, nil},
		"no epoch":           {func(c *Config) { c.Epoch = 0 }, nil},
		"one pool for both":  {func(c *Config) { c.Scratch = c.Pool }, nil},
		"unknown parameters": {func(c *Config) { c.Params.Algorithm = 99 }, nil},
	} {
		cfg := g.config(make(disk, 512), nil)
		c.change(&cfg)
		s, err := Open(context.Background(), cfg)
		if err == nil {
			s.Close()
		}
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}
