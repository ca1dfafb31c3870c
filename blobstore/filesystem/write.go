package filesystem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"loggia/blobstore"
	"loggia/internal/atomicfile"
)

// step is how much is written between two looks at the context, in bytes.
const step = 4 << 20

// Put implements blobstore.Store: temporary file, fsync, rename, fsync of the directory.
func (s *Store) Put(ctx context.Context, key string, data []byte) error {
	if err := blobstore.CheckPut(key, len(data)); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	return named("put", key, s.write(ctx, key, func(f *os.File) error {
		for len(data) > 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			n, err := f.Write(data[:min(step, len(data))])
			if err != nil {
				return err
			}
			data = data[n:]
		}
		return nil
	}))
}

// Copy implements blobstore.Copier. The kernel copies (copy_file_range), sharing blocks where the
// file system can. Hard links are not used: the copy would have the age of the original, which
// the collector goes by.
func (s *Store) Copy(ctx context.Context, from, to string) error {
	if err := blobstore.CheckKey(to); err != nil {
		return fmt.Errorf("copy: %w", err)
	}
	src, size, err := s.openObject(ctx, "copy", from)
	if err != nil {
		return err
	}
	defer src.Close() // read only
	if from == to {
		return nil
	}
	return named("copy", to, s.write(ctx, to, func(f *os.File) error {
		for left := size; left > 0; {
			if err := ctx.Err(); err != nil {
				return err
			}
			n, err := io.CopyN(f, src, min(step, left))
			if err == io.EOF {
				return fmt.Errorf("%w: %s ended %d bytes early", blobstore.ErrDamaged, from, left-n)
			}
			if err != nil {
				return err
			}
			left -= n
		}
		return nil
	}))
}

// write makes the object key of what fill writes.
func (s *Store) write(ctx context.Context, key string, fill func(*os.File) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.mounted(); err != nil {
		return err
	}
	f, err := os.CreateTemp(s.tmp, "put-*")
	if err != nil {
		return wrap(err, writing)
	}
	err = fill(f)
	if err == nil {
		err = f.Chmod(s.mode)
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = ctx.Err() // the last moment at which nothing has happened
	}
	if err == nil {
		err = s.publish(f.Name(), s.path(key))
	}
	if err != nil {
		_ = os.Remove(f.Name()) // else the next Open sweeps it
	}
	return wrap(err, writing)
}

// publish gives the finished file its name. A directory may be pruned by a Delete between its
// making and the rename; then it is made again, at most a few times.
func (s *Store) publish(tmp, path string) error {
	dir := filepath.Dir(path)
	for range 10 {
		if err := s.dirs.ensure(dir); err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if err := s.mounted(); err != nil {
				return err
			}
			s.dirs.forget(dir)
			continue
		}
		err := os.Rename(tmp, path)
		if errors.Is(err, fs.ErrNotExist) {
			s.dirs.forget(dir)
			continue
		}
		if err != nil {
			return err
		}
		return s.syncDir(dir)
	}
	return fmt.Errorf("%w: directories vanish while they are written to", blobstore.ErrUnavailable)
}

// syncDir makes a name in dir durable. A directory that vanished took the name with it, by a
// Delete of the same key, which is that caller's affair.
func (s *Store) syncDir(dir string) error {
	err := atomicfile.SyncDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return s.mounted()
	}
	return err
}

// Delete implements blobstore.Store. It is durable when it returns, and takes empty directories along.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := begin(ctx, "delete", key); err != nil {
		return err
	}
	return named("delete", key, s.delete(s.path(key)))
}

func (s *Store) delete(path string) error {
	st, err := os.Lstat(path)
	if err == nil && !st.Mode().IsRegular() {
		return nil // a folder or a foreign file is no object
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		err = s.readError(err)
		if errors.Is(err, blobstore.ErrNotFound) {
			return nil
		}
		return err
	}
	dir := filepath.Dir(path)
	if err := s.syncDir(dir); err != nil {
		return wrap(err, writing)
	}
	s.dirs.prune(dir)
	return nil
}
