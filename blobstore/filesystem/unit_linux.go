package filesystem

import "golang.org/x/sys/unix"

// unit is what st counts blocks in, in bytes.
func unit(st *unix.Statfs_t) int64 { return st.Frsize }
