package pack

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
)

// TestArrange holds that frames lie by lane, within one as they came, and that the pack that comes of it is whole.
func TestArrange(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for _, lanes := range []uint64{1, 3, 40} {
		old := make([]byte, 1<<20)
		b := New(old, Data, 1<<20)
		frames, came := map[digest.Digest][]byte{}, map[uint64][]digest.Digest{}
		for i := range 40 {
			stored := bytes.Repeat([]byte{byte(i)}, MinStored+r.IntN(3000))
			id, lane := digest.Of(stored), 99-uint64(i)%lanes
			if err := b.Add(lane, stored, id, 5, []chunk.Ref{{ID: digest.Of([]byte{byte(i)}), Length: 5}}); err != nil {
				t.Fatal(err)
			}
			frames[id], came[lane] = stored, append(came[lane], id)
		}
		if b.Arranged() != (lanes == 1) {
			t.Errorf("%d lanes: arranged %t", lanes, b.Arranged())
		}
		moved := b.Arrange(make([]byte, 1<<20))
		clear(old) // nobody needs it now
		if !b.Arranged() {
			t.Errorf("%d lanes: not arranged", lanes)
		}
		id, object, want, err := b.Finish()
		if err != nil {
			t.Fatal(err)
		}
		reads := 0
		dir, err := ReadDirectory(context.Background(), id, int64(len(object)), reader(object, &reads))
		if err != nil || len(dir.Frames) != 40 || len(want.Frames) != 40 {
			t.Fatalf("%d lanes: %v", lanes, err)
		}
		var order []digest.Digest
		for lane := range uint64(100) {
			order = append(order, came[lane]...)
		}
		for i, f := range dir.Frames {
			if !bytes.Equal(object[f.Offset:f.End()], frames[f.ID]) {
				t.Fatalf("%d lanes: frame %d is not where it is said to be", lanes, i)
			}
			if at, ok := moved[f.ID]; !ok || at != f.Offset {
				t.Fatalf("%d lanes: frame %d lies at %d, told of %d", lanes, i, f.Offset, at)
			}
			if order[i] != f.ID {
				t.Fatalf("%d lanes: frame %d is another", lanes, i)
			}
		}
	}
}

// BenchmarkArrange is of the pack of three batches that came at once.
func BenchmarkArrange(b *testing.B) {
	const size, frame = 8 << 20, 128 << 10
	buf, spare, stored := make([]byte, size), make([]byte, size), make([]byte, frame)
	b.SetBytes(size)
	for b.Loop() {
		p := New(buf, Data, size-256<<10)
		for i := range uint64(60) {
			id := digest.Digest{1, byte(i)}
			if err := p.Add(i%3, stored, id, 5, []chunk.Ref{{ID: id, Length: 5}}); err != nil {
				b.Fatal(err)
			}
		}
		p.Arrange(spare)
		buf, spare = spare, buf
	}
}
