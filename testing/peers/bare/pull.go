package bare

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"

	"loggia/diskformat"
	"loggia/transfer/chunk"
	"loggia/transfer/pull"
	"loggia/transfer/serve"
)

// pull writes the disk to a file from the store of a.
func (t *task) pull(ctx context.Context) error { return t.pullFrom(ctx, regionA) }

// pullFrom uses an older image at hand where there is one.
func (t *task) pullFrom(ctx context.Context, region string) (err error) {
	d, err := t.disk()
	if err != nil {
		return err
	}
	r, err := t.region(ctx, region)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	o := pull.Options{Root: d.Root, Out: t.out, TempDir: filepath.Dir(t.out)}
	if t.seed != "" {
		seed, err := diskformat.Open(t.seed, diskformat.Options{})
		if err != nil {
			return err
		}
		defer seed.Close()
		guard, err := diskformat.Watch(t.seed)
		if err != nil {
			return err
		}
		chunks, err := t.folder().Open(guard.Stamp())
		if err != nil {
			return err
		}
		o.Seed, o.Known = seed, chunks
	}
	_, err = pull.Run(ctx, &source{region: r, root: d.Root}, o)
	return err
}

// source is a repository at hand. Nobody is asked whether the reader may have what it wants.
type source struct {
	region *region
	root   chunk.ID
}

// Tree implements pull.Source.
func (s *source) Tree(ctx context.Context) (pull.NodeReader, error) {
	var l list
	if err := serve.Tree(ctx, s.region.view, s.root, &l); err != nil {
		return nil, err
	}
	return &l, nil
}

// Fetch implements pull.Source.
func (s *source) Fetch(ctx context.Context, want []pull.Want, checked bool, fn func(stored []byte, refs []chunk.Ref) error) error {
	var ids []chunk.ID
	for _, w := range want {
		ids = append(ids, w.IDs...)
	}
	o := s.region.serving()
	o.Unchecked = !checked
	missing, err := serve.Local{View: s.region.view, Options: o}.Fetch(ctx, ids, fn)
	if err == nil && len(missing) > 0 {
		err = errors.New("the repository lacks chunks")
	}
	return err
}

// list is the nodes of a tree.
type list [][]byte

// Node implements serve.NodeWriter.
func (l *list) Node(b []byte) error {
	*l = append(*l, bytes.Clone(b))
	return nil
}

// Next implements pull.NodeReader.
func (l *list) Next() ([]byte, error) {
	if len(*l) == 0 {
		return nil, io.EOF
	}
	b := (*l)[0]
	*l = (*l)[1:]
	return b, nil
}

// Close implements pull.NodeReader.
func (l *list) Close() error { return nil }
