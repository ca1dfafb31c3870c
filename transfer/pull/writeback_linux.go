package pull

import (
	"os"

	"golang.org/x/sys/unix"
)

// startWriteback makes the kernel begin to write what is dirty of a file, and does not wait for it. It is a hint: durable is
// what Sync has said so of.
func startWriteback(f *os.File) {
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) {
		_ = unix.SyncFileRange(int(fd), 0, 0, unix.SYNC_FILE_RANGE_WRITE) // to the end of the file
	})
}
