package bare

import (
	"context"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"loggia/blobstore"
)

// blindly is how many objects a blind copy has in hand at once.
const blindly = 4

// blind copies the objects that the store of b lacks, each with one request to read and one to write, and looks at none of them: what the
// two servers, and a client of both, take of any copy of so many bytes.
func (t *task) blind(ctx context.Context) error {
	from, err := t.dial(regionA, t.known.Checksums[regionA])
	if err != nil {
		return err
	}
	to, err := t.dial(regionB, t.known.Checksums[regionB])
	if err != nil {
		return err
	}
	there := map[string]bool{}
	if err := to.List(ctx, "", "", func(i blobstore.Info) error {
		there[i.Key] = true
		return nil
	}); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(blindly)
	err = from.List(ctx, "", "", func(i blobstore.Info) error {
		if !there[i.Key] {
			g.Go(func() error { return carry(ctx, from, to, i) })
		}
		return nil
	})
	if failed := g.Wait(); failed != nil {
		return failed
	}
	return err
}

// carry copies one object.
func carry(ctx context.Context, from, to blobstore.Store, i blobstore.Info) error {
	r, err := from.Get(ctx, i.Key, 0, -1)
	if err != nil {
		return err
	}
	defer r.Close()
	object := make([]byte, i.Size)
	if _, err := io.ReadFull(r, object); err != nil {
		return fmt.Errorf("read %s: %w", i.Key, err)
	}
	return to.Put(ctx, i.Key, object)
}
