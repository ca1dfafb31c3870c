package replicate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"loggia/internal/backoff"
	"loggia/transfer/chunk"
	"loggia/transfer/manifest"
	"loggia/transfer/pack"
	"loggia/transfer/repository"
)

// nodes reads tree nodes from the target and, where they are missing, from a source, and keeps
// those in the target. It is for one goroutine.
//
// A frame of nodes holds neighbours of the node asked for: they wait in ahead for their turn.
type nodes struct {
	r     *run
	ahead map[chunk.ID][]byte
	order []chunk.ID // of ahead, oldest first
	size  int        // bytes in ahead
}

// maxAhead bounds the bytes of nodes kept for later: twice the leaves of aheadLeaves spans as they
// are by default, some 90 KiB each. What does not fit is read again from the target.
const maxAhead = 16 << 20

func newNodes(r *run) *nodes { return &nodes{r: r, ahead: map[chunk.ID][]byte{}} }

// Node implements manifest.Getter.
func (n *nodes) Node(ctx context.Context, id chunk.ID) ([]byte, error) {
	if b, ok := n.ahead[id]; ok {
		return b, nil
	}
	ok, err := n.r.target.Has(id)
	if err != nil {
		return nil, err
	}
	if ok {
		b, err := n.r.target.Node(ctx, id)
		if !errors.Is(err, repository.ErrDamaged) && !errors.Is(err, repository.ErrMissing) {
			return b, err
		}
	}
	if err := n.fetch(ctx, []chunk.ID{id}); err != nil {
		return nil, err
	}
	if b, ok := n.ahead[id]; ok {
		return b, nil
	}
	return n.r.target.Node(ctx, id)
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
	return n.fetch(ctx, want)
}

// fetch asks one source after the other, the nearest first, until everything has come.
func (n *nodes) fetch(ctx context.Context, want []chunk.ID) error {
	left := make(map[chunk.ID]bool, len(want))
	for _, id := range want {
		left[id] = true
	}
	lacks := make([]bool, len(n.r.o.Sources))
	for len(left) > 0 {
		var rest time.Duration // 0: nobody is left to ask
		for i := range n.r.o.Sources {
			if len(left) == 0 || lacks[i] || !n.r.sources.good(i) {
				continue
			}
			again, err := n.from(ctx, i, want, left)
			if err != nil {
				return err
			}
			lacks[i] = again == 0
			rest = max(rest, again)
		}
		if len(left) == 0 {
			return nil
		}
		if rest == 0 {
			return n.r.sources.none(fmt.Sprintf("%d nodes", len(left)))
		}
		if err := backoff.Sleep(ctx, rest); err != nil {
			return err
		}
	}
	return nil
}

// from asks source i for what is left. It returns how long to wait before asking it again; 0: it
// gave what it has, or is dropped.
func (n *nodes) from(ctx context.Context, i int, want []chunk.ID, left map[chunk.ID]bool) (time.Duration, error) {
	var ids []chunk.ID
	for _, id := range want {
		if left[id] {
			ids = append(ids, id)
		}
	}
	mark := n.r.sources.mark(i)
	limit := (2*int64(len(ids)) + 1) * manifest.MaxNode
	failed, err := n.r.ask(ctx, i, ids, limit, delivery{kind: pack.Nodes, left: left, each: n.keep})
	if err != nil {
		return 0, err
	}
	if failed == nil {
		n.r.sources.well(i)
		return 0, nil
	}
	rest := n.r.sources.failed(i, mark, len(left) < len(ids), failed)
	if !n.r.sources.good(i) {
		return 0, nil
	}
	return rest, nil
}

func (n *nodes) keep(ref chunk.Ref, data []byte) {
	if _, ok := n.ahead[ref.ID]; ok || len(data) > manifest.MaxNode {
		return
	}
	for n.size+len(data) > maxAhead {
		oldest := n.order[0]
		n.size -= len(n.ahead[oldest])
		delete(n.ahead, oldest)
		n.order = n.order[1:]
	}
	n.ahead[ref.ID] = bytes.Clone(data)
	n.order = append(n.order, ref.ID)
	n.size += len(data)
}
