package diskformat

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// zstdEncoder is the Compressor of the tests.
type zstdEncoder struct{ enc *zstd.Encoder }

func (z zstdEncoder) Compress(dst, src []byte) ([]byte, bool) {
	out := z.enc.EncodeAll(src, dst)
	if len(out) > len(src)-len(src)/16 {
		return dst, false
	}
	return out, true
}

func newEncoder(t testing.TB) Compressor {
	t.Helper()
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithEncoderCRC(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { enc.Close() })
	return zstdEncoder{enc}
}

// TestPackQCOW2 holds what is written against qemu-img and against our own reader.
func TestPackQCOW2(t *testing.T) {
	rnd, dir, c := seeded(t), t.TempDir(), newEncoder(t)
	for _, size := range []int64{512, 64 << 10, 9<<20 + 5*512, 70 << 20} {
		raw, image := filepath.Join(dir, "raw"), filepath.Join(dir, "image")
		disk := writeRaw(t, rnd, raw, size)
		src, err := OpenBlob(raw)
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		f, err := os.Create(image)
		if err != nil {
			t.Fatal(err)
		}
		n, err := PackQCOW2(t.Context(), f, src, c, 2)
		if err := errors.Join(err, f.Truncate(n), f.Close()); err != nil {
			t.Fatal(err)
		}
		checkWritten(t, "qcow2", raw, image)
		d, err := Open(image, Options{Zstd: newZstd(t)})
		if err != nil {
			t.Fatal(err)
		}
		compareDisk(t, rnd, d, disk)
		d.Close()
	}
}

// far is a disk of single sectors of data, each 64 MiB from the next, and of a text in between where it begins.
type far struct{ size int64 }

func (f far) Size() int64    { return f.size }
func (f far) Format() Format { return Raw }
func (f far) Close() error   { return nil }

func (f far) NextData(off int64) (int64, int64, error) {
	if start := roundUp(off, 64<<20); start < f.size {
		return start, start + SectorSize, nil
	}
	return f.size, f.size, nil
}

func (f far) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	for at := roundUp(off, 64<<20); at < off+int64(len(p)); at += 64 << 20 {
		copy(p[at-off:], bytes.Repeat([]byte{byte(1 + at>>26%250)}, SectorSize))
	}
	return len(p), nil
}

// TestPackLarge: a disk of many L2 tables.
func TestPackLarge(t *testing.T) {
	image := filepath.Join(t.TempDir(), "image")
	f, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	src := far{20 << 30}
	n, err := PackQCOW2(t.Context(), f, src, newEncoder(t), 2)
	if err := errors.Join(err, f.Truncate(n), f.Close()); err != nil {
		t.Fatal(err)
	}
	if out := qemuImg(t, "check", "-f", "qcow2", image); !bytes.Contains(out, []byte("No errors were found")) {
		t.Errorf("qemu-img check: %s", out)
	}
	d, err := Open(image, Options{Zstd: newZstd(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	got, want := make([]byte, 4096), make([]byte, 4096)
	for off := int64(0); off < src.size; off += 32 << 20 {
		src.ReadAt(want, off)
		if _, err := d.ReadAt(got, off); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("at %d: %v", off, err)
		}
	}
}

// sparseFile is a file in memory that keeps only what is no zeros, for files of several regions.
type sparseFile map[int64][]byte

func (s sparseFile) WriteAt(p []byte, off int64) (int, error) {
	for n := 0; n < len(p); {
		page, in := (off+int64(n))/4096, (off+int64(n))%4096
		if s[page] == nil {
			s[page] = make([]byte, 4096)
		}
		n += copy(s[page][in:], p[n:])
	}
	return len(p), nil
}

// TestPackRegions: clusters are counted right across the borders of regions.
func TestPackRegions(t *testing.T) {
	image := filepath.Join(t.TempDir(), "image")
	f, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newQCOW2Packer(f, 10<<30)
	if err != nil {
		t.Fatal(err)
	}
	frame, _ := newEncoder(t).Compress(nil, bytes.Repeat([]byte("text"), writeCluster/4))
	for i := range int64(3) { // near the end of each region, packed and plain
		if err := p.add(i*writeL2, frame, true); err != nil {
			t.Fatal(err)
		}
		p.next, p.room, p.end = (i+1)*writeRegion-2*writeCluster, 0, 0
		for k := range int64(6) {
			b, packed := frame, k%2 == 0
			if !packed {
				b = bytes.Repeat([]byte{byte(k)}, writeCluster)
			}
			if err := p.add(i*writeL2+1+k, b, packed); err != nil {
				t.Fatal(err)
			}
		}
	}
	n, err := p.finish()
	if err := errors.Join(err, f.Truncate(n), f.Close()); err != nil {
		t.Fatal(err)
	}
	if out := qemuImg(t, "check", "-f", "qcow2", image); !bytes.Contains(out, []byte("No errors were found")) {
		t.Errorf("qemu-img check: %s", out)
	}
	d, err := Open(image, Options{Zstd: newZstd(t)})
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
}

func TestPackEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := PackQCOW2(ctx, sparseFile{}, far{1 << 30}, newEncoder(t), 2); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	broke := errors.New("broken")
	if _, err := PackQCOW2(t.Context(), sparseFile{}, broken{far{1 << 30}, broke}, newEncoder(t), 2); !errors.Is(err, broke) {
		t.Errorf("broken disk: %v", err)
	}
	if _, err := PackQCOW2(t.Context(), failing{broke}, far{1 << 30}, newEncoder(t), 2); !errors.Is(err, broke) {
		t.Errorf("broken file: %v", err)
	}
}

type broken struct {
	far
	err error
}

func (b broken) ReadAt([]byte, int64) (int, error) { return 0, b.err }

type failing struct{ err error }

func (f failing) WriteAt([]byte, int64) (int, error) { return 0, f.err }

var _ io.WriterAt = failing{}
