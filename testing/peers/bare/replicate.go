package bare

import (
	"context"
	"errors"
	"fmt"

	"loggia/transfer/replicate"
	"loggia/transfer/serve"
)

// disk is the published one that the step is about.
func (t *task) disk() (disk, error) {
	d, ok := t.known.Disks[t.name]
	if !ok {
		return d, fmt.Errorf("%s is not published", t.name)
	}
	return d, nil
}

// replicate copies the disk from a to b: reader and writer are one process.
func (t *task) replicate(ctx context.Context) (err error) {
	d, err := t.disk()
	if err != nil {
		return err
	}
	from, err := t.region(ctx, regionA)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	to, err := t.region(ctx, regionB)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.close()) }()
	w, err := to.writer(ctx)
	if err != nil {
		return err
	}
	defer w.Close()
	err = replicate.Run(ctx, replicate.NewTarget(to.view, w), replicate.Options{
		Disk: identity(d), Base: identity(t.known.Base), Sources: []replicate.Source{replicate.OneByOne(serve.Local{View: from.view, Options: from.serving(), Label: regionA})},
		TempDir: t.work, Pool: to.scratch, Decoder: to.dec})
	if err != nil {
		return err
	}
	if err := to.commit(ctx, w, d); err != nil {
		return err
	}
	if t.known.Base == (disk{}) {
		t.known.Base = d
	}
	return nil
}

func identity(d disk) replicate.Identity { return replicate.Identity{Root: d.Root, Table: d.Table} }

func (r *region) serving() serve.Options {
	return serve.Options{Pool: r.reads, Decoder: r.dec, Encoder: r.enc}
}
