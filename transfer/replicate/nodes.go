package replicate

import (
	"bytes"
	"context"
	"fmt"

	"loggia/transfer/chunk"
	"loggia/transfer/pack"
)

// nodes reads tree nodes from the target and, where they are missing, from a source, and keeps
// those in the target. It is for one goroutine.
//
// A frame of nodes holds neighbours of the node asked for: they wait in ahead for their turn.
type nodes struct {
	r     *run
	ahead map[chunk.ID][]byte
	order []chunk.ID // of ahead, oldest first
}

// maxAhead bounds the nodes kept for later; a leaf of 64 MiB is about 75 KiB.
const maxAhead = 512

func newNodes(r *run) *nodes { return &nodes{r: r, ahead: map[chunk.ID][]byte{}} }

// Node implements manifest.Getter.
func (n *nodes) Node(ctx context.Context, id chunk.ID) ([]byte, error) {
	if b, ok := n.ahead[id]; ok {
		return b, nil
	}
	if ok, err := n.r.target.Has(id); err != nil {
		return nil, err
	} else if ok {
		return n.r.target.Node(ctx, id)
	}
	if err := n.prefetch(ctx, []chunk.ID{id}); err != nil {
		return nil, err
	}
	b, ok := n.ahead[id]
	if !ok {
		return nil, fmt.Errorf("%w: node %s", ErrNoSource, id.Short())
	}
	return b, nil
}

// prefetch asks for those of the nodes that are not at hand, in one request.
func (n *nodes) prefetch(ctx context.Context, ids []chunk.ID) error {
	var want []chunk.ID
	for _, id := range ids {
		if _, ok := n.ahead[id]; ok {
			continue
		}
		ok, err := n.r.target.Has(id)
		if err != nil {
			return err
		}
		if !ok {
			want = append(want, id)
		}
	}
	for len(want) > 0 {
		i, ok := n.r.sources.first()
		if !ok {
			return fmt.Errorf("%w: %w", ErrNoSource, n.r.sources.err())
		}
		missing, err := n.r.sources.all[i].Fetch(ctx, want, func(stored []byte, refs []chunk.Ref) error {
			_, err := n.r.accept(ctx, pack.Nodes, stored, refs, nil, n.keep)
			return err
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && len(missing) > 0 {
			err = fmt.Errorf("%w: %d nodes", ErrNoSource, len(missing))
		}
		if err == nil {
			return nil
		}
		if !n.r.sources.drop(i, err) {
			return n.r.sources.err()
		}
	}
	return nil
}

func (n *nodes) keep(ref chunk.Ref, data []byte) {
	if _, ok := n.ahead[ref.ID]; ok {
		return
	}
	if len(n.order) >= maxAhead {
		delete(n.ahead, n.order[0])
		n.order = n.order[1:]
	}
	n.ahead[ref.ID] = bytes.Clone(data)
	n.order = append(n.order, ref.ID)
}
