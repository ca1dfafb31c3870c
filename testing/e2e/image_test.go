package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

const mib = 1 << 20

// seed is the run's, printed where it matters, and given by LOGGIA_SEED to repeat one.
func seed(t *testing.T) uint64 {
	t.Helper()
	s := rand.Uint64()
	if v, ok := os.LookupEnv("LOGGIA_SEED"); ok {
		var err error
		if s, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatalf("LOGGIA_SEED: %v", err)
		}
	}
	t.Logf("LOGGIA_SEED=%d", s)
	return s
}

// image writes a raw disk of so many MiB: half noise, a quarter text, a quarter hole.
func image(t *testing.T, path string, size int, seed uint64) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var key [32]byte
	copy(key[:], fmt.Sprint(seed))
	noise := rand.NewChaCha8(key)
	for n := range size {
		b := make([]byte, mib)
		switch n % 4 {
		case 0, 1:
			_, _ = noise.Read(b)
		case 2:
			line := fmt.Appendf(nil, "seed %d, piece %d: something that compresses well\n", seed, n)
			copy(b, bytes.Repeat(line, mib/len(line)+1))
		default:
			continue
		}
		if _, err := f.WriteAt(b, int64(n)*mib); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(int64(size) * mib); err != nil {
		t.Fatal(err)
	}
	return path
}

// changed writes a copy of an image in which one MiB differs.
func changed(t *testing.T, from, path string, seed uint64) string {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	var key [32]byte
	copy(key[:], fmt.Sprint(seed))
	_, _ = rand.NewChaCha8(key).Read(b[len(b)/2 : len(b)/2+mib])
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// convert makes an image of another format with qemu-img.
func convert(t *testing.T, from, format, path string, options ...string) string {
	t.Helper()
	args := append([]string{"convert", "-f", "raw", "-O", format}, options...)
	if out, err := exec.Command("qemu-img", append(args, from, path)...).CombinedOutput(); err != nil {
		t.Fatalf("qemu-img: %v\n%s", err, out)
	}
	return path
}

// same fails where two files differ.
func same(t *testing.T, got, want string) {
	t.Helper()
	if a, b := flat(t, got), flat(t, want); a != b {
		t.Errorf("%s (%s) is not %s (%s)", filepath.Base(got), a, filepath.Base(want), b)
	}
}

func flat(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// edit changes bytes of a file.
func edit(t *testing.T, path string, at int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// duplicate copies a file.
func duplicate(t *testing.T, from, to string) string {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}
