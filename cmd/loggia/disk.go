package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"loggia/diskformat"
	"loggia/internal/atomicfile"
	"loggia/transfer/codec"
	"loggia/transfer/image"
)

// openDisk is a disk image that says whether it has changed since it was opened.
type openDisk struct {
	diskformat.Disk
	guard *diskformat.Guard
}

// Check fails when the file changed while it was read.
func (d openDisk) Check() error { return d.guard.Check() }

// imageFlags says how a local image is read.
type imageFlags struct {
	format string
	asIs   bool
}

func (i *imageFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&i.format, "format", "", "raw, qcow2, vhd, vhdx or vmdk, also of what xz, gzip or zstd compressed (default: detected)")
	f.BoolVar(&i.asIs, "as-is", false, "take the file as it is, even if it begins like one of xz, gzip or zstd")
}

// openImage opens a local image and watches over its file. A compressed one is unpacked to the system's
// folder for temporary files first.
func (c *cli) openImage(ctx context.Context, path string, flags imageFlags) (openDisk, error) {
	guard, err := diskformat.Watch(path)
	if err != nil {
		return openDisk{}, fmt.Errorf("%s: %w", path, err)
	}
	dec, err := codec.NewDecoder(2)
	if err != nil {
		return openDisk{}, err
	}
	var b *board // only if there is something to show
	started := time.Now()
	d, err := image.Open(ctx, path, image.Options{Format: diskformat.Format(flags.format), AsIs: flags.asIs, Zstd: dec, TempDir: os.TempDir(), Progress: func(done, total int64) {
		if b == nil {
			b = newBoard(c.err)
		}
		shown := bar{name: "unpack", done: done, total: total}
		shown.pace(time.Since(started))
		b.set(shown)
	}})
	if b != nil {
		b.close()
	}
	if err != nil {
		return openDisk{}, fmt.Errorf("%s: %w", path, err)
	}
	return openDisk{d, guard}, nil
}

// folder is where the command keeps what it knows from one call to the next; variable names it, or else it is the home's default.
func folder(variable string, fallback ...string) (string, error) {
	if dir := os.Getenv(variable); dir != "" {
		return filepath.Join(dir, "loggia"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(append(append([]string{home}, fallback...), "loggia")...), nil
}

// uploadFile is where the id of an interrupted publish of this very file is kept.
func uploadFile(s source, n []string) (string, error) {
	dir, err := folder("XDG_STATE_HOME", ".local", "state")
	if err != nil {
		return "", fmt.Errorf("place for the publish's state: %w", err)
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
	return filepath.Join(dir, "uploads", hex.EncodeToString(sum[:16])), nil
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
