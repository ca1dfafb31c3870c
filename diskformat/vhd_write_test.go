package diskformat

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestFixedVHD: qemu-img and our own reader find the same bytes in what we show as a VHD.
func TestFixedVHD(t *testing.T) {
	rnd := seeded(t)
	for _, size := range []int64{512, 1 << 20, 4<<20 + 512, 136 << 20} {
		dir := t.TempDir()
		raw, vhd, back := filepath.Join(dir, "raw"), filepath.Join(dir, "image.vhd"), filepath.Join(dir, "back")
		want := writeRaw(t, rnd, raw, size)
		v, err := NewFixedVHD(bytes.NewReader(want), size, [16]byte{1, 2, 3}, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(io.NewSectionReader(v, 0, v.Size()))
		if err != nil || int64(len(all)) != size+SectorSize {
			t.Fatalf("%d bytes: read %d, %v", size, len(all), err)
		}
		if err := os.WriteFile(vhd, all, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := Open(vhd, Options{Format: VHD})
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if d.Size() != size {
			t.Errorf("our reader sees %d bytes, want %d", d.Size(), size)
		}
		d.Close()
		qemuImg(t, "convert", "-f", "vpc", "-O", "raw", vhd, back)
		got, err := os.ReadFile(back)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("qemu-img reads %d bytes that differ from the %d", len(got), len(want))
		}
		odd := make([]byte, 1000)
		if n, err := v.ReadAt(odd, size-100); err != nil && err != io.EOF || n != 612 || !bytes.Equal(odd[:100], want[size-100:]) {
			t.Errorf("a read over the border: %d, %v", n, err)
		}
	}
	if _, err := NewFixedVHD(nil, 513, [16]byte{}, time.Time{}); err == nil {
		t.Error("an odd size was taken")
	}
}

// TestFixedVHDLarge: beyond what cylinders, heads and sectors can say, readers still see the exact size.
func TestFixedVHDLarge(t *testing.T) {
	for _, size := range []int64{65535*16*63*SectorSize - SectorSize, 65535 * 16 * 63 * SectorSize, 127 << 30, 65535*16*255*SectorSize + SectorSize, 2040 << 30} {
		name := filepath.Join(t.TempDir(), "image.vhd")
		v, err := NewFixedVHD(nil, size, [16]byte{1}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		footer := make([]byte, SectorSize)
		if n, err := v.ReadAt(footer, size); n != SectorSize || err != nil && err != io.EOF {
			t.Fatalf("%d bytes: footer of %d bytes, %v", size, n, err)
		}
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt(footer, size) // a hole before it
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		d, err := Open(name, Options{Format: VHD})
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if d.Size() != size {
			t.Errorf("our reader sees %d bytes, want %d", d.Size(), size)
		}
		d.Close()
		if out := qemuImg(t, "info", "-f", "vpc", "--output=json", name); !bytes.Contains(out, fmt.Appendf(nil, `"virtual-size": %d,`, size)) {
			t.Errorf("%d bytes: qemu-img says %s", size, out)
		}
	}
}
