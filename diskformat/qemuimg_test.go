package diskformat

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// seeded returns a generator whose seed is printed, and taken from LOGGIA_SEED where that is set.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("LOGGIA_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("LOGGIA_SEED: %v", err)
		}
		seed = n
	}
	t.Logf("LOGGIA_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// zstdDecoder is the Decompressor of the tests.
type zstdDecoder struct{ dec *zstd.Decoder }

func (z zstdDecoder) Decompress(dst, src []byte) ([]byte, error) { return z.dec.DecodeAll(src, dst) }

func newZstd(t testing.TB) Decompressor {
	t.Helper()
	dec, err := zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(8<<20), zstd.WithDecoderConcurrency(2))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dec.Close)
	return zstdDecoder{dec}
}

// qemuImg runs the oracle.
func qemuImg(t testing.TB, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("qemu-img")
	if err != nil {
		t.Fatalf("qemu-img is not installed: apt-get install qemu-utils: %v", err)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("qemu-img %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// writeRaw writes a sparse disk: runs of random bytes and of text, runs of written zeros, and holes,
// among them single sectors.
func writeRaw(t testing.TB, rnd *rand.Rand, path string, size int64) []byte {
	t.Helper()
	disk := make([]byte, size)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for off := int64(0); off < size; {
		n := min(SectorSize<<rnd.IntN(11), size-off)
		b := disk[off : off+n]
		switch rnd.IntN(4) {
		case 0:
			fillRandom(rnd, b)
		case 1:
			fillText(rnd, b)
		case 2: // zeros that are written
		case 3:
			off += n
			continue
		}
		if _, err := f.WriteAt(b, off); err != nil {
			t.Fatal(err)
		}
		off += n
	}
	return disk
}

func fillRandom(rnd *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
}

func fillText(rnd *rand.Rand, b []byte) {
	for i := 0; i < len(b); {
		i += copy(b[i:], fmt.Sprintf("line %d of a file\n", rnd.IntN(1000)))
	}
}

// compareDisk holds a disk against its bytes: read as a whole, in random pieces, and by NextData.
func compareDisk(t testing.TB, rnd *rand.Rand, d Disk, want []byte) {
	t.Helper()
	if d.Size() < int64(len(want)) {
		t.Fatalf("size %d, want at least %d", d.Size(), len(want))
	}
	want = append(want[:len(want):len(want)], make([]byte, d.Size()-int64(len(want)))...)
	got := make([]byte, d.Size()+1)
	if n, err := d.ReadAt(got, 0); int64(n) != d.Size() || err != io.EOF {
		t.Fatalf("ReadAt of all: %d, %v; want %d, EOF", n, err, d.Size())
	}
	sameBytes(t, 0, got[:d.Size()], want)
	for range 200 {
		off := rnd.Int64N(d.Size())
		p := got[:min(1+rnd.Int64N(200_000), d.Size()-off)]
		if n, err := d.ReadAt(p, off); n != len(p) || err != nil {
			t.Fatalf("ReadAt(%d bytes, %d): %d, %v", len(p), off, n, err)
		}
		sameBytes(t, off, p, want[off:])
	}
	readByRuns(t, d, got[:d.Size()])
	sameBytes(t, 0, got[:d.Size()], want)
}

// readByRuns reads a disk as a publisher does, and checks what NextData promises.
func readByRuns(t testing.TB, d Disk, into []byte) (data int64) {
	t.Helper()
	clear(into)
	for off := int64(0); ; {
		start, end, err := d.NextData(off)
		if err != nil {
			t.Fatalf("NextData(%d): %v", off, err)
		}
		if start == d.Size() && end == d.Size() {
			return data
		}
		if start < off || end <= start || end > d.Size() {
			t.Fatalf("NextData(%d) = %d, %d of %d", off, start, end, d.Size())
		}
		if _, err := d.ReadAt(into[start:end], start); err != nil {
			t.Fatalf("ReadAt(%d bytes, %d): %v", end-start, start, err)
		}
		data += end - start
		off = end
	}
}

func sameBytes(t testing.TB, off int64, got, want []byte) {
	t.Helper()
	want = want[:len(got)]
	if bytes.Equal(got, want) {
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("byte %d: got %#02x, want %#02x", off+int64(i), got[i], want[i])
		}
	}
}

// TestQemuImg reads what qemu-img wrote with every option that changes the layout.
func TestQemuImg(t *testing.T) {
	tests := []struct{ format, options string }{
		{"raw", ""},
		{"qcow2", "compat=0.10"},
		{"qcow2", "compat=0.10 -c"},
		{"qcow2", "compat=0.10,cluster_size=512"},
		{"qcow2", "compat=1.1"},
		{"qcow2", "compat=1.1,cluster_size=512"},
		{"qcow2", "compat=1.1,cluster_size=512 -c"},
		{"qcow2", "compat=1.1,cluster_size=4k"},
		{"qcow2", "compat=1.1,cluster_size=4k -c"},
		{"qcow2", "compat=1.1,cluster_size=2M"},
		{"qcow2", "compat=1.1,cluster_size=2M -c"},
		{"qcow2", "compat=1.1 -c"},
		{"qcow2", "compression_type=zstd"},
		{"qcow2", "compression_type=zstd -c"},
		{"qcow2", "compression_type=zstd,cluster_size=512 -c"},
		{"qcow2", "compression_type=zstd,cluster_size=2M -c"},
		{"qcow2", "preallocation=metadata"},
		{"qcow2", "preallocation=falloc"},
		{"qcow2", "preallocation=full"},
		{"qcow2", "preallocation=metadata,cluster_size=2M"},
		{"qcow2", "lazy_refcounts=on"},
		{"qcow2", "refcount_bits=1"},
		{"qcow2", "refcount_bits=64"},
		{"qcow2", "extended_l2=on"},
		{"qcow2", "extended_l2=on,cluster_size=16k"},
		{"qcow2", "extended_l2=on,cluster_size=128k"},
		{"qcow2", "extended_l2=on,cluster_size=2M"},
		{"qcow2", "extended_l2=on,cluster_size=128k,preallocation=metadata"},
		{"qcow2", "extended_l2=on,compression_type=zstd -c"},
		{"qcow2", "compat=1.1 -S 4k"},
		{"qcow2", "compat=1.1 -S 0"},
		{"vpc", "subformat=dynamic"},
		{"vpc", "subformat=dynamic,force_size=on"},
		{"vpc", "subformat=fixed"},
		{"vpc", "subformat=fixed,force_size=on"},
		{"vhdx", ""},
		{"vhdx", "subformat=dynamic,block_size=1M"},
		{"vhdx", "subformat=dynamic,block_size=256M"},
		{"vhdx", "subformat=dynamic,block_state_zero=on"},
		{"vhdx", "subformat=fixed"},
		{"vhdx", "subformat=fixed,block_size=1M"},
		{"vhdx", "subformat=fixed,block_state_zero=off"},
		{"vhdx", "log_size=1M"},
		{"vhdx", "log_size=64M"},
		{"vmdk", ""},
		{"vmdk", "subformat=monolithicSparse,zeroed_grain=on"},
		{"vmdk", "subformat=monolithicSparse -S 0"},
		{"vmdk", "subformat=streamOptimized"},
		{"vmdk", "subformat=streamOptimized,zeroed_grain=on"},
		{"vmdk", "subformat=streamOptimized,adapter_type=buslogic,hwversion=21"},
		{"vmdk", "adapter_type=ide"},
		{"vmdk", "adapter_type=lsilogic"},
		{"vmdk", "adapter_type=buslogic"},
		{"vmdk", "adapter_type=legacyESX"},
		{"vmdk", "hwversion=10"},
		{"vmdk", "toolsversion=2147483647"},
		{"vmdk", "compat6=on"},
	}
	dir, rnd := t.TempDir(), seeded(t)
	raw := filepath.Join(dir, "disk.raw")
	// No multiple of any cluster size: the last cluster is cut short.
	want := writeRaw(t, rnd, raw, 9<<20+5*SectorSize)
	z := newZstd(t)
	for i, test := range tests {
		t.Run(test.format+","+test.options, func(t *testing.T) {
			options, flags, _ := strings.Cut(test.options, " ")
			args := []string{"convert", "-f", "raw", "-O", test.format}
			if options != "" {
				args = append(args, "-o", options)
			}
			image := filepath.Join(dir, strconv.Itoa(i))
			defer os.Remove(image)
			qemuImg(t, append(append(args, strings.Fields(flags)...), raw, image)...)
			d, err := Open(image, Options{Zstd: z})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			format := map[string]Format{"raw": Raw, "qcow2": QCOW2, "vpc": VHD, "vhdx": VHDX, "vmdk": VMDK}[test.format]
			if d.Format() != format {
				t.Fatalf("format %s, want %s", d.Format(), format)
			}
			compareDisk(t, rnd, d, want)
		})
	}
}

// TestQemuIO reads images after small writes, zeros and discards in the middle of clusters, which
// convert never does.
func TestQemuIO(t *testing.T) {
	path, err := exec.LookPath("qemu-io")
	if err != nil {
		t.Fatalf("qemu-io is not installed: apt-get install qemu-utils: %v", err)
	}
	const size = 20 << 20
	for i, options := range []string{
		"compat=0.10", "compat=1.1", "cluster_size=512", "cluster_size=2M", "preallocation=metadata",
		"extended_l2=on", "extended_l2=on,cluster_size=16k", "extended_l2=on,cluster_size=2M", "extended_l2=on,preallocation=metadata",
	} {
		t.Run(options, func(t *testing.T) {
			dir, rnd := t.TempDir(), seeded(t)
			image := filepath.Join(dir, strconv.Itoa(i))
			qemuImg(t, "create", "-f", "qcow2", "-o", options, image, strconv.Itoa(size))
			want := make([]byte, size)
			args := []string{"-f", "qcow2", "-d", "unmap"}
			for range 60 {
				n := min(int64(SectorSize)<<rnd.IntN(12), size)
				off := rnd.Int64N((size-n)/SectorSize+1) * SectorSize
				args = append(args, "-c", change(rnd, want[off:off+n], off))
			}
			if out, err := exec.Command(path, append(args, image)...).CombinedOutput(); err != nil || bytes.Contains(out, []byte("failed")) {
				t.Fatalf("qemu-io: %v\n%s", err, out)
			}
			d, err := Open(image, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			compareDisk(t, rnd, d, want)
		})
	}
}

// change makes one change to b, the disk's bytes at off, and returns qemu-io's command for it.
func change(rnd *rand.Rand, b []byte, off int64) string {
	switch rnd.IntN(4) {
	case 0:
		clear(b)
		return fmt.Sprintf("write -z %d %d", off, len(b))
	case 1:
		clear(b)
		return fmt.Sprintf("write -z -u %d %d", off, len(b))
	default:
		pattern := 1 + rnd.IntN(255)
		for i := range b {
			b[i] = byte(pattern)
		}
		return fmt.Sprintf("write -P %d %d %d", pattern, off, len(b))
	}
}

// TestRealImages compares images of one real disk in the directory LOGGIA_IMAGES, where it is set.
func TestRealImages(t *testing.T) {
	dir := os.Getenv("LOGGIA_IMAGES")
	if dir == "" {
		t.Log("LOGGIA_IMAGES names no directory with v1.raw, v1.qcow2, v1c.qcow2 and v1.vhd")
		return
	}
	z := newZstd(t)
	for _, name := range []string{"v1.qcow2", "v1c.qcow2", "v1.vhd"} {
		want, err := Open(filepath.Join(dir, "v1.raw"), Options{Format: Raw})
		if err != nil {
			t.Fatal(err)
		}
		defer want.Close()
		got, err := Open(filepath.Join(dir, name), Options{Zstd: z})
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		if got.Size() != want.Size() {
			t.Fatalf("%s: size %d, want %d", name, got.Size(), want.Size())
		}
		a, b := make([]byte, 1<<20), make([]byte, 1<<20)
		for off := int64(0); off < want.Size(); off += int64(len(a)) {
			n, errA := got.ReadAt(a, off)
			m, errB := want.ReadAt(b, off)
			if n != m || n == 0 || errA != errB {
				t.Fatalf("%s: at %d: %d bytes, %v; want %d, %v", name, off, n, errA, m, errB)
			}
			sameBytes(t, off, a[:n], b[:n])
		}
	}
}
