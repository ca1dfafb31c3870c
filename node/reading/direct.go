package reading

import (
	"context"
	"errors"
	"strings"
	"time"

	"loggia/api/data"
	"loggia/api/v1"
	"loggia/gallery"
	"loggia/node/depot"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
	"loggia/transfer/serve"
	"loggia/transfer/wire"
)

// linkLife is how long a client may use a link: some hundred MiB over a slow line, and far less than the grace of a collection.
const linkLife = 5 * time.Minute

// Links implements data.Disks. A range holds frames of which every chunk is in the spans that the client asks of, and so in the
// disk that it may read: what the pack holds beside them, of other disks, no link opens.
func (r *Reader) Links(ctx context.Context, d data.Version, asks []data.Ask) (v1.Links, error) {
	disk, err := r.find(ctx, d)
	if err != nil {
		return v1.Links{}, err
	}
	view, store, err := r.whole(ctx, disk)
	if err != nil {
		return v1.Links{}, err
	}
	defer view.Release()
	root, err := manifest.Open(ctx, view.View, disk.Root)
	if err != nil {
		return v1.Links{}, damaged(err)
	}
	ids, may, err := serve.Wanted(ctx, view.View, root, asked(asks))
	if errors.Is(err, serve.ErrNotInDisk) {
		return v1.Links{}, &gallery.Error{Kind: gallery.ErrInvalid, Field: "chunks", Err: err}
	}
	if err != nil {
		return v1.Links{}, damaged(err)
	}
	if !r.o.Linked(store, true) {
		return v1.Links{}, nil
	}
	return link(ctx, view, ids, may)
}

// link makes the links to what can be read directly. A store that gives none is no error.
func link(ctx context.Context, view *depot.Lease, ids []chunk.ID, may func(chunk.ID) bool) (v1.Links, error) {
	ranges, err := serve.Ranges(view.View, ids, may)
	if err != nil {
		return v1.Links{}, damaged(err)
	}
	out := v1.Links{Seconds: int(linkLife / time.Second)}
	for _, x := range ranges {
		l, err := view.Link(ctx, x.First, x.Length, linkLife)
		if errors.Is(err, errors.ErrUnsupported) {
			return v1.Links{}, nil
		}
		if err != nil {
			return v1.Links{}, damaged(err)
		}
		out.Origin, out.CA, out.Insecure = l.Origin, string(l.CA), strings.HasPrefix(l.Origin, "http://")
		out.Ranges = append(out.Ranges, v1.LinkRange{Path: l.Path, Offset: x.First.FrameOffset, Length: x.Length, Frames: frames(x.Frames)})
	}
	return out, nil
}

// sendLinked writes links to what a node of another region can read directly, and frames of all else. It may read all of the domain.
func (r *Reader) sendLinked(ctx context.Context, view *depot.Lease, want []chunk.ID, w *wire.Writer) error {
	ranges, err := serve.Ranges(view.View, want, func(chunk.ID) bool { return true })
	if err != nil {
		return damaged(err)
	}
	for i, x := range ranges {
		l, err := view.Link(ctx, x.First, x.Length, linkLife)
		if err != nil || !strings.HasPrefix(l.Origin, "https://") { // what leaves a region is encrypted
			ranges = ranges[:i] // and the rest is sent
			break
		}
		if i == 0 {
			if err := w.Store(wire.Store{Origin: l.Origin, CA: string(l.CA), Life: linkLife}); err != nil {
				return err
			}
		}
		if err := w.Range(wire.Range{Path: l.Path, Offset: x.First.FrameOffset, Frames: x.Frames}); err != nil {
			return err
		}
	}
	return r.send(ctx, view, serve.Beside(ranges, want), r.o.Serve, w)
}

func frames(in []wire.RangeFrame) []v1.LinkFrame {
	out := make([]v1.LinkFrame, 0, len(in))
	for _, f := range in {
		chunks := make([]v1.LinkChunk, 0, len(f.Refs))
		for _, ref := range f.Refs {
			chunks = append(chunks, v1.LinkChunk(ref))
		}
		out = append(out, v1.LinkFrame{Stored: f.Stored, Chunks: chunks})
	}
	return out
}
