package repository

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"loggia/transfer/chunk"
	"loggia/transfer/frame"
	"loggia/transfer/index"
	"loggia/transfer/pack"
)

// What a Writer holds can be sent at any moment: before its pack is durable, after, and when it was found before and is
// read after.
func TestHeldFramesAreReadWhereverTheyAre(t *testing.T) {
	r := newRig(t)
	w := r.writer(t, 1, nil)
	ctx := t.Context()
	var ids []chunk.ID
	stored := map[chunk.ID][]byte{} // by chunk
	add := func(n int) {
		for i := range n {
			plain := bytes.Repeat([]byte{byte(len(ids)), byte(i), 3}, 30_000)
			b, h, err := frame.Encode(nil, plain, nil)
			if err != nil {
				t.Fatal(err)
			}
			id := chunk.Hash(plain)
			if err := w.Add(ctx, pack.Data, 0, b, frame.ID(b), h.Plain, []chunk.Ref{{ID: id, Length: uint32(len(plain))}}); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
			stored[id] = b
		}
	}
	look := func() (locs []index.Location) {
		t.Helper()
		unknown := chunk.Hash([]byte("unknown"))
		err := w.LookupAll(append(ids[:len(ids):len(ids)], unknown), func(i int, loc index.Location) error {
			locs = append(locs, loc)
			refs, err := loc.Chunks()
			if err != nil || refs[0].ID != ids[i] || loc.Length != refs[0].Length {
				t.Errorf("chunk %d: %+v, %v, %v", i, loc, refs, err)
			}
			return nil
		})
		if err != nil || len(locs) != len(ids) {
			t.Fatalf("%d of %d found, %v", len(locs), len(ids), err)
		}
		return locs
	}
	read := func(locs []index.Location) {
		t.Helper()
		got := 0
		err := w.ReadFrames(ctx, locs, ReadOptions{}, func(loc index.Location, b, _ []byte) error {
			refs, err := loc.Chunks()
			if err != nil || !bytes.Equal(b, stored[refs[0].ID]) {
				t.Errorf("another frame, %v", err)
			}
			got++
			return nil
		})
		if err != nil || got != len(locs) {
			t.Fatalf("%d of %d read, %v", got, len(locs), err)
		}
		for _, loc := range locs {
			refs, _ := loc.Chunks()
			if b, err := w.ReadFrame(ctx, loc, nil); err != nil || !bytes.Equal(b, stored[refs[0].ID]) {
				t.Fatalf("another frame, %v", err)
			}
		}
	}
	add(4)
	early := look()
	read(early)
	if err := w.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	read(early)
	add(3)
	mixed := look()
	read(mixed)
	if err := w.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Segment(ctx); err != nil {
		t.Fatal(err)
	}
	read(mixed)
	add(1)
	lost := look()[7:]
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	read(inPacks(mixed))
	if err := w.ReadFrames(context.Background(), lost, ReadOptions{}, func(index.Location, []byte, []byte) error { return nil }); !errors.Is(err, ErrMissing) {
		t.Errorf("a frame that was dropped: %v, want ErrMissing", err)
	}
}

// inPacks keeps locations in packs: these outlive the Writer.
func inPacks(locs []index.Location) (durable []index.Location) {
	for _, loc := range locs {
		if !loc.Pack.IsZero() {
			durable = append(durable, loc)
		}
	}
	return durable
}
