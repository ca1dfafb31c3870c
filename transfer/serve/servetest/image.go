package servetest

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"loggia/blobstore"
	"loggia/blobstore/filesystem"
	"loggia/diskformat"
	"loggia/transfer/publish"
)

// Images returns two versions of an image: v1.raw and v2.raw of the folder LOGGIA_IMAGES, or disks made
// of random bytes where that is not set.
func Images(b *testing.B) (v1, v2 publish.Source) {
	b.Helper()
	dir := os.Getenv("LOGGIA_IMAGES")
	if dir == "" {
		r := rand.New(rand.NewPCG(1, 2))
		d := NewDisk(r, 128<<20)
		return d, Change(r, d, 20)
	}
	open := func(name string) publish.Source {
		d, err := diskformat.Open(filepath.Join(dir, name), diskformat.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { d.Close() })
		return d
	}
	return open("v1.raw"), open("v2.raw")
}

// Folder is a store in a folder of the test.
func Folder(t testing.TB) blobstore.Store {
	t.Helper()
	s, err := filesystem.Open(t.TempDir(), filesystem.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
