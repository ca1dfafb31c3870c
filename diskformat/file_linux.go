package diskformat

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stampOf takes what the kernel said of a file.
func stampOf(fi os.FileInfo) Stamp {
	s := Stamp{Size: fi.Size(), Modified: fi.ModTime().UTC()}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		s.Device, s.Inode = uint64(st.Dev), st.Ino
		s.Changed = time.Unix(st.Ctim.Unix()).UTC()
	}
	return s
}

// nextData asks the file system for the first run of data at or after off. The file's offset,
// which SEEK_DATA moves, is used by nobody.
func (f *file) nextData(off int64) (start, end int64, err error) {
	conn, err := f.f.SyscallConn()
	if err != nil {
		return 0, 0, err
	}
	var seekErr error
	err = conn.Control(func(fd uintptr) {
		if start, seekErr = unix.Seek(int(fd), off, unix.SEEK_DATA); seekErr == nil {
			end, seekErr = unix.Seek(int(fd), start, unix.SEEK_HOLE)
		}
	})
	if err == nil {
		err = seekErr
	}
	switch {
	case err == nil && end > start && start >= off:
		return start, end, nil
	case errors.Is(err, unix.ENXIO): // no data up to the end
		return f.size, f.size, nil
	case err == nil, errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
		return off, f.size, nil // this file system does not know its holes
	}
	return 0, 0, err
}
