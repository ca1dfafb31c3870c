package collect

import (
	"context"
	"errors"
	"fmt"

	"loggia/blobstore"
	"loggia/transfer/index"
	"loggia/transfer/pack"
	"loggia/transfer/repository"
)

// listing goes through the store.
type listing struct {
	*Run
	segments map[repository.Object]bool // live ones
	seen     int                        // live packs
	youngest uint64                     // epoch of all keys
}

// A listing lacks too much where it has less than this share of the live packs, and a few are missing; up to there each one is asked for.
const (
	listedShare = 0.99
	fewMissing  = 16
)

// list finds what nothing names, and holds the live packs against the listing.
func (r *Run) list(ctx context.Context) error {
	l := &listing{Run: r, segments: make(map[repository.Object]bool)}
	for _, s := range r.last.Segments {
		l.segments[repository.Object{Kind: 'i', Epoch: s.Epoch, ID: s.ID}] = true
	}
	if err := r.Repository.Store.List(ctx, r.Repository.Keys.Prefix(), "", l.object); err != nil {
		return stop(ErrListing, "%w", err)
	}
	reached, err := r.Reached(ctx)
	if err != nil {
		return fmt.Errorf("ask how far the log is: %w", err)
	}
	if l.youngest > reached {
		return stop(ErrForeign, "there are keys of epoch %d; the log has reached %d", l.youngest, reached)
	}
	missing := r.now.livePacks - l.seen
	if missing > fewMissing && float64(l.seen) < listedShare*float64(r.now.livePacks) {
		return stop(ErrListing, "it lacks %d of %d live packs", missing, r.now.livePacks)
	}
	if missing > 0 {
		return l.ask(ctx)
	}
	return nil
}

func (l *listing) object(i blobstore.Info) error {
	l.report.Objects++
	l.report.Bytes += i.Size
	o, err := l.Repository.Keys.Parse(i.Key)
	if err != nil {
		l.report.Foreign++
		return nil
	}
	l.youngest = max(l.youngest, o.Epoch)
	switch o.Kind {
	case byte(pack.Data), byte(pack.Nodes):
		return l.pack(o, i)
	case 'i':
		if l.segments[o] {
			return nil
		}
	case 'v':
		if l.marks.roots[o.ID] {
			return nil
		}
	}
	l.forget(o, i)
	return nil
}

// pack looks at a listed pack. One that no segment lists is garbage of an ended claim, unless it is spared.
func (l *listing) pack(o repository.Object, i blobstore.Info) error {
	place := placeOf(index.Pack{Kind: pack.Kind(o.Kind), Epoch: o.Epoch, ID: o.ID})
	v, known, err := l.now.packs.Get(place)
	switch {
	case err != nil:
		return err
	case !known:
		if l.forget(o, i) {
			l.report.Packs++
		}
		return nil
	case v&packLive == 0 || v&packSeen != 0:
		return nil
	case int64(v>>packShift) != i.Size:
		return stop(ErrLost, "%s has %d bytes, its segment says %d", i.Key, i.Size, v>>packShift)
	}
	l.seen++
	return l.now.packs.Add(place, v|packSeen)
}

// forget notes an object that nothing names. It says whether it did.
func (l *listing) forget(o repository.Object, i blobstore.Info) bool {
	if l.spared(o.Epoch) {
		return false
	}
	if len(l.forgotten) == MaxKeys {
		l.report.More = true
		return false
	}
	l.forgotten = append(l.forgotten, o)
	l.report.Garbage++
	l.report.GarbageBytes += i.Size
	return true
}

// ask looks for the live packs that the listing lacks: one missing entry proves nothing.
func (l *listing) ask(ctx context.Context) error {
	one := func(p index.Pack, _ *pack.Directory) error {
		place := placeOf(p)
		v, _, err := l.now.packs.Get(place)
		if err != nil || v&packLive == 0 || v&packSeen != 0 {
			return err
		}
		key := l.Repository.Keys.Pack(p.Kind, p.Epoch, p.ID)
		info, err := l.Repository.Store.Stat(ctx, key)
		switch {
		case errors.Is(err, blobstore.ErrNotFound):
			return stop(ErrLost, "%s is not there", key)
		case err != nil:
			return err
		case info.Size != p.Size:
			return stop(ErrLost, "%s has %d bytes, its segment says %d", key, info.Size, p.Size)
		}
		return l.now.packs.Add(place, v|packSeen)
	}
	if err := l.Writer.Packs(one); err != nil {
		return err
	}
	return l.view.Packs(func(_ int, p index.Pack, d *pack.Directory) error { return one(p, d) })
}
