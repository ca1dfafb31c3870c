package repository

import (
	"context"
	"errors"
	"fmt"
	"time"

	"loggia/blobstore"
	"loggia/transfer/index"
)

// Link makes a link to n bytes of a pack, from the frame of loc on: to nothing else of it. Whoever has it can read them for
// life. The error is errors.ErrUnsupported where the store gives no links.
func (r *Repository) Link(ctx context.Context, loc index.Location, n int64, life time.Duration) (blobstore.Link, error) {
	l, ok := blobstore.LinkerOf(r.Store)
	if !ok {
		return blobstore.Link{}, fmt.Errorf("link to pack: %w", errors.ErrUnsupported)
	}
	return l.Link(ctx, r.packKey(loc), loc.FrameOffset, n, life)
}
