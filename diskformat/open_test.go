package diskformat

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func write(t testing.TB, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, path string
		want       error
	}{
		{"directory", dir, ErrNotRegular},
		{"fifo", fifo, ErrNotRegular},
		{"character device", os.DevNull, ErrNotRegular},
		{"empty", write(t, nil), ErrEmpty},
		{"unaligned", write(t, make([]byte, 1000)), ErrUnaligned},
		{"missing", filepath.Join(dir, "none"), os.ErrNotExist},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Open(test.path, Options{}); !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.path) {
				t.Errorf("Open: %v, want %v", err, test.want)
			}
			if test.want != ErrNotRegular && test.want != os.ErrNotExist {
				return
			}
			if _, err := Watch(test.path); !errors.Is(err, test.want) {
				t.Errorf("Watch: %v, want %v", err, test.want)
			}
		})
	}
}

func TestDeclaredFormat(t *testing.T) {
	raw := func(at int, magic string) image { return make(image, 1024).put(at, magic) }
	for _, test := range []struct {
		name     string
		b        image
		declared Format
		want     Format // or none, for ErrFormat
	}{
		{"raw", raw(0, ""), Raw, Raw},
		{"raw found", raw(0, ""), Auto, Raw},
		{"boot sector", raw(510, "\x55\xaa"), Raw, Raw},
		{"luks is what a guest may have", raw(0, "LUKS\xba\xbe"), Raw, Raw},
		{"qcow2", tinyQCOW2(t, compressedDeflate), QCOW2, QCOW2},
		{"vhd", tinyVHD(), VHD, VHD},
		{"fixed vhd", fixedVHD(), VHD, VHD},
		{"qcow2 found", tinyQCOW2(t, compressedDeflate), Auto, QCOW2},
		{"fixed vhd found", fixedVHD(), Auto, VHD},
		{"qcow2 as raw", tinyQCOW2(t, compressedDeflate), Raw, ""},
		{"fixed vhd as raw", fixedVHD(), Raw, ""},
		{"dynamic vhd as raw", tinyVHD(), Raw, ""},
		{"vhd as qcow2", tinyVHD(), QCOW2, ""},
		{"raw as vhd", raw(0, ""), VHD, ""},
		{"vhdx as raw", raw(0, "vhdxfile"), Raw, ""},
		{"vhdx", tinyVHDX(), VHDX, VHDX},
		{"vhdx found", tinyVHDX(), Auto, VHDX},
		{"vhdx as vhd", tinyVHDX(), VHD, ""},
		{"vmdk", tinyVMDK(), VMDK, VMDK},
		{"vmdk found", streamVMDK(t, tinyVMDKWant()), Auto, VMDK},
		{"vdi declared", raw(0x40, "\x7f\x10\xda\xbe"), "vdi", ""},
		{"vmdk as raw", raw(0, "KDMV"), Raw, ""},
		{"vmdk text as raw", raw(0, "# Disk DescriptorFile\n"), Raw, ""},
		{"vdi as raw", raw(0x40, "\x7f\x10\xda\xbe"), Raw, ""},
		{"dmg", raw(512, "koly"), Auto, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, err := New(test.b.source(), Options{Format: test.declared})
			switch {
			case test.want == "" && !errors.Is(err, ErrFormat):
				t.Errorf("got %v, want %v", err, ErrFormat)
			case test.want != "" && err != nil:
				t.Error(err)
			case test.want != "" && d.Format() != test.want:
				t.Errorf("format %s, want %s", d.Format(), test.want)
			}
		})
	}
}

func TestMaxSize(t *testing.T) {
	for _, b := range []image{make(image, 4096), tinyQCOW2(t, compressedDeflate), tinyVHD(), fixedVHD(), tinyVHDX(), tinyVMDK()} {
		if _, err := New(b.source(), Options{MaxSize: 512}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("got %v, want %v", err, ErrTooLarge)
		}
	}
}

// TestReadBounds reads before, across and behind the ends of a disk of each kind.
func TestReadBounds(t *testing.T) {
	for _, b := range []image{make(image, 4096), tinyQCOW2(t, compressedDeflate), tinyVHD(), fixedVHD(), tinyVHDX(), tinyVMDK()} {
		d, err := New(b.source(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 10)
		for _, test := range []struct {
			off  int64
			n    int
			want error
		}{{d.Size() - 10, 10, nil}, {d.Size() - 3, 3, io.EOF}, {d.Size(), 0, io.EOF}, {1 << 62, 0, io.EOF}} {
			if n, err := d.ReadAt(p, test.off); n != test.n || err != test.want {
				t.Errorf("%s: ReadAt(%d) = %d, %v; want %d, %v", d.Format(), test.off, n, err, test.n, test.want)
			}
			if n, err := d.ReadAt(nil, test.off); n != 0 || err != nil {
				t.Errorf("%s: ReadAt of nothing at %d = %d, %v", d.Format(), test.off, n, err)
			}
		}
		if _, err := d.ReadAt(p, -1); err == nil || err == io.EOF {
			t.Errorf("%s: ReadAt(-1): %v", d.Format(), err)
		}
		if _, _, err := d.NextData(-1); err == nil {
			t.Errorf("%s: NextData(-1): no error", d.Format())
		}
		if start, end, err := d.NextData(1 << 62); start != d.Size() || end != d.Size() || err != nil {
			t.Errorf("%s: NextData(1<<62) = %d, %d, %v", d.Format(), start, end, err)
		}
	}
}

func TestRawHoles(t *testing.T) {
	const size = 1 << 30
	path := write(t, nil)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	for _, off := range []int64{1 << 20, size / 2} {
		if _, err := f.WriteAt(bytes.Repeat([]byte{1}, 1<<16), off); err != nil {
			t.Fatal(err)
		}
	}
	d, err := Open(path, Options{Format: Raw})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if data := readByRuns(t, d, make([]byte, size)); data < 2<<16 || data > 2<<20 {
		t.Errorf("%d bytes of data of 128 KiB that were written", data)
	}
}

// TestEmptyGiants: opening and scanning a disk takes time for what it holds, not for its size.
func TestEmptyGiants(t *testing.T) {
	for _, options := range []string{"cluster_size=64k", "cluster_size=2M", "extended_l2=on"} {
		path := filepath.Join(t.TempDir(), "image")
		qemuImg(t, "create", "-f", "qcow2", "-o", options, path, "32T")
		d, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for off, calls := int64(0), 0; off < d.Size(); calls++ {
			start, end, err := d.NextData(off)
			if err != nil || calls > 3 || end-start > pretended {
				t.Fatalf("%s: NextData(%d) = %d, %d, %v, after %d calls", options, off, start, end, err, calls)
			}
			off = end
		}
		d.Close()
	}
}

// TestNextDataIsBounded: tables full of clusters of zeros end a search after maxScan of them.
func TestNextDataIsBounded(t *testing.T) {
	const clusters = 3 * maxScan
	tables := clusters / 64
	b := make(image, 512+tables*8+512+tables*512)
	b.put(0, "QFI\xfb").u32(4, 3).u32(20, 9).u64(24, clusters*512)
	b.u32(36, uint32(tables)).u64(40, 512).u64(48, uint64(512+tables*8)).u32(56, 1).u32(100, 104)
	for i := range tables {
		b.u64(512+8*i, uint64(512+tables*8+512+i*512))
	}
	d, err := New(b.source(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if start, end, err := d.NextData(0); start != maxScan*512 || end != start+512 || err != nil {
		t.Errorf("NextData(0) = %d, %d, %v; want the cluster at %d", start, end, err, maxScan*512)
	}
	if data := readByRuns(t, d, make([]byte, d.Size())); data > 3*512 {
		t.Errorf("%d bytes of data", data)
	}
}

func TestShrunkFile(t *testing.T) {
	for _, b := range []image{make(image, 4096), tinyQCOW2(t, compressedDeflate), tinyVHD(), fixedVHD(), tinyVHDX(), tinyVMDK()} {
		path := write(t, b)
		guard, err := Watch(path)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if err := os.Truncate(path, 512); err != nil {
			t.Fatal(err)
		}
		if _, err := d.ReadAt(make([]byte, d.Size()), 0); !errors.Is(err, ErrTruncated) {
			t.Errorf("%s: ReadAt: %v, want %v", d.Format(), err, ErrTruncated)
		}
		if err := guard.Check(); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), "size 512") {
			t.Errorf("%s: Check: %v, want %v", d.Format(), err, ErrChanged)
		}
	}
}

func TestGuard(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(path string) error
		field  string
	}{
		{"nothing", func(string) error { return nil }, ""},
		{"read", func(path string) error { _, err := os.ReadFile(path); return err }, ""},
		{"longer", func(path string) error { return os.Truncate(path, 8192) }, "size 8192: was 4096"},
		{"written", func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1, 1)) }, "modification time"},
		{"written, times set back", func(path string) error {
			fi, err := os.Stat(path)
			if err != nil {
				return err
			}
			return setBack(path, fi.ModTime())
		}, "change time"},
		{"another file", func(path string) error {
			other := path + ".new"
			if err := os.WriteFile(other, make([]byte, 4096), 0o600); err != nil {
				return err
			}
			return os.Rename(other, path)
		}, "inode"},
		{"removed", os.Remove, "no such file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := write(t, make([]byte, 4096))
			guard, err := Watch(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := test.change(path); err != nil {
				t.Fatal(err)
			}
			err = guard.Check()
			if test.field == "" && err != nil || test.field != "" && (!errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), test.field)) {
				t.Errorf("got %v, want %q", err, test.field)
			}
		})
	}
}

// setBack writes to a file until its change time moves (the kernel's clock has ticks), then sets
// its modification time back.
func setBack(path string, modified time.Time) error {
	before, err := stampAt(path)
	for err == nil {
		if err = os.Chtimes(path, time.Time{}, modified); err != nil {
			break
		}
		var now Stamp
		if now, err = stampAt(path); err == nil && !now.Changed.Equal(before.Changed) {
			return nil
		}
	}
	return err
}

// TestConcurrentReads reads every kind of cluster from many goroutines through caches that are too
// small.
func TestConcurrentReads(t *testing.T) {
	dir, rnd := t.TempDir(), seeded(t)
	raw := filepath.Join(dir, "raw")
	want := writeRaw(t, rnd, raw, 12<<20)
	for _, args := range [][]string{
		{"-O", "qcow2", "-c", "-o", "cluster_size=4k"},
		{"-O", "qcow2", "-c", "-o", "cluster_size=2M,compression_type=zstd"},
		{"-O", "vpc", "-o", "force_size=on"},
	} {
		image := filepath.Join(dir, "image")
		qemuImg(t, append(append([]string{"convert", "-f", "raw"}, args...), raw, image)...)
		d, err := Open(image, Options{Zstd: newZstd(t)})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for g := range 8 {
			start := rnd.Int64N(d.Size())
			wg.Go(func() {
				p := make([]byte, 100_000+g)
				for i := range int64(50) {
					off := (start + i*int64(len(p))*7) % (d.Size() - int64(len(p)))
					if _, err := d.ReadAt(p, off); err != nil || !bytes.Equal(p, want[off:off+int64(len(p))]) {
						t.Errorf("%v: ReadAt(%d bytes, %d): %v, or other bytes", args, len(p), off, err)
						return
					}
				}
			})
		}
		wg.Wait()
		d.Close()
	}
}
