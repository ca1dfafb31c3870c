package repository

import (
	"context"
	"fmt"
	"io"

	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
)

// randomCache is the plain bytes of frames that a Random keeps: what a few readers of neighbouring bytes are at.
const randomCache = 8 << 20

// Random reads the guest bytes of one disk at random; holes are zeros. Every chunk is checked before a byte of it is given (D10). It is safe for
// many goroutines, and ends with the context it was made with and with its View.
type Random struct {
	ctx    context.Context
	view   *View
	root   manifest.Root
	frames *frameCache
}

// Random opens the disk with a manifest root that the view holds whole.
func (v *View) Random(ctx context.Context, root chunk.ID) (*Random, error) {
	r, err := manifest.Open(ctx, v, root)
	if err != nil {
		return nil, fmt.Errorf("open disk: %w", err)
	}
	return &Random{ctx: ctx, view: v, root: r, frames: newFrameCache(randomCache)}, nil
}

// Size is the length in bytes.
func (r *Random) Size() int64 { return r.root.Length }

// ReadAt implements io.ReaderAt. Errors: ErrMissing, ErrDamaged, or the store's.
func (r *Random) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read disk at %d: negative", off)
	}
	want := p[:max(0, min(int64(len(p)), r.root.Length-off))]
	done := 0
	err := manifest.Extents(r.ctx, r.view, r.root, min(off, r.root.Length), int64(len(want)), func(x manifest.Extent) error {
		to := want[done : done+int(x.Length)]
		if x.Entry.Hole() {
			clear(to)
		} else if err := r.piece(to, x); err != nil {
			return err
		}
		done += len(to)
		return nil
	})
	if err != nil {
		return done, fmt.Errorf("read disk at %d: %w", off+int64(done), err)
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

func (r *Random) piece(to []byte, x manifest.Extent) error {
	loc, err := locate(r.view.set, x.Entry.ID)
	if err != nil {
		return err
	}
	plain, err := r.frames.node(r.ctx, r.view.Repository, loc, x.Entry.ID)
	if err != nil {
		return err
	}
	if int64(x.Skip)+int64(len(to)) > int64(len(plain)) {
		return fmt.Errorf("%w: chunk %s has %d bytes", ErrDamaged, x.Entry.ID.Short(), len(plain))
	}
	copy(to, plain[x.Skip:])
	return nil
}
