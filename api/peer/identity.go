package peer

import (
	"context"

	"loggia/gallery"
)

type nodeKey struct{}

func withNode(ctx context.Context, id gallery.NodeID) context.Context {
	return context.WithValue(ctx, nodeKey{}, id)
}

// nodeOf returns the node that calls; the handler has put it there.
func nodeOf(ctx context.Context) gallery.NodeID {
	id, _ := ctx.Value(nodeKey{}).(gallery.NodeID)
	return id
}
