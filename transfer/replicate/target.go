package replicate

import (
	"context"

	"loggia/transfer/chunk"
	"loggia/transfer/repository"
)

// NewTarget makes a Target of a repository: view is what is live in it, w the claim's writer.
func NewTarget(view *repository.View, w *repository.Writer) Target { return &opened{w, view} }

type opened struct {
	*repository.Writer // Add
	view               *repository.View
}

// Has implements Target. The view is asked first: it has no lock that writers hold.
func (o *opened) Has(id chunk.ID) (bool, error) {
	if ok, err := o.view.Has(id); ok || err != nil {
		return ok, err
	}
	return o.Writer.HasOwn(id)
}

// Node implements Target.
func (o *opened) Node(ctx context.Context, id chunk.ID) ([]byte, error) {
	ok, err := o.view.Has(id)
	if err != nil {
		return nil, err
	}
	if ok {
		return o.view.Node(ctx, id)
	}
	return o.Writer.Node(ctx, id)
}
