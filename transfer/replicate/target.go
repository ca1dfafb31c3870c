package replicate

import (
	"context"

	"loggia/transfer/chunk"
	"loggia/transfer/repository"
)

// NewTarget makes a Target of a repository: view is what is live in it, w the claim's writer.
func NewTarget(view *repository.View, w *repository.Writer) Target { return &opened{w, view} }

type opened struct {
	*repository.Writer // Add, Hasten
	view               *repository.View
}

// Missing implements Target. The view is asked first: it has no lock that writers hold.
func (o *opened) Missing(ids []chunk.ID) ([]chunk.ID, error) {
	ids, err := o.view.Missing(ids)
	if err != nil {
		return nil, err
	}
	missing := ids[:0]
	for _, id := range ids {
		own, err := o.HasOwn(id)
		if err != nil {
			return nil, err
		}
		if !own {
			missing = append(missing, id)
		}
	}
	return missing, nil
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
