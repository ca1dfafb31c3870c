package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"loggia/blobstore"
	"loggia/internal/digest"
	"loggia/transfer/index"
	"loggia/transfer/pack"
	"loggia/transfer/repository"
)

// deletes bounds the requests of a sweep at once.
const deletes = 8

// SweepOptions says what is swept.
type SweepOptions struct {
	Repository *repository.Repository
	Claim      uint64                  // of the collector that wrote the list
	List       digest.Digest           // as the log has it
	Segments   []repository.SegmentRef // live ones, from after the Condemn
}

// Sweep deletes the keys of a committed list, which the log has given leave for, and then the list. It may be repeated after any failure. A list
// that names a live segment, or a pack that a live segment lists, is refused as a whole (ErrList).
func Sweep(ctx context.Context, o SweepOptions) (deleted int, err error) {
	list, err := ReadList(ctx, o.Repository, o.Claim, o.List)
	if err != nil {
		return 0, err
	}
	if err := guard(ctx, o, list); err != nil {
		return 0, err
	}
	var n atomic.Int64
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(deletes)
	for _, key := range list.keys {
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error {
			if err := o.Repository.Store.Delete(gctx, o.Repository.Keys.Prefix()+key); err != nil {
				return fmt.Errorf("delete %s: %w", key, err)
			}
			n.Add(1)
			return nil
		})
	}
	err = errors.Join(g.Wait(), ctx.Err())
	return int(n.Load()), err
}

// DropList deletes a list that was swept. One that stays is garbage of the next run.
func DropList(ctx context.Context, r *repository.Repository, claim uint64, id digest.Digest) error {
	return r.Store.Delete(ctx, r.Keys.Condemned(claim, id))
}

// ReadList reads a stored list and holds it against its digest. Errors: ErrList, or the store's.
func ReadList(ctx context.Context, r *repository.Repository, claim uint64, id digest.Digest) (List, error) {
	key := r.Keys.Condemned(claim, id)
	body, err := r.Store.Get(ctx, key, 0, -1)
	if errors.Is(err, blobstore.ErrNotFound) {
		return List{}, fmt.Errorf("%w: %w", ErrList, err)
	}
	if err != nil {
		return List{}, fmt.Errorf("read list of condemned keys: %w", err)
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, int64(maxList)+1))
	if err != nil {
		return List{}, fmt.Errorf("read list of condemned keys: %w", err)
	}
	if got := digest.Of(b); got != id {
		return List{}, fmt.Errorf("%w: %s has digest %s", ErrList, key, got.Short())
	}
	return DecodeList(b, r.Keys)
}

// guard holds a list against what is live now: after the Condemn nothing live can have come to name a listed key.
func guard(ctx context.Context, o SweepOptions, list List) error {
	relative := func(key string) string { return strings.TrimPrefix(key, o.Repository.Keys.Prefix()) }
	for _, s := range o.Segments {
		if key := relative(o.Repository.Keys.Segment(s.Epoch, s.ID)); list.Contains(key) {
			return fmt.Errorf("%w: it names the live segment %s", ErrList, key)
		}
	}
	v, err := o.Repository.Open(ctx, o.Segments)
	if err != nil {
		return err
	}
	err = v.Packs(func(_ int, p index.Pack, _ *pack.Directory) error {
		if key := relative(o.Repository.Keys.Pack(p.Kind, p.Epoch, p.ID)); list.Contains(key) {
			return fmt.Errorf("%w: it names %s, which a live segment lists", ErrList, key)
		}
		return nil
	})
	return errors.Join(err, v.Close())
}
