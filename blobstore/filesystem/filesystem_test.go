package filesystem

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"loggia/blobstore"
	"loggia/blobstore/storetest"
)

func openAt(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) blobstore.Store { return openAt(t, t.TempDir()) })
}

func TestForeignFilesAreIgnored(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir)
	if err := s.Put(t.Context(), "d/mine", []byte("mine")); err != nil {
		t.Fatal(err)
	}
	objects := filepath.Join(dir, "objects")
	for _, name := range []string{"UPPER", "with space", "d/été", "lost+found"} {
		if err := os.WriteFile(filepath.Join(objects, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "beside"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(objects, "link")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(objects, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	var keys []string
	err := s.List(t.Context(), "", "", func(i blobstore.Info) error {
		keys = append(keys, i.Key)
		return nil
	})
	if err != nil || len(keys) != 1 || keys[0] != "d/mine" {
		t.Errorf("list shows %q, %v; want d/mine", keys, err)
	}
	for _, key := range []string{"link", "pipe", "d"} {
		if _, err := s.Get(t.Context(), key, 0, -1); !errors.Is(err, blobstore.ErrNotFound) {
			t.Errorf("get %s: %v, want ErrNotFound", key, err)
		}
		if err := s.Delete(t.Context(), key); err != nil {
			t.Errorf("delete %s: %v", key, err)
		}
		if _, err := os.Lstat(filepath.Join(objects, key)); err != nil {
			t.Errorf("delete took the foreign %s", key)
		}
	}
}

func TestLeftoversAreSweptWhenNobodyWrites(t *testing.T) {
	dir := t.TempDir()
	first := openAt(t, dir)
	left := filepath.Join(dir, ".tmp", "put-123")
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	second := openAt(t, dir) // while first may be writing that very file
	if _, err := os.Stat(left); err != nil {
		t.Fatalf("swept a file that may be in use: %v", err)
	}
	for _, s := range []*Store{first, second} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	openAt(t, dir)
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("left over: %v", err)
	}
}

func TestObjectsSurviveReopening(t *testing.T) {
	dir := t.TempDir()
	if err := openAt(t, dir).Put(t.Context(), "a/b", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := openAt(t, dir).Stat(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
}

func TestVanishedDirectoryIsUnavailableNotEmpty(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mount")
	s := openAt(t, dir)
	if err := s.Put(t.Context(), "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".gone"); err != nil {
		t.Fatal(err)
	}
	check := func(state string) {
		t.Helper()
		_, getErr := s.Get(t.Context(), "a", 0, -1)
		_, statErr := s.Stat(t.Context(), "a")
		for op, err := range map[string]error{
			"get": getErr, "stat": statErr, "put": s.Put(t.Context(), "b/c", []byte("x")), "delete": s.Delete(t.Context(), "a"),
			"list": s.List(t.Context(), "", "", func(blobstore.Info) error { return nil }),
		} {
			if !errors.Is(err, blobstore.ErrUnavailable) || errors.Is(err, blobstore.ErrNotFound) {
				t.Errorf("%s: %s: got %v, want ErrUnavailable", state, op, err)
			}
		}
	}
	check("gone")
	for _, d := range []string{"", "objects", ".tmp"} { // the empty mount point underneath
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	check("replaced")
}

func TestKeyBelowAnObjectIsRefused(t *testing.T) {
	s := openAt(t, t.TempDir())
	if err := s.Put(t.Context(), "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "a/b", []byte("x")); !errors.Is(err, blobstore.ErrInvalidKey) {
		t.Errorf("below an object: got %v, want ErrInvalidKey", err)
	}
	if err := s.Put(t.Context(), "d/e", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "d", []byte("x")); !errors.Is(err, blobstore.ErrInvalidKey) {
		t.Errorf("onto a folder: got %v, want ErrInvalidKey", err)
	}
	if entries, err := os.ReadDir(s.tmp); err != nil || len(entries) != 0 {
		t.Errorf("temporary files left: %v, %v", entries, err)
	}
}

func TestTruncatedFileIsDamagedNotShort(t *testing.T) {
	s := openAt(t, t.TempDir())
	if err := s.Put(t.Context(), "a", bytes.Repeat([]byte("x"), 1000)); err != nil {
		t.Fatal(err)
	}
	r, err := s.Get(t.Context(), "a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := os.Truncate(s.path("a"), 500); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); !errors.Is(err, blobstore.ErrDamaged) {
		t.Fatalf("got %d bytes, %v; want ErrDamaged", len(got), err)
	}
}

func TestErrnos(t *testing.T) {
	for _, c := range []struct {
		err  error
		d    direction
		want error
	}{
		{unix.ENOSPC, writing, blobstore.ErrFull}, {unix.EDQUOT, writing, blobstore.ErrFull},
		{unix.EACCES, writing, blobstore.ErrForbidden}, {unix.EPERM, reading, blobstore.ErrForbidden},
		{unix.EROFS, writing, blobstore.ErrForbidden}, {unix.EIO, writing, blobstore.ErrUnavailable},
		{unix.EIO, reading, blobstore.ErrDamaged}, {unix.EMFILE, reading, blobstore.ErrUnavailable},
		{unix.ESTALE, reading, blobstore.ErrUnavailable}, {unix.ENOTDIR, reading, blobstore.ErrNotFound},
	} {
		err := wrap(&os.PathError{Op: "x", Path: "y", Err: c.err}, c.d)
		if !errors.Is(err, c.want) || !errors.Is(err, c.err) {
			t.Errorf("%v: got %v, want %v", c.err, err, c.want)
		}
	}
}

// TestFullFileSystem writes to a real file system that is full: a small tmpfs.
func TestFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Logf("no right to mount (%v); the errno table above stands alone", err)
		return
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	s := openAt(t, dir)
	if err := s.Put(t.Context(), "a", make([]byte, 512<<10)); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "b/c", make([]byte, 800<<10)); !errors.Is(err, blobstore.ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	if _, err := s.Stat(t.Context(), "b/c"); !errors.Is(err, blobstore.ErrNotFound) {
		t.Fatalf("got %v, want ErrNotFound", err)
	}
	c, err := s.Capacity(t.Context())
	if err != nil || !c.Known || c.Total != 1<<20 || c.Free < 400<<10 {
		t.Fatalf("capacity %+v, %v: the failed put left bytes behind", c, err)
	}
}
