package filesystem

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lockAndSweep takes a shared lock on the temporary directory and removes leftovers: all of them
// when nobody else holds the lock, else only those too old to be in use.
func lockAndSweep(tmp string) (*os.File, error) {
	lock, err := os.Open(tmp)
	if err != nil {
		return nil, err
	}
	before := time.Now().Add(-leftoverAge)
	if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		before = time.Now().Add(leftoverAge) // alone: whatever their date
	}
	err = sweep(tmp, before)
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_SH)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

func sweep(tmp string, before time.Time) error {
	entries, err := os.ReadDir(tmp)
	if err != nil {
		return err
	}
	for _, e := range entries {
		st, err := e.Info()
		if err != nil || !st.Mode().IsRegular() || st.ModTime().After(before) {
			continue
		}
		if err := os.Remove(filepath.Join(tmp, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
