package measure

import (
	"os"
	"os/exec"
	"syscall"
)

// maxRSS is the most memory that one process of an ended command has had, in bytes.
func maxRSS(cmd *exec.Cmd) int64 {
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss << 10
	}
	return 0
}

// Allocated is what a sparse file occupies, in bytes.
func Allocated(path string) (int64, error) {
	st, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok {
		return st.Size(), nil
	}
	return sys.Blocks * 512, nil
}
