package filesystem

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"loggia/blobstore"
)

// direction tells reading from writing, where one errno means two things.
type direction bool

const (
	reading direction = false
	writing direction = true
)

// wrap gives a failure of the file system its kind. Errors of the contract and of contexts pass.
func wrap(err error, d direction) error {
	if err == nil || blobstore.KindOf(err) != blobstore.KindOther {
		return err
	}
	return fmt.Errorf("%w: %w", kind(err, d), err)
}

func kind(err error, d direction) error {
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	switch {
	case is(unix.ENOSPC, unix.EDQUOT, unix.EFBIG):
		return blobstore.ErrFull
	case is(fs.ErrPermission, unix.EROFS):
		return blobstore.ErrForbidden
	case d == writing && is(unix.ENOTDIR, unix.EISDIR, unix.ENOTEMPTY, unix.EEXIST):
		return blobstore.ErrInvalidKey // one key is a folder of another
	case d == reading && is(unix.ENOTDIR, unix.EISDIR, unix.ELOOP):
		return blobstore.ErrNotFound // a folder or a foreign symlink is no object
	case d == reading && is(unix.EIO, unix.EBADMSG):
		return blobstore.ErrDamaged // the disk cannot give these bytes back
	}
	return blobstore.ErrUnavailable
}

// begin checks what every call checks first.
func begin(ctx context.Context, op, key string) error {
	if err := blobstore.CheckKey(key); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s %s: %w", op, key, err)
	}
	return nil
}

func named(op, key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", op, key, err)
}
