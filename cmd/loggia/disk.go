package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"loggia/diskformat"
	"loggia/internal/atomicfile"
	"loggia/transfer/codec"
)

// openDisk is a disk image that says whether it has changed since it was opened.
type openDisk struct {
	diskformat.Disk
	guard *diskformat.Guard
}

// Check fails when the file changed while it was read.
func (d openDisk) Check() error { return d.guard.Check() }

// openImage opens a local image and watches over its file.
func openImage(path, format string) (openDisk, error) {
	guard, err := diskformat.Watch(path)
	if err != nil {
		return openDisk{}, fmt.Errorf("%s: %w", path, err)
	}
	dec, err := codec.NewDecoder(2)
	if err != nil {
		return openDisk{}, err
	}
	d, err := diskformat.Open(path, diskformat.Options{Format: diskformat.Format(format), Zstd: dec})
	if err != nil {
		return openDisk{}, fmt.Errorf("%s: %w", path, err)
	}
	return openDisk{d, guard}, nil
}

// uploadFile is where the id of an interrupted publish of this very file is kept.
func uploadFile(s source, n []string) (string, error) {
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("place for the publish's state: %w", err)
		}
		dir = filepath.Join(home, ".local", "state")
	}
	path, err := filepath.Abs(s.path)
	if err != nil {
		return "", err
	}
	st, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	what := fmt.Sprintf("%s\n%d\n%d\n%s\n%d", path, st.Size(), st.ModTime().UnixNano(), strings.Join(n, "/"), s.lun)
	sum := sha256.Sum256([]byte(what))
	return filepath.Join(dir, "loggia", "uploads", hex.EncodeToString(sum[:16])), nil
}

// uploadID returns the id of this publish: the same one until it has ended.
func uploadID(s source, n []string, fresh bool) (string, error) {
	file, err := uploadFile(s, n)
	if err != nil {
		return "", err
	}
	if !fresh {
		b, err := os.ReadFile(file)
		if err == nil && uuid.Validate(string(b)) == nil {
			return string(b), nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	id := uuid.NewString()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", err
	}
	return id, atomicfile.Write(file, []byte(id), 0o600)
}

// forgetUpload drops the id once its publish has ended.
func forgetUpload(s source, n []string) error {
	file, err := uploadFile(s, n)
	if err != nil {
		return err
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
