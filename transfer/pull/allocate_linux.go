package pull

import (
	"os"

	"golang.org/x/sys/unix"
)

// allocate gives a part of the file its place on the disk. Into what has one several can be written at once past the page cache; what has
// none is written one after the other (ext4, XFS). A file system that has no such thing does without.
func allocate(f *os.File, off, n int64) {
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) { _ = unix.Fallocate(int(fd), 0, off, n) }) // a full disk says so when it is written
}
