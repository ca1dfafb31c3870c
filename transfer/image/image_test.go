package image

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"loggia/diskformat"
	"loggia/transfer/codec"
)

// run runs a tool and returns what it prints.
func run(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		t.Fatalf("%s %s (install qemu-utils, xz-utils, gzip and zstd): %v", name, strings.Join(args, " "), err)
	}
	return out
}

// writeDisk writes a sparse raw disk and returns its bytes.
func writeDisk(t testing.TB, path string, size int) []byte {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 1))
	disk := make([]byte, size)
	for at := 0; at < size; at += 1 + rnd.IntN(size/4) {
		for i := range min(30_000, size-at) {
			disk[at+i] = byte(rnd.Uint32() & rnd.Uint32())
		}
	}
	if err := os.WriteFile(path, disk, 0o600); err != nil {
		t.Fatal(err)
	}
	return disk
}

func decoder(t testing.TB) *codec.Decoder {
	t.Helper()
	d, err := codec.NewDecoder(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func readAll(d diskformat.Disk) ([]byte, error) {
	b := make([]byte, d.Size())
	_, err := d.ReadAt(b, 0)
	if err == io.EOF {
		err = nil
	}
	return b, err
}

// TestEveryFormatInEveryWrapper opens what qemu-img and the tools made, under a name that says nothing.
func TestEveryFormatInEveryWrapper(t *testing.T) {
	dir := t.TempDir()
	raw := filepath.Join(dir, "raw")
	want := writeDisk(t, raw, 3<<20)
	dec := decoder(t)
	for _, format := range []struct {
		name, qemu string
		is         diskformat.Format
	}{
		{"raw", "raw", diskformat.Raw}, {"qcow2", "qcow2 -o compression_type=zstd -c", diskformat.QCOW2}, {"dynamic vhd", "vpc -o force_size=on", diskformat.VHD},
		{"fixed vhd", "vpc -o subformat=fixed,force_size=on", diskformat.VHD}, {"vhdx", "vhdx", diskformat.VHDX},
		{"vmdk", "vmdk", diskformat.VMDK}, {"stream vmdk", "vmdk -o subformat=streamOptimized", diskformat.VMDK},
	} {
		image := filepath.Join(dir, "image")
		run(t, "qemu-img", append(append([]string{"convert", "-f", "raw", "-O"}, strings.Fields(format.qemu)...), raw, image)...)
		for _, tool := range []string{"cat", "xz", "gzip", "zstd"} {
			t.Run(format.name+"/"+tool, func(t *testing.T) {
				args := []string{"-c", image}
				if tool == "cat" {
					args = args[1:]
				}
				packed := filepath.Join(dir, "packed")
				if err := os.WriteFile(packed, run(t, tool, args...), 0o600); err != nil {
					t.Fatal(err)
				}
				for _, declared := range []diskformat.Format{diskformat.Auto, format.is} {
					d, err := Open(t.Context(), packed, Options{Format: declared, Zstd: dec, TempDir: dir})
					if err != nil {
						t.Fatal(err)
					}
					got, err := readAll(d)
					if err != nil || !bytes.Equal(got, want) || d.Format() != format.is {
						t.Errorf("%s: %d of %d bytes, equal %v, %v", d.Format(), len(got), len(want), bytes.Equal(got, want), err)
					}
					if err := d.Close(); err != nil {
						t.Error(err)
					}
				}
				if _, err := Open(t.Context(), packed, Options{Format: "vdi", TempDir: dir}); !errors.Is(err, diskformat.ErrFormat) {
					t.Errorf("declared vdi: %v", err)
				}
			})
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".loggia-unpacked-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestHoles: what unpacks to zeros takes no room, and is known as a hole.
func TestHoles(t *testing.T) {
	dir := t.TempDir()
	raw := filepath.Join(dir, "raw")
	if err := os.WriteFile(raw, []byte("begin"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(raw, 300<<20); err != nil {
		t.Fatal(err)
	}
	src := source(run(t, "zstd", "-c", raw))
	d, err := New(t.Context(), src, Options{TempDir: dir, Room: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	start, end, err := d.NextData(64 << 10)
	if err != nil || d.Size() != 300<<20 {
		t.Fatalf("size %d, %v", d.Size(), err)
	}
	if fs := (syscall.Statfs_t{}); start != d.Size() && syscall.Statfs(dir, &fs) == nil {
		t.Errorf("data from %d to %d", start, end)
	}
	if _, err := New(t.Context(), src, Options{TempDir: dir, Room: 64<<10 - 1}); !errors.Is(err, ErrNoRoom) {
		t.Errorf("a byte less room: %v", err)
	}
}

func source(b []byte) *bytes.Reader { return bytes.NewReader(b) }

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	raw := filepath.Join(dir, "raw")
	writeDisk(t, raw, 1<<20)
	gz := run(t, "gzip", "-c", raw)
	twice := filepath.Join(dir, "twice")
	if err := os.WriteFile(twice, gz, 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(gz)
	damaged[len(damaged)/2]++
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name string
		ctx  context.Context
		b    []byte
		o    Options
		want error
		text string
	}{
		{"cut", t.Context(), gz[:len(gz)/2], Options{}, diskformat.ErrTruncated, "unpack gzip: compressed data is cut off"},
		{"damaged", t.Context(), damaged, Options{}, diskformat.ErrInconsistent, "unpack gzip"},
		{"garbage behind", t.Context(), append(bytes.Clone(gz), "garbage behind it"...), Options{}, diskformat.ErrInconsistent, "unpack gzip"},
		{"twice", t.Context(), run(t, "xz", "-c", twice), Options{}, diskformat.ErrFormat, "unpack xz: it holds a file of gzip"},
		{"larger file", t.Context(), gz, Options{MaxFile: 1<<20 - 1}, diskformat.ErrTooLarge, "it unpacks to more than 1048575 bytes"},
		{"larger disk", t.Context(), gz, Options{MaxSize: 1<<20 - 512}, diskformat.ErrTooLarge, "in gzip: raw image: size 1048576"},
		{"declared", t.Context(), gz, Options{Format: diskformat.QCOW2}, diskformat.ErrFormat, "in gzip: image format: declared qcow2, detected raw"},
		{"window", t.Context(), run(t, "xz", "-c", "--lzma2=dict=128MiB", raw), Options{}, diskformat.ErrUnsupported, "dictionary of 134217728 bytes"},
		{"filter", t.Context(), run(t, "xz", "-c", "--x86", "--lzma2", raw), Options{}, diskformat.ErrUnsupported, "must be LZMA2 alone"},
		{"nothing in it", t.Context(), run(t, "gzip", "-c", "/dev/null"), Options{}, diskformat.ErrEmpty, "in gzip"},
		{"canceled", canceled, gz, Options{}, context.Canceled, ""},
	} {
		test.o.TempDir = dir
		_, err := New(test.ctx, source(test.b), test.o)
		if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: got %v, want %q and %q", test.name, err, test.text, test.want)
		}
	}
	if d, err := New(t.Context(), source(append(gz, make([]byte, -len(gz)&511)...)), Options{AsIs: true}); err != nil || d.Format() != diskformat.Raw {
		t.Errorf("as it is: %v", err)
	}
}

// TestBomb: a small file that unpacks to far more than is allowed ends at the limit.
func TestBomb(t *testing.T) {
	bomb := run(t, "sh", "-c", "head -c 1000000000 /dev/zero | zstd -c")
	var most int64
	_, err := New(t.Context(), source(bomb), Options{MaxSize: 1 << 20, MaxFile: 8 << 20, TempDir: t.TempDir(), Progress: func(done, total int64) { most = done }})
	if !errors.Is(err, diskformat.ErrTooLarge) || most == int64(len(bomb)) {
		t.Errorf("%d of %d bytes read: %v", most, len(bomb), err)
	}
}

func FuzzImage(f *testing.F) {
	dir := f.TempDir()
	raw := filepath.Join(dir, "raw")
	writeDisk(f, raw, 4096)
	for _, tool := range []string{"xz", "gzip", "zstd"} {
		f.Add(run(f, tool, "-c", raw))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := New(t.Context(), source(b), Options{MaxSize: 1 << 20, MaxFile: 2 << 20, TempDir: dir})
		if err != nil {
			return
		}
		defer d.Close()
		if d.Size() > 1<<20 {
			t.Fatalf("size %d", d.Size())
		}
		_, _ = readAll(d)
	})
}
