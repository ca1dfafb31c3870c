package serve

import (
	"context"

	"loggia/transfer/chunk"
	"loggia/transfer/repository"
)

// Local is a repository of the same node as a source of package replicate: nothing goes over a wire.
type Local struct {
	View    *repository.View
	Options Options
	Label   string // for people
}

// Name implements replicate.Single.
func (l Local) Name() string { return l.Label }

// Fetch implements replicate.Single. fn is called by one goroutine at a time.
func (l Local) Fetch(ctx context.Context, want []chunk.ID, fn func(stored []byte, refs []chunk.Ref) error) (missing []chunk.ID, err error) {
	return Frames(ctx, l.View, want, l.Options, handOver(fn))
}

// handOver is a FrameWriter that calls a function.
type handOver func(stored []byte, refs []chunk.Ref) error

// Frame implements FrameWriter.
func (h handOver) Frame(refs []chunk.Ref, stored []byte) error { return h(stored, refs) }

// Missing implements FrameWriter: Frames returns the ids as well.
func (h handOver) Missing([]chunk.ID) error { return nil }
