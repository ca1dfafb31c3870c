package bare

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"loggia/blobstore"
)

// blindly is how many objects a blind copy has in hand at once.
const blindly = 4

// blind copies the objects that the store of b lacks, each with one request to read and one to write, and looks at none of them: what the
// two servers, and a client of both, take of any copy of so many bytes.
func (t *task) blind(ctx context.Context) error { return t.objects(ctx, func([]byte) {}) }

// hashed is blind, and what arrives is hashed once: the least that a copy does that goes past the source's node and believes nobody.
func (t *task) hashed(ctx context.Context) error {
	return t.objects(ctx, func(object []byte) { _ = sha256.Sum256(object) })
}

// objects copies what b lacks, and shows each object to look.
func (t *task) objects(ctx context.Context, look func([]byte)) error {
	from, to, err := t.stores()
	if err != nil {
		return err
	}
	g, working := errgroup.WithContext(ctx)
	g.SetLimit(blindly)
	err = lacking(working, from, to, func(i blobstore.Info) error {
		g.Go(func() error { return carry(working, from, to, i, look) })
		return nil
	})
	if failed := g.Wait(); failed != nil {
		return failed
	}
	return err
}

// stores opens both, without the repositories in them.
func (t *task) stores() (from, to blobstore.Store, err error) {
	if from, err = t.dial(regionA, t.known.Checksums[regionA]); err == nil {
		to, err = t.dial(regionB, t.known.Checksums[regionB])
	}
	return from, to, err
}

// lacking calls fn for every object of from that to lacks.
func lacking(ctx context.Context, from, to blobstore.Store, fn func(blobstore.Info) error) error {
	there := map[string]bool{}
	if err := to.List(ctx, "", "", func(i blobstore.Info) error {
		there[i.Key] = true
		return nil
	}); err != nil {
		return err
	}
	return from.List(ctx, "", "", func(i blobstore.Info) error {
		if there[i.Key] {
			return nil
		}
		return fn(i)
	})
}

// carry copies one object.
func carry(ctx context.Context, from, to blobstore.Store, i blobstore.Info, look func([]byte)) error {
	r, err := from.Get(ctx, i.Key, 0, -1)
	if err != nil {
		return err
	}
	defer r.Close()
	object := make([]byte, i.Size)
	if _, err := io.ReadFull(r, object); err != nil {
		return fmt.Errorf("read %s: %w", i.Key, err)
	}
	look(object)
	return to.Put(ctx, i.Key, object)
}
