package diskformat

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestBlob: a blob is taken as it is, also where it has an odd length or looks like a disk image.
func TestBlob(t *testing.T) {
	for name, want := range map[string][]byte{"one byte": {7}, "a qcow2's signature": []byte("QFI\xfb and more"), "odd": bytes.Repeat([]byte("abc"), 12345)} {
		path := filepath.Join(t.TempDir(), "blob")
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := OpenBlob(path)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := io.ReadAll(io.NewSectionReader(d, 0, d.Size()))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got %d bytes, %v; want %d", name, len(got), err, len(want))
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenBlob(empty); !errors.Is(err, ErrEmpty) {
		t.Errorf("an empty file: got %v, want %v", err, ErrEmpty)
	}
}
