package imports

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loggia/diskformat"
	"loggia/gallery"
	"loggia/node/config"
	"loggia/transfer/codec"
)

// TestFormats: an import takes every format in every wrapper, from servers with ranges and without.
func TestFormats(t *testing.T) {
	dir := t.TempDir()
	raw := filepath.Join(dir, "disk.raw")
	want := append(content(300_000&^511), make([]byte, 2<<20)...)
	if err := os.WriteFile(raw, want, 0o600); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(filepath.Join(dir, filepath.Base(r.URL.Path)))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer f.Close()
		if r.URL.Query().Has("ranges") {
			w.Header().Set("ETag", `"x"`)
		} else {
			r.Header.Del("Range")
		}
		http.ServeContent(w, r, "", time.Time{}, f)
	}))
	defer srv.Close()
	fetch := web(t, config.Imports{Allow: []string{srv.URL}, Networks: []string{"127.0.0.0/8"}})
	fetch.max = 64 << 20
	dec, err := codec.NewDecoder(1)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	l := &Loop{o: Options{Zstd: dec, TempDir: dir, MaxSize: 64 << 20}}
	read := func(url string) (diskformat.Disk, []byte, error) {
		imp := gallery.Import{URI: url}
		f, err := fetch.Open(t.Context(), &imp, dir)
		if err != nil {
			return nil, nil, err
		}
		t.Cleanup(func() { f.Close() })
		d, err := l.disk(t.Context(), job{imp: imp, content: gallery.ContentDisk}, f)
		if err != nil {
			return nil, nil, err
		}
		defer d.Close()
		b := make([]byte, d.Size())
		_, err = d.ReadAt(b, 0)
		return d, b, err
	}
	for _, format := range []string{"raw", "qcow2 -c", "vpc -o force_size=on", "vhdx", "vmdk", "vmdk -o subformat=streamOptimized"} {
		args := append([]string{"convert", "-f", "raw", "-O"}, strings.Fields(format)...)
		run(t, "qemu-img", append(args, raw, filepath.Join(dir, "cat"))...)
		for _, tool := range []string{"xz", "gzip", "zstd"} {
			if err := os.WriteFile(filepath.Join(dir, tool), run(t, tool, "-c", filepath.Join(dir, "cat")), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"cat", "xz?ranges", "gzip", "zstd?ranges"} {
			if d, got, err := read(srv.URL + "/" + name); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, %s: %v, %d of %d bytes, %v", format, name, d, len(got), len(want), err)
			}
		}
	}
	l.o.MaxSize = 100_000
	if _, _, err := read(srv.URL + "/zstd"); !errors.Is(err, diskformat.ErrTooLarge) {
		t.Errorf("more than max_size: %v", err)
	} else if reason, final := reasonOf(err); reason != gallery.ReasonSourceInvalid || !final {
		t.Errorf("reason %s, final %v", reason, final)
	}
}

func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		t.Fatalf("%s %s (install qemu-utils, xz-utils, gzip and zstd): %v", name, strings.Join(args, " "), err)
	}
	return out
}
