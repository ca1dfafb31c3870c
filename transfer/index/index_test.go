package index

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"loggia/internal/digest"
	"loggia/transfer/chunk"
	"loggia/transfer/pack"
)

func seeded(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	if s := os.Getenv("LOGGIA_SEED"); s != "" {
		v, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = v
	}
	t.Logf("LOGGIA_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// universe is how many chunks there are to choose from.
const universe = 1 << 11

func idOf(n uint64) digest.Digest { return digest.Of(binary.LittleEndian.AppendUint64(nil, n)) }

// listed is a pack and its directory.
type listed struct {
	p   Pack
	dir *pack.Directory
}

func randomPack(r *rand.Rand, epoch uint64) listed {
	dir := &pack.Directory{Kind: pack.Data}
	if r.IntN(3) == 0 {
		dir.Kind = pack.Nodes
	}
	var off int64
	for range 1 + r.IntN(10) {
		f := pack.Frame{ID: idOf(r.Uint64()), Offset: off, Stored: pack.MinStored + r.Uint32N(1000)}
		for range 1 + r.IntN(20) {
			n := r.Uint64N(universe)
			f.Chunks = append(f.Chunks, chunk.Ref{ID: idOf(n), Length: 1 + uint32(n%1000)})
			f.Plain += 1 + uint32(n%1000)
		}
		off += int64(f.Stored)
		dir.Frames = append(dir.Frames, f)
	}
	return listed{Pack{Kind: dir.Kind, Epoch: epoch, ID: dir.ID(), Size: dir.Size()}, dir}
}

func write(t testing.TB, limit int64, packs ...listed) []*Segment {
	t.Helper()
	w := NewWriter(t.TempDir(), limit)
	defer w.Abort()
	for _, l := range packs {
		if err := w.Add(l.p, l.dir); err != nil {
			t.Fatal(err)
		}
	}
	files, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return open(t, files)
}

func open(t testing.TB, files []File) []*Segment {
	t.Helper()
	var out []*Segment
	for _, f := range files {
		s, err := OpenFile(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		b, err := os.ReadFile(f.Path)
		if err != nil || digest.Of(b) != f.ID || int64(len(b)) != f.Size {
			t.Fatalf("file %+v holds %d bytes with digest %s, %v", f, len(b), digest.Of(b), err)
		}
		if err := Verify(bytes.NewReader(b), f.ID); err != nil {
			t.Fatal(err)
		}
		if err := Verify(bytes.NewReader(b[1:]), f.ID); !errors.Is(err, ErrDamaged) {
			t.Fatalf("Verify of other bytes: %v, want ErrDamaged", err)
		}
		out = append(out, s)
	}
	return out
}

// checkLocation holds a location against the packs it may point into.
func checkLocation(t *testing.T, id chunk.ID, loc Location, packs []listed) {
	t.Helper()
	refs, err := loc.Chunks()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range packs {
		if l.p != (Pack{loc.Kind, loc.Epoch, loc.Pack, loc.PackSize}) {
			continue
		}
		for _, f := range l.dir.Frames {
			if f.ID == loc.FrameID && f.Offset == loc.FrameOffset && f.Stored == loc.FrameStored && f.Plain == loc.FramePlain && slices.Equal(refs, f.Chunks) {
				off, n, ok := find(id, f.Chunks)
				if !ok || off != loc.PlainOffset || n != loc.Length {
					t.Fatalf("chunk %s at %d, %d, want %d, %d, %v", id.Short(), loc.PlainOffset, loc.Length, off, n, ok)
				}
				return
			}
		}
	}
	t.Fatalf("chunk %s: no pack has %+v", id.Short(), loc)
}

func TestLookupAgreesWithTheDirectories(t *testing.T) {
	r := seeded(t)
	for _, count := range []int{1, 20, 200} {
		for _, limit := range []int64{0, 20 << 10} {
			var packs []listed
			want := make(map[chunk.ID]bool)
			mem := NewMemory()
			for i := range count {
				l := randomPack(r, uint64(i%5))
				packs = append(packs, l)
				mem.Add(l.p, l.dir)
				for _, f := range l.dir.Frames {
					for _, ref := range f.Chunks {
						want[ref.ID] = true
					}
				}
			}
			segments := write(t, limit, packs...)
			if limit > 0 && count == 200 && len(segments) < 10 {
				t.Errorf("%d segments under a limit of %d bytes", len(segments), limit)
			}
			set := &Set{}
			for _, s := range segments {
				set.newest = append(set.newest, s)
			}
			for _, x := range []Index{set, mem} {
				for n := range uint64(universe + 500) {
					id := idOf(n)
					loc, ok, err := x.Lookup(id)
					if err != nil || ok != want[id] {
						t.Fatalf("Lookup(%d) = %v, %v, want %v", n, ok, err, want[id])
					}
					if ok {
						checkLocation(t, id, loc, packs)
					}
				}
				for _, l := range packs { // in the order of a disk, a frame's chunks one after the other
					for _, f := range l.dir.Frames {
						for _, ref := range f.Chunks {
							loc, ok, err := x.Lookup(ref.ID)
							if err != nil || !ok {
								t.Fatalf("Lookup(%s) = %v, %v", ref.ID.Short(), ok, err)
							}
							checkLocation(t, ref.ID, loc, packs)
						}
					}
				}
			}
		}
	}
}

func TestLookupAll(t *testing.T) {
	r := seeded(t)
	var a, b []listed
	for i := range 40 {
		a, b = append(a, randomPack(r, uint64(i))), append(b, randomPack(r, uint64(100+i)))
	}
	set := NewSet(write(t, 0, a...)[0], write(t, 0, b...)[0])
	var ids []chunk.ID
	for n := range uint64(universe) {
		ids = append(ids, idOf(n))
	}
	found := make(map[int]bool)
	err := set.LookupAll(ids, func(i int, loc Location) error {
		if found[i] {
			t.Errorf("chunk %d found twice", i)
		}
		found[i] = true
		checkLocation(t, ids[i], loc, slices.Concat(a, b))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		if _, ok, _ := set.Lookup(id); ok != found[i] {
			t.Fatalf("chunk %d: LookupAll found %v, Lookup %v", i, found[i], ok)
		}
	}
}

func TestMergeKeepsEveryPackOnce(t *testing.T) {
	r := seeded(t)
	var packs []listed
	for i := range 50 {
		packs = append(packs, randomPack(r, uint64(i)))
	}
	all := append(write(t, 0, packs[:30]...), write(t, 0, packs[20:]...)...)
	w := NewWriter(t.TempDir(), 0)
	drop := packs[7].p
	if err := Merge(w, func(p Pack) bool { return p != drop }, all...); err != nil {
		t.Fatal(err)
	}
	files, err := w.Finish()
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	got := make(map[Pack]*pack.Directory)
	if err := open(t, files)[0].Packs(func(p Pack, d *pack.Directory) error {
		if got[p] != nil {
			t.Errorf("pack %s twice", p.ID.Short())
		}
		got[p] = d
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := make(map[Pack]*pack.Directory)
	for _, l := range packs {
		if l.p != drop {
			want[l.p] = l.dir
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("merged packs: %s", diff)
	}
}

// The golden bytes of format version 1. They never change.
func TestGoldenSegment(t *testing.T) {
	dir := &pack.Directory{Kind: pack.Data, Frames: []pack.Frame{
		{ID: idOf(1), Offset: 0, Stored: 100, Plain: 12, Chunks: []chunk.Ref{{ID: idOf(2), Length: 5}, {ID: idOf(3), Length: 7}}},
		{ID: idOf(4), Offset: 100, Stored: 50, Plain: 9, Chunks: []chunk.Ref{{ID: idOf(5), Length: 9}}},
	}}
	w := NewWriter(t.TempDir(), 0)
	if err := w.Add(Pack{Kind: pack.Data, Epoch: 0x1122, ID: idOf(6), Size: 1000}, dir); err != nil {
		t.Fatal(err)
	}
	files, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(files[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	h := func(n uint64) string { return idOf(n).String() }
	tag := func(n uint64) string {
		d := idOf(n)
		return hex.EncodeToString([]byte{d[5], d[4], d[3], d[2]})
	}
	// sha256 of 2, 3 and 5 as eight bytes begin with d86e, 35be and f13e: the order is 3, 2, 5.
	want := "4c67497801000000" + "01000000" + "02000000" + "03000000" + hex.EncodeToString(b[20:24]) +
		"00000000" + "03000000" +
		h(6) + "2211000000000000" + "e8030000" + "00000000" + "02000000" + "70000000" +
		h(1) + "00000000" + "00000000" + "64000000" + "0c000000" + "00000000" + "02000000" +
		h(4) + "00000000" + "64000000" + "32000000" + "09000000" + "02000000" + "01000000" +
		h(2) + "05000000" + h(3) + "07000000" + h(5) + "09000000" +
		tag(3) + "00000000" + tag(2) + "00000000" + tag(5) + "01000000"
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("segment:\n got %s\nwant %s", got, want)
	}
	if got := files[0].ID.String(); got != goldenID {
		t.Errorf("segment id %s, want %s", got, goldenID)
	}
}

const goldenID = "82501faae48e771d31a989418484e1af8d4a4d4d1eafaf4af350a4c80b47c2e7"

func TestHostileSegments(t *testing.T) {
	r := seeded(t)
	l := randomPack(r, 1)
	w := NewWriter(t.TempDir(), 0)
	if err := w.Add(l.p, l.dir); err != nil {
		t.Fatal(err)
	}
	files, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(files[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range 24 {
		bad := bytes.Clone(good)
		bad[at] ^= 0x80
		if _, err := Open(bytes.NewReader(bad), int64(len(bad))); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrVersion) {
			t.Errorf("header byte %d flipped: %v, want ErrDamaged or ErrVersion", at, err)
		}
	}
	for _, n := range []int{0, 10, 30, len(good) - 1} {
		if _, err := Open(bytes.NewReader(good[:n]), int64(n)); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut to %d bytes: %v, want ErrDamaged", n, err)
		}
	}
	if _, err := Open(bytes.NewReader(good[:100]), int64(len(good))); err != nil && !errors.Is(err, ErrDamaged) {
		t.Errorf("file shorter than it said: %v", err)
	}
}

func FuzzSegment(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	w := NewWriter(f.TempDir(), 0)
	l := randomPack(r, 1)
	if err := w.Add(l.p, l.dir); err != nil {
		f.Fatal(err)
	}
	files, err := w.Finish()
	if err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(files[0].Path)
	if err != nil {
		f.Fatal(err)
	}
	some := l.dir.Frames[0].Chunks[0].ID
	f.Add(b, some[:])
	f.Fuzz(func(t *testing.T, b, id []byte) {
		if len(b) >= headerSize { // the checksum is no defence
			if h, err := decodeHeader(b[:headerSize], int64(len(b))); err == nil {
				binary.LittleEndian.PutUint32(b[20:], checksum(b[:h.packAt()]))
			}
		}
		s, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil || len(id) != digest.Size {
			return
		}
		if loc, ok, _ := s.Lookup(digest.Digest(id)); ok {
			loc.Chunks()
			_ = NewSet(s).LookupAll([]chunk.ID{digest.Digest(id)}, func(int, Location) error { return nil })
		}
		s.Packs(func(Pack, *pack.Directory) error { return nil })
	})
}

func BenchmarkLookup(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	var packs []listed
	for range 500 {
		packs = append(packs, randomPack(r, 1))
	}
	s := write(b, 0, packs...)[0]
	for i := uint64(0); b.Loop(); i++ {
		s.Lookup(idOf(i % (1 << 15)))
	}
}

// together is a pack of frames that lie together, and their chunks.
func together() (p listed, ids []chunk.ID) { return togetherFrom(0) }

// togetherFrom is together with other chunks.
func togetherFrom(first uint64) (p listed, ids []chunk.ID) {
	p.p = Pack{Kind: pack.Data, Epoch: 1, ID: idOf(1), Size: 8 << 20}
	p.dir = &pack.Directory{Kind: pack.Data}
	for f := range 16 {
		fr := pack.Frame{ID: idOf(uint64(f)), Offset: int64(f) * 200_000, Stored: 200_000, Plain: 20 * 20_000}
		for c := range 20 {
			id := idOf(first + uint64(1000*f+c))
			fr.Chunks = append(fr.Chunks, chunk.Ref{ID: id, Length: 20_000})
			ids = append(ids, id)
		}
		p.dir.Frames = append(p.dir.Frames, fr)
	}
	return p, ids
}

// reads counts.
type reads struct {
	io.ReaderAt
	n int
}

func (r *reads) ReadAt(b []byte, off int64) (int, error) { r.n++; return r.ReaderAt.ReadAt(b, off) }

// Frames that lie together are read together: few reads, and none for the lists of their chunks.
func TestNeighboursAreReadTogether(t *testing.T) {
	p, ids := together()
	s := write(t, 0, p)[0]
	counted := &reads{ReaderAt: s.r}
	s.r = counted
	found := 0
	err := NewSet(s).LookupAll(ids, func(i int, loc Location) error {
		found++
		checkLocation(t, ids[i], loc, []listed{p})
		return nil
	})
	// A lookup is four reads, and two more where its room is lost before the chunks are asked for; each window behind it is two, of 2, 4, 8
	// and 16 frames.
	if most := 4 + 2 + 2*4; err != nil || found != len(ids) || counted.n > most {
		t.Errorf("%d of %d chunks in %d reads, at most %d; %v", found, len(ids), counted.n, most, err)
	}
}

// A table is found the same in memory and in the file.
func TestTheTableNeedNotBeHeld(t *testing.T) {
	r := seeded(t)
	var packs []listed
	for i := range 60 {
		packs = append(packs, randomPack(r, uint64(i)))
	}
	held, read := write(t, 0, packs...)[0], write(t, 0, packs...)[0]
	if held.table == nil {
		t.Fatal("a small table is not held")
	}
	read.table = nil
	some := 0
	for n := range uint64(universe) {
		a, there, err := held.Lookup(idOf(n))
		b, too, failed := read.Lookup(idOf(n))
		if err != nil || failed != nil || there != too {
			t.Fatalf("chunk %d: %v %v in memory, %v %v in the file", n, there, err, too, failed)
		}
		if there { // in one of several frames each
			checkLocation(t, idOf(n), a, packs)
			checkLocation(t, idOf(n), b, packs)
			some++
		}
	}
	if some == 0 {
		t.Error("no chunk was found")
	}
}

// What lies together is looked up once in each segment that does not have it: an id that was found around another is asked of nobody.
func TestSegmentsAreAskedOnceForNeighbours(t *testing.T) {
	p, ids := together()
	var indexes []Index
	var others []*reads
	for i := range uint64(8) {
		p, _ := togetherFrom(1 << 32 * (i + 1))
		s := write(t, 0, p)[0]
		counted := &reads{ReaderAt: s.r}
		s.r, s.table = counted, nil
		indexes, others = append(indexes, s), append(others, counted)
	}
	found := 0
	err := NewSet(append(indexes, write(t, 0, p)[0])...).LookupAll(ids, func(int, Location) error { found++; return nil })
	if err != nil || found != len(ids) {
		t.Fatalf("%d of %d found, %v", found, len(ids), err)
	}
	for i, o := range others {
		if o.n > 1 {
			t.Errorf("segment %d is read %d times for chunks of another", i, o.n)
		}
	}
}

// A damaged record harms whoever asks for what it lists, and nobody who asks for its neighbours.
func TestADamagedNeighbourIsNotInTheWay(t *testing.T) {
	p, ids := together()
	s := write(t, 0, p)[0]
	b := make([]byte, s.Size())
	if _, err := s.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	const bad = 5 // of 16 frames, of 20 chunks each
	binary.LittleEndian.PutUint32(b[s.head.frameAt()+bad*frameSize+52:], 0)
	s.r = bytes.NewReader(b)
	for name, c := range map[string]struct {
		ids  []chunk.ID
		want error
	}{"before": {ids[:bad*20], nil}, "behind": {ids[(bad+1)*20:], nil}, "it": {ids[bad*20 : (bad+1)*20], ErrDamaged}} {
		found := 0
		err := NewSet(s).LookupAll(c.ids, func(int, Location) error { found++; return nil })
		if !errors.Is(err, c.want) || c.want == nil && found != len(c.ids) {
			t.Errorf("%s: %d of %d found, %v, want %v", name, found, len(c.ids), err, c.want)
		}
	}
}

// BenchmarkLookupAll looks up what a request asks for: the chunks of some frames that lie together.
func BenchmarkLookupAll(b *testing.B) {
	p, ids := together()
	set := NewSet(write(b, 0, p)[0])
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := set.LookupAll(ids, func(int, Location) error { n++; return nil }); err != nil || n != len(ids) {
			b.Fatal(n, err)
		}
	}
}
