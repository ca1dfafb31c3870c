package s3servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Kind names a server.
type Kind string

// The servers. Both are built from the Go module proxy.
const (
	VersityGW Kind = "versitygw"
	MinIO     Kind = "minio"
)

// Kinds lists every server, for tests that run on all of them.
func Kinds() []Kind { return []Kind{VersityGW, MinIO} }

// pkg is what `go install` is given. MinIO is pinned to its last commit that builds this way.
func (k Kind) pkg() (string, error) {
	switch k {
	case VersityGW:
		return "github.com/versity/versitygw/cmd/versitygw@v1.8.0", nil
	case MinIO:
		return "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c", nil
	}
	return "", fmt.Errorf("unknown S3 server %q", k)
}

// ToolsEnv names the folder of the servers' binaries; without it <user cache>/loggia/tools/bin.
const ToolsEnv = "LOGGIA_TOOLS"

// toolsDir returns where the binaries are kept.
func toolsDir() (string, error) {
	if dir := os.Getenv(ToolsEnv); dir != "" {
		return filepath.Abs(dir)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder for tools (set %s): %w", ToolsEnv, err)
	}
	return filepath.Join(cache, "loggia", "tools", "bin"), nil
}

// Install returns the path of the server's binary, and builds it first where it is missing, saying
// so on progress. Concurrent callers, of other processes too, wait for one build.
func Install(ctx context.Context, kind Kind, progress io.Writer) (string, error) {
	dir, err := toolsDir()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, string(kind))
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
	return bin, build(ctx, kind, dir, progress)
}

func build(ctx context.Context, kind Kind, dir string, progress io.Writer) error {
	pkg, err := kind.pkg()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(progress, "installing %s into %s (some minutes, once)\n", pkg, dir); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "install", "-buildvcs=false", pkg)
	cmd.Dir = dir // outside our module
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go install %s: %w\n%s", pkg, err, tail(out, 4000))
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

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }
