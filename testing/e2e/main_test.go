package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// loggia is the program under test, built once by TestMain.
var loggia string

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "loggia-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	loggia = filepath.Join(dir, "loggia")
	args := append([]string{"build", "-tags", "hashicorpmetrics", "-o", loggia}, buildFlags...)
	if out, err := exec.Command("go", append(args, "loggia/cmd/loggia")...).CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build the program under test: %w\n%s", err, out)
	}
	return m.Run(), nil
}
