package pack

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
)

// goldenPack holds one frame of two chunks, "log" and "gia": docs/formats/pack.md. It was first
// computed by a program in another language, from the document alone.
const (
	goldenFrame = "4c6746720101000000000000060000001b000000006c6f67676961"
	goldenPack  = goldenFrame +
		"4c675064017000000100000002000000" +
		"cbb9c422377a68852624448d2a53372ce1b5cac527b3b3172131b1303f12509c1b0000000600000002000000" +
		"836ff184e7b41b1e13cb5fd89fa1de98dbbab99e9d2918913ff43b86a5c7c21303000000" +
		"baea6a5e373856738b580b254c80214113e6059cbef8f7f5094605a501a7c6e203000000" +
		"8400000001000000" + "006cb30d" + "4c675061636b560a"
	goldenID = "3b631fa19a702821f610002bd99dc0f4de561008d3ebda90011359f3a51c2915"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGolden(t *testing.T) {
	want := unhex(t, goldenPack)
	b := New(make([]byte, 4096), Data, 1024)
	frame := unhex(t, goldenFrame)
	refs := []chunk.Ref{{ID: chunk.Hash([]byte("log")), Length: 3}, {ID: chunk.Hash([]byte("gia")), Length: 3}}
	for range 2 { // the second time changes nothing
		if err := b.Add(0, frame, digest.Of(frame), 6, refs); err != nil {
			t.Fatal(err)
		}
	}
	id, object, dir, err := b.Finish()
	if err != nil || id.String() != goldenID || !bytes.Equal(object, want) {
		t.Fatalf("id %s, %v, object\n%x, want\n%x", id, err, object, want)
	}
	got, need, err := ParseDirectory(want, int64(len(want)))
	if err != nil || need != 0 || !reflect.DeepEqual(got, dir) || got.ID() != id {
		t.Fatalf("directory %+v, need %d, %v, want %+v", got, need, err, dir)
	}
}

// sample makes a pack of so many frames of random bytes.
func sample(t testing.TB, frames int) (digest.Digest, []byte, *Directory) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(frames), 1))
	b := New(make([]byte, 8<<20), Nodes, 8<<20)
	for range frames {
		stored := make([]byte, MinStored+r.IntN(1000))
		for i := range stored {
			stored[i] = byte(r.Uint32())
		}
		var refs []chunk.Ref
		var plain uint32
		for range 1 + r.IntN(5) {
			ref := chunk.Ref{Length: 1 + r.Uint32N(100_000)}
			binary.LittleEndian.PutUint64(ref.ID[:], r.Uint64())
			plain += ref.Length
			refs = append(refs, ref)
		}
		if err := b.Add(0, stored, digest.Of(stored), plain, refs); err != nil {
			t.Fatal(err)
		}
	}
	id, object, dir, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return id, object, dir
}

// reader serves an object and counts the reads.
func reader(object []byte, reads *int) func(context.Context, int64, int64) ([]byte, error) {
	return func(_ context.Context, off, n int64) ([]byte, error) {
		*reads++
		return object[off : off+n], nil
	}
}

func TestReadDirectory(t *testing.T) {
	for _, frames := range []int{1, 30, 1000} {
		id, object, want := sample(t, frames)
		reads := 0
		got, err := ReadDirectory(context.Background(), id, int64(len(object)), reader(object, &reads))
		if err != nil || !reflect.DeepEqual(got, want) || reads > 2 {
			t.Fatalf("%d frames: %v after %d reads", frames, err, reads)
		}
		if got.Size() != int64(len(object)) {
			t.Errorf("%d frames: Size() = %d, want %d", frames, got.Size(), len(object))
		}
		for _, f := range got.Frames {
			if digest.Of(object[f.Offset:f.End()]) != f.ID {
				t.Errorf("frame %s is not at %d", f.ID.Short(), f.Offset)
			}
		}
		if _, err := ReadDirectory(context.Background(), digest.Of(nil), int64(len(object)), reader(object, &reads)); !errors.Is(err, ErrMismatch) {
			t.Errorf("%d frames, other id: error %v, want ErrMismatch", frames, err)
		}
	}
	id, object, _ := sample(t, 3)
	broken := errors.New("broken")
	_, err := ReadDirectory(context.Background(), id, int64(len(object)), func(context.Context, int64, int64) ([]byte, error) { return nil, broken })
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want the reader's", err)
	}
	_, err = ReadDirectory(context.Background(), id, int64(len(object)), func(_ context.Context, _, n int64) ([]byte, error) { return make([]byte, n-1), nil })
	if !errors.Is(err, ErrCorrupt) {
		t.Errorf("short read: error %v, want ErrCorrupt", err)
	}
	for _, size := range []int64{-1, 0, 19} {
		if _, err := ReadDirectory(context.Background(), id, size, reader(object, new(int))); !errors.Is(err, ErrCorrupt) {
			t.Errorf("object of %d bytes: error %v, want ErrCorrupt", size, err)
		}
	}
}

// Every tail, however short, says how much more is needed, and that is enough.
func TestNeedConverges(t *testing.T) {
	_, object, want := sample(t, 20)
	size := int64(len(object))
	for n := range object {
		tail, turns := int64(n), 0
		for {
			dir, need, err := ParseDirectory(object[size-tail:], size)
			if err != nil || turns > 2 {
				t.Fatalf("tail of %d: turn %d, %v", n, turns, err)
			}
			if dir != nil {
				if !reflect.DeepEqual(dir, want) {
					t.Fatalf("tail of %d: another directory", n)
				}
				break
			}
			if need <= tail || need > size {
				t.Fatalf("tail of %d: needs %d of %d", tail, need, size)
			}
			tail, turns = need, turns+1
		}
	}
}

// reseal gives a changed directory a right checksum, so that what is behind it is reached.
func reseal(object []byte) []byte {
	body, trailer := object[:len(object)-TrailerSize], object[len(object)-TrailerSize:]
	n := int(binary.LittleEndian.Uint32(trailer))
	binary.LittleEndian.PutUint32(trailer[8:], checksum(body[len(body)-n:], trailer[:8]))
	return object
}

func TestHostileDirectory(t *testing.T) {
	const directory = 27 // where the golden pack's directory begins
	const frame, refs = directory + 16, directory + 16 + 44
	for _, c := range []struct {
		name string
		at   int
		with string
		want error
	}{
		{"magic", directory, "LgPx", ErrCorrupt},
		{"version", directory + 4, "\x02", ErrVersion},
		{"kind", directory + 5, "x", ErrCorrupt},
		{"reserved", directory + 6, "\x01", ErrCorrupt},
		{"no frames", directory + 8, "\x00", ErrCorrupt},
		{"absurd frames", directory + 8, "\xff\xff\xff\xff", ErrLimit},
		{"frames beyond the bytes", directory + 8, "\x02", ErrCorrupt},
		{"absurd chunks", directory + 12, "\xff\xff\xff\xff", ErrLimit},
		{"chunks beyond the bytes", directory + 12, "\x03", ErrCorrupt},
		{"frame without id", frame, string(make([]byte, 32)), ErrCorrupt},
		{"frame beyond the pack", frame + 32, "\x1c", ErrCorrupt},
		{"frame shorter", frame + 32, "\x1a", ErrCorrupt},
		{"frame without bytes", frame + 32, "\x00", ErrCorrupt},
		{"frame of 4 GiB", frame + 32, "\xff\xff\xff\xff", ErrLimit},
		{"plain differs", frame + 36, "\x07", ErrCorrupt},
		{"plain is nothing", frame + 36, "\x00", ErrCorrupt},
		{"plain beyond limit", frame + 36, "\xff\xff\xff\xff", ErrLimit},
		{"frame without chunks", frame + 40, "\x00", ErrCorrupt},
		{"chunk of no frame", frame + 40, "\x01", ErrCorrupt},
		{"frame of absurd chunks", frame + 40, "\xff\xff\xff\xff", ErrCorrupt},
		{"chunk without bytes", refs + 32, "\x00", ErrCorrupt},
		{"chunks overflow", refs + 32, "\xff\xff\xff\xff", ErrCorrupt},
		{"trailer version", len(goldenPack)/2 - 16, "\x02", ErrVersion},
		{"trailer magic", len(goldenPack)/2 - 8, "x", ErrCorrupt},
	} {
		bad := unhex(t, goldenPack)
		copy(bad[c.at:], c.with)
		reseal(bad)
		if dir, _, err := ParseDirectory(bad, int64(len(bad))); !errors.Is(err, c.want) || dir != nil {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
	bad := unhex(t, goldenPack)
	bad[frame] ^= 1
	if _, _, err := ParseDirectory(bad, int64(len(bad))); !errors.Is(err, ErrCorrupt) {
		t.Errorf("checksum: error %v, want ErrCorrupt", err)
	}
	binary.LittleEndian.PutUint32(bad[len(bad)-TrailerSize:], 1<<31)
	if _, _, err := ParseDirectory(bad, int64(len(bad))); !errors.Is(err, ErrLimit) {
		t.Errorf("directory of 2 GiB: error %v, want ErrLimit", err)
	}
	if _, _, err := ParseDirectory(nil, MaxObject+1); !errors.Is(err, ErrLimit) {
		t.Errorf("object too large: error %v, want ErrLimit", err)
	}
}

func TestFrameTwice(t *testing.T) {
	f := Frame{ID: digest.Of([]byte("f")), Stored: MinStored, Plain: 1, Chunks: []chunk.Ref{{ID: digest.Of([]byte("c")), Length: 1}}}
	d := &Directory{Kind: Data, Frames: []Frame{f, f}}
	if _, err := Decode(d.Append(nil)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("error %v, want ErrCorrupt", err)
	}
}

func TestBuilderLimits(t *testing.T) {
	stored := bytes.Repeat([]byte{1}, 1000)
	refs := []chunk.Ref{{ID: digest.Of(stored), Length: 5}}
	b := New(make([]byte, 3000), Data, 1500)
	if b.Fits(3000, 1) || b.Fits(1000, MaxChunks+1) || b.Fits(1000, 100) {
		t.Error("what is larger than the buffer fits")
	}
	if !b.Fits(2000, 1) {
		t.Error("a first frame above the target does not fit")
	}
	if err := b.Add(0, stored, digest.Of(stored), 6, refs); !errors.Is(err, ErrCorrupt) || b.Len() != 0 {
		t.Errorf("lying plain length: error %v, %d bytes", err, b.Len())
	}
	if _, _, _, err := b.Finish(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Finish of nothing: error %v", err)
	}
	if err := b.Add(0, stored, digest.Of(stored), 5, refs); err != nil || b.Len() != 1000 {
		t.Fatalf("Add: %v, %d bytes", err, b.Len())
	}
	second := slices.Clone(stored)
	second[0] = 2
	if err := b.Add(0, second, digest.Of(second), 5, refs); !errors.Is(err, ErrLimit) || b.Len() != 1000 {
		t.Errorf("above the target: error %v, %d bytes", err, b.Len())
	}
}

// Finish never outgrows the buffer it was given: what Fits has promised holds to the last byte.
func TestBuilderFillsItsBuffer(t *testing.T) {
	for size := 202; size < 2000; size += 13 {
		buf := make([]byte, size)
		b := New(buf, Data, 1<<20)
		for i := 0; b.Fits(50, 2); i++ {
			stored := bytes.Repeat([]byte{byte(i)}, 50)
			ref := chunk.Ref{ID: digest.Of(stored), Length: 1}
			if err := b.Add(0, stored, digest.Of(stored), 2, []chunk.Ref{ref, ref}); err != nil {
				t.Fatal(err)
			}
		}
		_, object, _, err := b.Finish()
		if err != nil || &object[0] != &buf[0] || len(object) > size {
			t.Fatalf("buffer of %d: object of %d bytes, %v", size, len(object), err)
		}
	}
}

func FuzzParseDirectory(f *testing.F) {
	golden := unhex(f, goldenPack)
	f.Add(golden, int64(len(golden)))
	f.Add(golden[30:], int64(len(golden)))
	_, object, _ := sample(f, 3)
	f.Add(object, int64(len(object)))
	f.Fuzz(func(t *testing.T, tail []byte, size int64) {
		if len(tail) >= TrailerSize {
			if n := int(binary.LittleEndian.Uint32(tail[len(tail)-TrailerSize:])); n <= len(tail)-TrailerSize {
				tail = reseal(slices.Clone(tail))
			}
		}
		dir, need, err := ParseDirectory(tail, size)
		if err != nil {
			for _, want := range []error{ErrCorrupt, ErrVersion, ErrLimit} {
				if errors.Is(err, want) {
					return
				}
			}
			t.Fatalf("untyped error %v", err)
		}
		if dir == nil {
			if need <= int64(len(tail)) || need > size {
				t.Fatalf("tail of %d, object of %d: needs %d", len(tail), size, need)
			}
			return
		}
		if dir.Size() != size || !bytes.HasSuffix(tail[:len(tail)-TrailerSize], dir.Append(nil)) {
			t.Fatalf("directory %+v of an object of %d bytes", dir, size)
		}
	})
}

func BenchmarkParseDirectory(b *testing.B) {
	_, object, _ := sample(b, 300)
	b.SetBytes(int64(len(object)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ParseDirectory(object, int64(len(object))); err != nil {
			b.Fatal(err)
		}
	}
}

// An 8 MiB pack of frames as they come from Debian images.
func BenchmarkBuild(b *testing.B) {
	stored := make([]byte, 180<<10)
	refs := make([]chunk.Ref, 20)
	for i := range refs {
		refs[i].Length = 24 << 10
	}
	buf := make([]byte, 9<<20)
	b.SetBytes(8 << 20)
	b.ReportAllocs()
	for b.Loop() {
		p := New(buf, Data, 8<<20)
		for i := byte(0); p.Fits(len(stored), len(refs)); i++ {
			if err := p.Add(0, stored, digest.Digest{1, i}, 20*24<<10, refs); err != nil {
				b.Fatal(err)
			}
		}
		if _, _, _, err := p.Finish(); err != nil {
			b.Fatal(err)
		}
	}
}
