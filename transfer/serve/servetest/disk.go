package servetest

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Random returns a source whose seed is printed, and taken from LOGGIA_SEED where that is set.
func Random(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("LOGGIA_SEED"); s != "" {
		v, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = v
	}
	t.Logf("LOGGIA_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 17))
}

// Disk is guest bytes in memory of which nothing is known.
type Disk []byte

// Size is the disk's length in bytes.
func (d Disk) Size() int64 { return int64(len(d)) }

// ReadAt implements io.ReaderAt.
func (d Disk) ReadAt(p []byte, off int64) (int, error) { return bytes.NewReader(d).ReadAt(p, off) }

// NextData says that everything may be data.
func (d Disk) NextData(off int64) (start, end int64, err error) { return off, d.Size(), nil }

// NewDisk makes random runs, some of them repeated, between holes.
func NewDisk(r *rand.Rand, size int) Disk {
	d := make(Disk, size)
	var old []byte
	for at := 0; at < size; {
		n := min(1+r.IntN(3<<20), size-at)
		switch r.IntN(6) {
		case 0: // hole
		case 1:
			copy(d[at:at+n], old)
		default:
			fill(r, d[at:at+n])
			old = d[at : at+n]
		}
		at += n
	}
	fill(r, d[:min(size, 100_000)])
	return d
}

// fill writes bytes of which some halves compress.
func fill(r *rand.Rand, b []byte) {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], r.Uint64())
	rand.NewChaCha8(seed).Read(b)
	if r.IntN(2) == 0 {
		for i := range b {
			b[i] &= 0x0f
		}
	}
}

// Change returns d with some places overwritten, and one part moved by some bytes.
func Change(r *rand.Rand, d Disk, places int) Disk {
	out := bytes.Clone(d)
	for range places {
		at := r.IntN(len(out))
		fill(r, out[at:min(at+200, len(out))])
	}
	at, by := r.IntN(len(out)), 1+r.IntN(999)
	if to := min(at+2<<20, len(out)); to-at > by {
		copy(out[at+by:to], bytes.Clone(out[at:to-by]))
	}
	return out
}
