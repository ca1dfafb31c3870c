package gotools

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestNothingIsBuiltTwice(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(DirEnv, dir)
	want := filepath.Join(dir, "tool")
	if err := os.WriteFile(want, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := Install(t.Context(), "example.org/a/tool@v1.2.3", io.Discard); got != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
