package filesystem

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"loggia/internal/atomicfile"
)

// dirs knows which directories are certainly on disk, name included. Without it a writer that
// finds a directory just made by another one would answer before that directory is durable.
type dirs struct {
	root string
	mode os.FileMode

	mu    sync.Mutex
	known map[string]struct{} // bounded by maxKnownDirs; a hint that costs an fsync when lost
}

const maxKnownDirs = 4096

func newDirs(root string, mode os.FileMode) *dirs {
	return &dirs{root: root, mode: mode, known: map[string]struct{}{}}
}

// ensure makes dir and its parents below the root, durably. It never makes the root: a root that
// has gone is a disk that is not mounted.
func (d *dirs) ensure(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ensureLocked(dir)
}

func (d *dirs) ensureLocked(dir string) error {
	if dir == d.root {
		return nil
	}
	if _, ok := d.known[dir]; ok {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := d.ensureLocked(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, d.mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := atomicfile.SyncDir(parent); err != nil {
		return err
	}
	if len(d.known) >= maxKnownDirs {
		clear(d.known)
	}
	d.known[dir] = struct{}{}
	return nil
}

// forget drops what is known of dir and its parents, after a sign that one was removed.
func (d *dirs) forget(dir string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for ; len(dir) > len(d.root); dir = filepath.Dir(dir) {
		delete(d.known, dir)
	}
}

// prune removes dir and its parents below the root as far as they are empty. Failing is harmless.
func (d *dirs) prune(dir string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for ; len(dir) > len(d.root); dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil {
			return
		}
		delete(d.known, dir)
	}
}

// makeDir makes one directory and makes its name durable.
func makeDir(dir string, mode os.FileMode) error {
	if err := os.Mkdir(dir, mode); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(dir))
}
