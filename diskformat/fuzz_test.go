package diskformat

import (
	"bytes"
	"io"
	"testing"
)

// fuzzDisk bounds the disks that fuzzing reads as a whole.
const fuzzDisk = 4 << 20

// exercise opens an image and reads all of it twice, straight and by NextData. Whatever the image
// says, that ends, and what can be read is the same both ways.
func exercise(t *testing.T, b []byte, o Options) {
	d, err := New(bytes.NewReader(b), o)
	if err != nil {
		return
	}
	if d.Size() <= 0 || d.Size() > fuzzDisk || d.Size()%SectorSize != 0 {
		t.Fatalf("size %d", d.Size())
	}
	whole, parts := make([]byte, d.Size()), make([]byte, d.Size())
	n, err := d.ReadAt(whole, 0)
	if err == io.EOF {
		t.Fatalf("EOF after %d of %d bytes", n, d.Size())
	}
	for off := int64(0); off < d.Size(); {
		start, end, nextErr := d.NextData(off)
		if nextErr != nil {
			t.Fatalf("NextData(%d): %v; tables were checked by Open", off, nextErr)
		}
		if start == d.Size() {
			break
		}
		if start < off || end <= start || end > d.Size() {
			t.Fatalf("NextData(%d) = %d, %d of %d", off, start, end, d.Size())
		}
		if _, readErr := d.ReadAt(parts[start:end], start); readErr != nil {
			if err == nil {
				t.Fatalf("ReadAt(%d bytes, %d): %v", end-start, start, readErr)
			}
			return
		}
		off = end
	}
	if err == nil && !bytes.Equal(whole, parts) {
		t.Fatal("NextData passed over data")
	}
}

func FuzzQCOW2(f *testing.F) {
	f.Add([]byte(tinyQCOW2(f, compressedDeflate)))
	f.Add([]byte(tinyQCOW2(f, compressedZstd)))
	f.Add([]byte(extendedQCOW2()))
	f.Add([]byte(tinyQCOW2(f, compressedDeflate).u32(4, 2)))
	o := Options{Format: QCOW2, MaxSize: fuzzDisk, Zstd: newZstd(f)}
	f.Fuzz(func(t *testing.T, b []byte) { exercise(t, b, o) })
}

// FuzzVHD sets the checksums right first, else nothing gets past them.
func FuzzVHD(f *testing.F) {
	f.Add([]byte(tinyVHD()))
	f.Add([]byte(fixedVHD()))
	o := Options{Format: VHD, MaxSize: fuzzDisk}
	f.Fuzz(func(t *testing.T, b []byte) { exercise(t, image(bytes.Clone(b)).sum(), o) })
}

func FuzzZstdFrame(f *testing.F) {
	f.Add(pack(f, compressedZstd, []byte("some plain text, some plain text")))
	f.Add([]byte("\x50\x2a\x4d\x18\x02\x00\x00\x00ab"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, _, err := zstdFrame(b)
		if err == nil && (n < 8 || n > len(b)) {
			t.Fatalf("length %d of %d bytes", n, len(b))
		}
	})
}
