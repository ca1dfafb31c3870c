package intake

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"loggia/transfer/chunk"
	"loggia/transfer/frame"
)

// Frames are looked up while checkpoints merge the segments that list them.
func TestLookupsAndCheckpointsTogether(t *testing.T) {
	ctx := context.Background()
	k, err := newKeeper(ctx, newRegion(t).config(make(disk, 4<<20), nil))
	if err != nil {
		t.Fatal(err)
	}
	defer k.w.Close()
	source := rand.NewChaCha8([32]byte{5})
	add := func() chunk.ID {
		b := make([]byte, 4<<10)
		source.Read(b)
		stored, _, err := frame.Encode(nil, b, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.add(ctx, 0, stored, frame.ID(stored), uint32(len(b)), []chunk.Ref{ref(b)}); err != nil {
			t.Fatal(err)
		}
		if err := k.flush(ctx); err != nil {
			t.Fatal(err)
		}
		return chunk.Hash(b)
	}
	first := add()
	var work sync.WaitGroup
	defer work.Wait()
	var ended atomic.Bool
	defer ended.Store(true)
	for range 4 {
		work.Go(func() {
			for !ended.Load() {
				if f, ok, err := k.frame(first); err != nil || !ok || len(f.Chunks) != 1 || f.Chunks[0].ID != first {
					t.Errorf("got %+v, %v, %v", f, ok, err)
					return
				}
			}
		})
	}
	for range 30 {
		add()
	}
}
