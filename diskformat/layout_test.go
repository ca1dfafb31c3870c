package diskformat

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var layoutMade = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// layOut writes a disk through a layout: the pieces in random order, each where Place says.
func layOut(t testing.TB, rnd *rand.Rand, path string, o Output, disk []byte, data [][2]int64) {
	t.Helper()
	l, err := NewLayout(o, int64(len(disk)), [16]byte{1, 2, 3}, layoutMade)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time changes nothing
		for _, d := range data {
			if err := l.Add(d[0], d[1]-d[0]); err != nil {
				t.Fatal(err)
			}
		}
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, i := range rnd.Perm(len(data)) {
		for at := data[i][0]; at < data[i][1]; {
			off, n, ok := l.Place(at)
			if !ok || n <= 0 {
				t.Fatalf("Place(%d) = %d, %d, %v", at, off, n, ok)
			}
			n = min(n, data[i][1]-at)
			if _, err := f.WriteAt(disk[at:at+n], off); err != nil {
				t.Fatal(err)
			}
			at += n
		}
	}
	size, err := l.Finish(f)
	if err == nil {
		err = f.Truncate(size)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// sparseDisk is a disk of which some aligned blocks hold data.
func sparseDisk(rnd *rand.Rand, size int64) (disk []byte, data [][2]int64) {
	disk = make([]byte, size)
	for at := int64(0); at < size; at += 64 << 10 {
		end := min(at+64<<10, size)
		if rnd.IntN(3) == 0 {
			fillText(rnd, disk[at:end])
			data = append(data, [2]int64{at, end})
		}
		if rnd.IntN(100) == 0 {
			at += 4 << 20
		}
	}
	return disk, data
}

// TestLayouts holds what is written against qemu-img and against our own readers.
func TestLayouts(t *testing.T) {
	rnd, dir := seeded(t), t.TempDir()
	for _, o := range []Output{OutputQCOW2, OutputVHD, OutputVHDDynamic} {
		for _, size := range []int64{512, 64 << 10, 9<<20 + 5*512, 40 << 20} {
			t.Run(fmt.Sprint(o, size), func(t *testing.T) {
				disk, data := sparseDisk(rnd, size)
				raw, image := filepath.Join(dir, "raw"), filepath.Join(dir, "image")
				if err := os.WriteFile(raw, disk, 0o600); err != nil {
					t.Fatal(err)
				}
				layOut(t, rnd, image, o, disk, data)
				checkWritten(t, o, raw, image)
				d, err := Open(image, Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				compareDisk(t, rnd, d, disk)
			})
		}
	}
}

// checkWritten holds an image against the raw disk with qemu-img.
func checkWritten(t testing.TB, o Output, raw, image string) {
	t.Helper()
	format := "vpc"
	if strings.HasPrefix(string(o), "qcow2") {
		format = "qcow2"
		if out := qemuImg(t, "check", "-f", "qcow2", image); !bytes.Contains(out, []byte("No errors were found")) {
			t.Errorf("qemu-img check: %s", out)
		}
	}
	if out := qemuImg(t, "compare", "-f", "raw", "-F", format, raw, image); bytes.Contains(out, []byte("mismatch")) {
		t.Errorf("qemu-img compare: %s", out)
	}
}

// TestLargeLayouts: what is far apart on a large disk lies together in the file, and all of it is found.
func TestLargeLayouts(t *testing.T) {
	rnd, dir := seeded(t), t.TempDir()
	for _, test := range []struct {
		o    Output
		size int64
	}{{OutputQCOW2, 32 << 40}, {OutputVHDDynamic, vhdWriteMax}} {
		l, err := NewLayout(test.o, test.size, [16]byte{1}, layoutMade)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, string(test.o))
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		places := []int64{0, 511 << 20, 512 << 20, 1 << 40, test.size - 512}
		for i, at := range places {
			if err := l.Add(at, 512); err != nil {
				t.Fatal(err)
			}
			off, _, ok := l.Place(at)
			if !ok {
				t.Fatalf("%s: no place of %d", test.o, at)
			}
			if _, err := f.WriteAt(bytes.Repeat([]byte{byte(i + 1)}, 512), off); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Add(1<<30, 512); err == nil {
			t.Error("what descends was taken")
		}
		size, err := l.Finish(f)
		if err == nil {
			err = f.Truncate(size)
		}
		if err != nil || size > 16<<20 {
			t.Fatalf("%s: %d bytes, %v", test.o, size, err)
		}
		if test.o == OutputQCOW2 {
			qemuImg(t, "check", "-f", "qcow2", path)
		}
		d, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		p := make([]byte, 512)
		for i, at := range places {
			if _, err := d.ReadAt(p, at); err != nil || !bytes.Equal(p, bytes.Repeat([]byte{byte(i + 1)}, 512)) {
				t.Errorf("%s: at %d: %d, %v", test.o, at, p[0], err)
			}
		}
		if _, err := d.ReadAt(p, rnd.Int64N(400<<20)/512*512+4<<20); err != nil || !bytes.Equal(p, make([]byte, 512)) {
			t.Errorf("%s: a hole: %v", test.o, err)
		}
	}
}

func TestLayoutRefused(t *testing.T) {
	for _, test := range []struct {
		o     Output
		size  int64
		want  error
		field string
	}{
		{"vdi", 512, ErrFormat, `output "vdi"`}, {OutputQCOW2, 0, ErrEmpty, "qcow2: size 0"}, {OutputQCOW2, 1000, ErrUnaligned, "qcow2: size 1000"},
		{OutputVHD, vhdWriteMax + 512, ErrTooLarge, "vhd: size 2190433321472: must be at most 2190433320960"},
		{OutputVHDDynamic, 3 << 40, ErrTooLarge, "vhd: size"}, {OutputQCOW2, 33 << 40, ErrTooLarge, "qcow2: size"},
	} {
		if _, err := NewLayout(test.o, test.size, [16]byte{}, layoutMade); !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.field) {
			t.Errorf("%s of %d: %v", test.o, test.size, err)
		}
	}
	if l, err := NewLayout(OutputRaw, 512, [16]byte{}, layoutMade); l != nil || err != nil {
		t.Errorf("raw: %v, %v", l, err)
	}
}
