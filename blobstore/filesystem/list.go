package filesystem

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"loggia/blobstore"
)

// List implements blobstore.Store. It holds the names of one directory per level in memory.
func (s *Store) List(ctx context.Context, prefix, after string, fn func(blobstore.Info) error) error {
	l := &lister{ctx: ctx, s: s, prefix: prefix, after: after, fn: fn}
	err := s.mounted()
	if err == nil {
		err = l.walk("")
	}
	if l.stopped != nil {
		return l.stopped // the caller's own error, as it is
	}
	return named("list", prefix, err)
}

type lister struct {
	ctx           context.Context
	s             *Store
	prefix, after string
	fn            func(blobstore.Info) error
	stopped       error // what fn returned
}

// walk lists the directory whose keys begin with base, which is empty or ends in a slash.
func (l *lister) walk(base string) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	names, err := l.names(base)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := l.entry(base + name); err != nil {
			return err
		}
	}
	return nil
}

// names returns the entries of a directory, folders with a slash at their end, in byte order:
// that is the order of the full keys, since "a-b" < "a/x" < "a0" although "a" < "a-b".
func (l *lister) names(base string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(l.s.objects, filepath.FromSlash(base)))
	if err != nil {
		err = l.s.readError(err)
		if base != "" && errors.Is(err, blobstore.ErrNotFound) {
			return nil, nil // pruned meanwhile
		}
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if blobstore.CheckKey(base+e.Name()) != nil {
			continue // foreign
		}
		switch {
		case e.IsDir():
			names = append(names, e.Name()+"/")
		case e.Type().IsRegular():
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

func (l *lister) entry(key string) error {
	if strings.HasSuffix(key, "/") {
		if l.skip(key) {
			return nil
		}
		return l.walk(key)
	}
	if key <= l.after || !strings.HasPrefix(key, l.prefix) {
		return nil
	}
	if err := l.ctx.Err(); err != nil {
		return err
	}
	st, err := os.Lstat(l.s.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return l.s.readError(err)
	}
	l.stopped = l.fn(blobstore.Info{Key: key, Size: st.Size(), Modified: st.ModTime()})
	return l.stopped
}

// skip says that no key of a folder is asked for.
func (l *lister) skip(folder string) bool {
	if !strings.HasPrefix(folder, l.prefix) && !strings.HasPrefix(l.prefix, folder) {
		return true
	}
	return folder < l.after && !strings.HasPrefix(l.after, folder)
}
