package chunk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// seeded returns a source of random numbers whose seed is printed, or taken from LOGGIA_SEED.
func seeded(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("LOGGIA_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("LOGGIA_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func random(n int, seed byte) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// pieces cuts a disk, span by span, and checks that pieces are contiguous and carry the disk's bytes.
func pieces(t testing.TB, p Params, disk []byte, src Source, buffer int) []Piece {
	t.Helper()
	c, err := NewCutter(p, make([]byte, buffer))
	if err != nil {
		t.Fatal(err)
	}
	var all []Piece
	for start := 0; start < len(disk); start += int(p.Span) {
		length := min(int(p.Span), len(disk)-start)
		at := int64(0)
		err := c.Span(context.Background(), src, int64(start), int64(length), func(pc Piece, data []byte) error {
			if pc.Offset != at || pc.Length <= 0 {
				t.Fatalf("span %d: piece %+v, want offset %d", start, pc, at)
			}
			want := disk[start+int(at) : start+int(at)+pc.Length]
			if pc.Hole && (data != nil || !isZero(want)) || !pc.Hole && !bytes.Equal(data, want) {
				t.Fatalf("span %d: piece %+v has the wrong bytes", start, pc)
			}
			if pc.Hole != pc.ID.IsZero() || !pc.Hole && pc.ID != sha256.Sum256(data) {
				t.Fatalf("span %d: piece %+v has the wrong id", start, pc)
			}
			pc.ID = ID{}
			at += int64(pc.Length)
			all = append(all, pc)
			return nil
		})
		if err != nil || at != int64(length) {
			t.Fatalf("span %d: pieces of %d bytes, want %d: %v", start, at, length, err)
		}
	}
	return all
}

// simple is the same format written the plain way: docs/formats/chunking.md, sentence by sentence.
func simple(p Params, disk []byte) []Piece {
	var all []Piece
	for ; len(disk) > 0; disk = disk[min(len(disk), int(p.Span)):] {
		span := disk[:min(len(disk), int(p.Span))]
		for at := 0; at < len(span); {
			end, hole := at, false
			for end < len(span) {
				block := span[end:min(len(span), end+int(p.HoleBlock))]
				zero := len(bytes.Trim(block, "\x00")) == 0
				if end > at && zero != hole {
					break
				}
				hole = zero
				end += len(block)
			}
			if hole {
				all = append(all, Piece{Hole: true, Offset: int64(at), Length: end - at})
				at = end
			}
			for at < end {
				n := simpleCut(p, span[at:end])
				all = append(all, Piece{Offset: int64(at), Length: n})
				at += n
			}
		}
	}
	return all
}

func simpleCut(p Params, run []byte) int {
	n := min(len(run), int(p.Max))
	for length := int(p.Min) + 1; length <= n; length++ {
		var fp uint64
		for _, c := range run[length-window : length] {
			fp = fp<<1 + gear[c]
		}
		limit := ^uint64(0) / (4 * uint64(p.Average))
		if length > int(p.Average) {
			limit = ^uint64(0) / (uint64(p.Average) / 4)
		}
		if fp < limit {
			return length
		}
	}
	return n
}

// hinted is a disk whose source tells of some of the zeros, at any byte.
type hinted struct {
	*bytes.Reader
	data [][2]int64
	size int64
}

func (h hinted) NextData(off int64) (int64, int64, error) {
	for _, d := range h.data {
		if d[1] > off {
			return max(off, d[0]), d[1], nil
		}
	}
	return h.size, h.size, nil
}

// hints makes a Source that skips runs of zeros longer than atLeast.
func hints(disk []byte, atLeast int, r *rand.Rand) hinted {
	h := hinted{Reader: bytes.NewReader(disk), size: int64(len(disk))}
	for at := 0; at < len(disk); {
		zeros := len(disk[at:]) - len(bytes.TrimLeft(disk[at:], "\x00"))
		if zeros < atLeast {
			zeros = 0
		}
		at += zeros
		end := at
		for end < len(disk) {
			next := min(len(disk), end+1+r.IntN(3000))
			if end > at && isZero(disk[end:next]) {
				break
			}
			end = next
		}
		if end > at {
			h.data = append(h.data, [2]int64{int64(at), int64(end)})
		}
		at = end
	}
	return h
}

func testDisk(r *rand.Rand, size int) []byte {
	disk := make([]byte, size)
	for at := 0; at < size; {
		n := min(size-at, 1+r.IntN(300<<10))
		switch r.IntN(4) {
		case 0: // zeros
		case 1: // few different bytes
			for i := range n {
				disk[at+i] = byte(r.IntN(3))
			}
		case 2: // one byte in zeros
			disk[at+r.IntN(n)] = 1
		default:
			for i := range n {
				disk[at+i] = byte(r.Uint32())
			}
		}
		at += n
	}
	return disk
}

func TestEqualBytesGiveEqualCuts(t *testing.T) {
	r := seeded(t)
	p := DefaultParams()
	p.Span = 1 << 20
	for round := range 12 {
		disk := testDisk(r, r.IntN(2<<20)+1)
		want := simple(p, disk)
		for name, src := range map[string]Source{
			"dense":       Dense{bytes.NewReader(disk)},
			"all hints":   hints(disk, 1, r),
			"large hints": hints(disk, 1+r.IntN(128<<10), r),
		} {
			buffer := p.BufferSize() + r.IntN(2<<20)
			if got := pieces(t, p, disk, src, buffer); !slices.Equal(got, want) {
				t.Fatalf("round %d, %s, %d bytes of disk, buffer of %d: got %d pieces, want %d", round, name, len(disk), buffer, len(got), len(want))
			}
		}
	}
}

func TestLengths(t *testing.T) {
	p := DefaultParams()
	disk := random(8<<20, 1)
	all := pieces(t, p, disk, Dense{bytes.NewReader(disk)}, p.BufferSize()+1<<20)
	for i, pc := range all {
		if pc.Length > int(p.Max) || i < len(all)-1 && pc.Length <= int(p.Min) {
			t.Errorf("piece %d: %+v", i, pc)
		}
	}
	if mean := len(disk) / len(all); mean < int(p.Average)*3/4 || mean > int(p.Average)*3/2 {
		t.Errorf("mean length is %d, average %d", mean, p.Average)
	}
}

// A byte more in the middle changes the chunk around it and no chunk a few later.
func TestCutsAreFoundAgain(t *testing.T) {
	r := seeded(t)
	p := DefaultParams()
	before := random(4<<20, 2)
	at := r.IntN(1 << 20)
	after := slices.Concat(before[:at], []byte{7}, before[at:])
	ids := func(disk []byte) map[ID]bool {
		m := map[ID]bool{}
		off := 0
		for _, pc := range pieces(t, p, disk, Dense{bytes.NewReader(disk)}, p.BufferSize()) {
			m[Hash(disk[off:off+pc.Length])] = true
			off += pc.Length
		}
		return m
	}
	old, fresh := ids(before), 0
	for id := range ids(after) {
		if !old[id] {
			fresh++
		}
	}
	if fresh > 8 {
		t.Errorf("a byte at %d made %d of %d chunks new", at, fresh, len(old))
	}
}

// The table is derived as docs/formats/chunking.md says.
func TestGearTable(t *testing.T) {
	var all []byte
	for i, g := range gear {
		sum := sha256.Sum256(append([]byte("loggia gear 1:"), byte(i)))
		if want := binary.LittleEndian.Uint64(sum[:]); g != want {
			t.Fatalf("gear[%d] = %#016x, want %#016x", i, g, want)
		}
		all = binary.LittleEndian.AppendUint64(all, g)
	}
	sum := sha256.Sum256(all)
	if got := hex.EncodeToString(sum[:]); got != goldenGear {
		t.Errorf("table has digest %s", got)
	}
}

// goldenDisk is bytes that anyone can make again: SHA-256 of a counter, with a hole in the middle and
// a short last block of zeros.
func goldenDisk() []byte {
	var b []byte
	for i := range uint32(3 << 20 / 32) {
		sum := sha256.Sum256(binary.LittleEndian.AppendUint32(nil, i))
		b = append(b, sum[:]...)
	}
	clear(b[1<<20-1000 : 1<<20+300<<10])
	return append(b, make([]byte, 512)...)
}

func TestGoldenCuts(t *testing.T) {
	disk := goldenDisk()
	p := DefaultParams()
	all := pieces(t, p, disk, Dense{bytes.NewReader(disk)}, p.BufferSize()+1<<20)
	h := sha256.New()
	for _, pc := range all {
		fmt.Fprintf(h, "%t %d %d\n", pc.Hole, pc.Offset, pc.Length)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != goldenCuts || len(all) != goldenPieces {
		t.Errorf("%d pieces with digest %s; first %+v, last %+v", len(all), got, all[0], all[len(all)-1])
	}
	if !slices.Equal(all, simple(p, disk)) {
		t.Error("the plain way cuts otherwise")
	}
}

type failing struct{ Dense }

var errBroken = errors.New("broken")

func (failing) NextData(int64) (int64, int64, error) { return 0, 0, errBroken }

func TestErrors(t *testing.T) {
	p := DefaultParams()
	c, err := NewCutter(p, make([]byte, p.BufferSize()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	none := func(Piece, []byte) error { return nil }
	disk := random(1<<20, 3)
	dense := Dense{bytes.NewReader(disk)}
	if err := c.Span(ctx, dense, 0, 2<<20, none); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("source is short: error %v", err)
	}
	if err := c.Span(ctx, failing{dense}, 0, 1<<20, none); !errors.Is(err, errBroken) {
		t.Errorf("hints fail: error %v", err)
	}
	if err := c.Span(ctx, dense, 0, 1<<20, func(Piece, []byte) error { return errBroken }); !errors.Is(err, errBroken) {
		t.Errorf("emit fails: error %v", err)
	}
	for _, bad := range [][2]int64{{1, 10}, {-1 << 26, 10}, {0, 64<<20 + 1}, {0, -1}} {
		if err := c.Span(ctx, dense, bad[0], bad[1], none); !errors.Is(err, ErrParams) {
			t.Errorf("span %v: error %v, want ErrParams", bad, err)
		}
	}
	cancel()
	if err := c.Span(ctx, dense, 0, 1<<20, none); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: error %v", err)
	}
}

func TestParamsRefused(t *testing.T) {
	for name, change := range map[string]func(*Params){
		"algorithm": func(p *Params) { p.Algorithm = 2 },
		"min":       func(p *Params) { p.Min = window - 1 },
		"order":     func(p *Params) { p.Average = p.Min - 1 },
		"max":       func(p *Params) { p.Max = MaxChunk + 1 },
		"block":     func(p *Params) { p.HoleBlock = 65537 },
		"span":      func(p *Params) { p.Span = 3 << 20 },
		"zero":      func(p *Params) { *p = Params{} },
	} {
		p := DefaultParams()
		change(&p)
		if _, err := NewCutter(p, make([]byte, 16<<20)); !errors.Is(err, ErrParams) {
			t.Errorf("%s: error %v, want ErrParams", name, err)
		}
	}
	p := DefaultParams()
	if _, err := NewCutter(p, make([]byte, p.BufferSize()-1)); !errors.Is(err, ErrParams) {
		t.Errorf("short buffer: error %v, want ErrParams", err)
	}
}

// The golden values were first computed by a program in another language, from the document alone.
const (
	goldenGear   = "fd85ef98565e493dc3a27b803343c6751e80b2d819d80a41e6e5c2f3d67db42b"
	goldenCuts   = "4952f91fdacf53f0c1b60f8e9a2da8199d1719e10fa9e975090fa8818e96d4a8"
	goldenPieces = 125
)
