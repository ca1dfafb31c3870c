package gotools

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// DirEnv names the folder of the binaries; without it <user cache>/loggia/tools/bin.
const DirEnv = "LOGGIA_TOOLS"

// Dir returns where the binaries are kept.
func Dir() (string, error) {
	if dir := os.Getenv(DirEnv); dir != "" {
		return filepath.Abs(dir)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder for tools (set %s): %w", DirEnv, err)
	}
	return filepath.Join(cache, "loggia", "tools", "bin"), nil
}

// Name is the binary's name of a package with its version, as `go install` chooses it.
func Name(pkg string) string {
	importPath, _, _ := strings.Cut(pkg, "@")
	return path.Base(importPath)
}

// Install returns the path of the binary of a package, given as for `go install`, and builds it
// first where it is missing, saying so on progress. A binary that is there stays, whatever its
// version. Concurrent callers, of other processes too, wait for one build.
func Install(ctx context.Context, pkg string, progress io.Writer) (string, error) {
	dir, err := Dir()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, Name(pkg))
	if executable(bin) {
		return bin, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close() // gives the lock back
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock %s: %w", dir, err)
	}
	if executable(bin) {
		return bin, nil // somebody else built it while we waited
	}
	return bin, build(ctx, pkg, dir, progress)
}

func build(ctx context.Context, pkg, dir string, progress io.Writer) error {
	if _, err := fmt.Fprintf(progress, "installing %s into %s (some minutes, once)\n", pkg, dir); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "install", "-buildvcs=false", pkg)
	cmd.Dir = dir // outside our module
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go install %s: %w\n%s", pkg, err, out[max(0, len(out)-4000):])
	}
	return nil
}

func executable(path string) bool {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err != nil {
		return false
	}
	return st.Mode().IsRegular() && st.Mode().Perm()&0o111 != 0
}
