// Package filesystem keeps objects as files under one directory.
package filesystem

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"loggia/blobstore"
)

// Options are the few things that a directory leaves open.
type Options struct {
	// Mode of new files; of directories it is the same with search where there is read.
	// 0 means 0600.
	Mode os.FileMode
}

// Store is a blobstore.Store and a blobstore.Copier over a directory:
//
//	objects/<key>   the objects, one file each
//	.tmp/           files being written, and the lock of those who write them
//
// Other files are ignored. Several processes may use one directory.
type Store struct {
	objects string // absolute
	tmp     string // absolute, in the same file system
	mode    os.FileMode
	dirMode os.FileMode
	root    unix.Stat_t // of objects, as Open found it
	lock    *os.File    // shared lock on .tmp: "somebody writes here"
	dirs    *dirs
}

// leftoverAge is how old a temporary file must be to be swept while other processes use the
// store. One object is written in seconds; a day is beyond doubt.
const leftoverAge = 24 * time.Hour

// Open makes the directory where it is missing, and sweeps what crashed writers left.
func Open(dir string, o Options) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if o.Mode == 0 {
		o.Mode = 0o600
	}
	s := &Store{
		objects: filepath.Join(dir, "objects"),
		tmp:     filepath.Join(dir, ".tmp"),
		mode:    o.Mode,
		dirMode: o.Mode | o.Mode>>2&0o111, // r brings x
	}
	s.dirs = newDirs(s.objects, s.dirMode)
	if err := s.open(dir); err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, err)
	}
	return s, nil
}

func (s *Store) open(dir string) error {
	for _, d := range []string{dir, s.objects, s.tmp} {
		if err := makeDir(d, s.dirMode); err != nil {
			return wrap(err, writing)
		}
	}
	if err := unix.Stat(s.objects, &s.root); err != nil {
		return wrap(err, writing)
	}
	lock, err := lockAndSweep(s.tmp)
	if err != nil {
		return wrap(err, writing)
	}
	s.lock = lock
	return nil
}

// Close gives up the store's lock. Calls after it still work; leftovers may then be swept by others.
func (s *Store) Close() error { return s.lock.Close() }

// path is where key lies. Keys are made of safe bytes only and have no "..", see CheckKey.
func (s *Store) path(key string) string {
	return filepath.Join(s.objects, filepath.FromSlash(key))
}

// mounted fails with ErrUnavailable when the directory was unmounted or replaced since Open. That
// must not look like a store that lost everything, nor take new objects.
func (s *Store) mounted() error {
	var now unix.Stat_t
	if err := unix.Stat(s.objects, &now); err != nil {
		return fmt.Errorf("%w: %s: %w", blobstore.ErrUnavailable, s.objects, err)
	}
	if now.Dev != s.root.Dev || now.Ino != s.root.Ino {
		return fmt.Errorf("%w: %s is another directory than at the start", blobstore.ErrUnavailable, s.objects)
	}
	return nil
}

// missing is what "no such file" means.
func (s *Store) missing() error {
	if err := s.mounted(); err != nil {
		return err
	}
	return blobstore.ErrNotFound
}

// Capacity implements blobstore.Store. Free is what this user may still write.
func (s *Store) Capacity(ctx context.Context) (blobstore.Capacity, error) {
	if err := ctx.Err(); err != nil {
		return blobstore.Capacity{}, fmt.Errorf("capacity: %w", err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(s.objects, &st); err != nil {
		return blobstore.Capacity{}, fmt.Errorf("capacity: %w: %s: %v", blobstore.ErrUnavailable, s.objects, err)
	}
	c := blobstore.Capacity{Known: true, Total: int64(st.Blocks) * unit(&st), Free: int64(st.Bavail) * unit(&st)}
	if st.Files > 0 && st.Ffree == 0 {
		c.Free = 0 // no inode left: no file can be made
	}
	return c, nil
}
