package data

import (
	"context"
	"io"

	"loggia/api/v1"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
	"loggia/transfer/wire"
)

// Uploads is what the handlers ask for publishing.
type Uploads interface {
	Open(ctx context.Context, r v1.UploadRequest) (v1.Upload, error)
	Get(id string) (v1.Upload, error)
	Take(ctx context.Context, r v1.UploadRequest) (v1.Upload, error)
	Known(ctx context.Context, id string, fn func(chunk.ID) error) error
	Spans(ctx context.Context, id string, fn func(manifest.SpanRef) error) error
	Batch(ctx context.Context, id string, worker int, body io.Reader) error
	Commit(ctx context.Context, id string, c v1.UploadCommit) (v1.Upload, error)
	Abandon(ctx context.Context, id string) error
}

// Ask is chunks of one span that a client wants.
type Ask struct {
	Span int64
	IDs  []chunk.ID
}

// Version names a disk of a version; LUN is -1 for the OS disk.
type Version struct {
	Gallery, Image, Number string
	LUN                    int
}

// Disks is what the handlers ask for pulling.
type Disks interface {
	// Tree writes the nodes of the disk's manifest.
	Tree(ctx context.Context, d Version, w *wire.Writer) error
	// Frames writes frames that hold the chunks asked for; one that is not in its span is refused. unchecked: the client checks
	// each, and asks without it for what came wrong.
	Frames(ctx context.Context, d Version, asks []Ask, unchecked bool, w *wire.Writer) error
	// Links says which of these chunks the caller may read from the region's store, and gives links to them.
	Links(ctx context.Context, d Version, asks []Ask) (v1.Links, error)
}
