package pull

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openUncached opens a file once more, for writes past the page cache, and has the kernel read from it no more than is asked for.
func openUncached(f *os.File) (*os.File, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var again *os.File
	var failed error
	err = conn.Control(func(fd uintptr) {
		if failed = unix.Fadvise(int(fd), 0, 0, unix.FADV_RANDOM); failed == nil {
			again, failed = os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_WRONLY|unix.O_DIRECT, 0)
		}
	})
	if err == nil {
		err = failed
	}
	return again, err
}
