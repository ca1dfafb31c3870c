package diskformat

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkRead reads one disk from start to end, a MiB at a time, in each format.
func BenchmarkRead(b *testing.B) {
	const size = 64 << 20
	dir, rnd := b.TempDir(), seeded(b)
	disk := make([]byte, size)
	fillText(rnd, disk)
	rawPath := filepath.Join(dir, "disk.raw")
	if err := os.WriteFile(rawPath, disk, 0o600); err != nil {
		b.Fatal(err)
	}
	for _, args := range []string{"-O raw", "-O qcow2", "-O qcow2 -c", "-O qcow2 -c -o compression_type=zstd", "-O vpc -o force_size=on", "-O vhdx", "-O vmdk", "-O vmdk -o subformat=streamOptimized"} {
		b.Run(args, func(b *testing.B) {
			path := filepath.Join(dir, "image")
			qemuImg(b, append(append([]string{"convert", "-f", "raw"}, strings.Fields(args)...), rawPath, path)...)
			d, err := Open(path, Options{Zstd: newZstd(b)})
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			p := make([]byte, 1<<20)
			b.SetBytes(size)
			for b.Loop() {
				for off := int64(0); off < size; off += int64(len(p)) {
					if _, err := d.ReadAt(p, off); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
