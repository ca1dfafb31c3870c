package pull

import (
	"os"

	"golang.org/x/sys/unix"
)

// punch makes n bytes of a file or device read as zeros without writing them. It says whether that
// was possible: some file systems and most disks cannot.
func punch(f *os.File, at, n int64) bool {
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		failed = unix.Fallocate(int(fd), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, at, n)
	})
	return err == nil && failed == nil
}
