package known

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"loggia/diskformat"
	"loggia/internal/atomicfile"
)

const (
	// MaxBytes bounds one manifest: that of some 50 GB of data. Larger images are not known.
	MaxBytes = 32 << 20
	// maxFiles and maxTotal bound what a folder keeps: the images that were used last.
	maxFiles = 64
	maxTotal = 256 << 20
)

// Folder is where manifests are kept. It may be used by many processes at once.
type Folder string

// path is where the manifest of the file with that stamp is. A file keeps its manifest when it is renamed.
func (d Folder) path(s diskformat.Stamp) string {
	var b []byte
	for _, v := range []uint64{s.Device, s.Inode, uint64(s.Size), uint64(s.Modified.UnixNano())} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	sum := sha256.Sum256(b)
	return filepath.Join(string(d), hex.EncodeToString(sum[:16]))
}

// keep puts a manifest in its place and removes the oldest where there are too many.
func (d Folder) keep(s diskformat.Stamp, b []byte) error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return err
	}
	if err := atomicfile.Write(d.path(s), b, 0o600); err != nil {
		return err
	}
	return d.trim()
}

// trim removes what was used longest ago.
func (d Folder) trim() error {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return err
	}
	var files []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() { // one that is gone by now is no trouble
			files = append(files, info)
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	var total int64
	for i, f := range files {
		if total += f.Size(); i < maxFiles && total <= maxTotal {
			continue
		}
		if err := os.Remove(filepath.Join(string(d), f.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// used notes that a manifest was of use. It is a hint.
func (d Folder) used(s diskformat.Stamp) {
	now := time.Now()
	_ = os.Chtimes(d.path(s), now, now)
}
