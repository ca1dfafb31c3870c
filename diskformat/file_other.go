//go:build !linux

package diskformat

import "os"

// stampOf holds what every system knows of a file.
func stampOf(fi os.FileInfo) Stamp {
	return Stamp{Size: fi.Size(), Modified: fi.ModTime().UTC()}
}

// nextData takes everything for data: holes are asked for on Linux only.
func (f *file) nextData(off int64) (start, end int64, err error) { return off, f.size, nil }
